#include "gateway/audit/refusals.h"

#include "gateway/audit/flow_table.h"
#include "policy/decide.h"
#include "policy/translations.h"

namespace gateway::audit {
namespace {

// Of the source; the empty name stands for all that no facility has.
std::string facility_of(const NflogEvent& event, const policy::Plan* plan) {
  if (!event.packet || plan == nullptr) return {};
  const auto* facility = policy::facility_of(*plan, event.packet->source);
  return facility == nullptr ? std::string() : facility->name.text;
}

Record refused(const NflogEvent& event, const std::string& facility, const policy::Plan* plan) {
  Record record{"refused", {}};
  auto& fields = record.fields;
  fields["reason"] = event.reason;
  if (event.packet) {
    if (!facility.empty()) fields["facility"] = facility;
    fields["protocol"] = protocol_name(event.packet->protocol);
    fields["source"] = event.packet->source.to_string();
    fields["source_real"] = real_text(plan, event.packet->source);
    fields["source_port"] = event.packet->source_port;
    fields["destination"] = event.packet->destination.to_string();
    fields["destination_real"] = real_text(plan, event.packet->destination);
    fields["destination_port"] = event.packet->destination_port;
  }
  fields["in_interface"] = event.in_interface;
  fields["out_interface"] = event.out_interface;
  return record;
}

}  // namespace

std::string real_text(const policy::Plan* plan, const config::value::IpAddress& seen) {
  return (plan == nullptr ? seen : policy::real_address(*plan, seen)).to_string();
}

Refusals::Count& Refusals::count_of(const std::string& reason) {
  const bool room = counts_.contains(reason) || counts_.size() < kMostReasons;
  return counts_[room ? reason : "other"];
}

void Refusals::on_event(const NflogEvent& event, const policy::Plan* plan, const RecordTime& now,
                        std::vector<Record>& out) {
  auto& count = count_of(event.reason);
  if (!count.exact) ++count.total, count.kernel_sampled = true;
  const auto facility = facility_of(event, plan);
  if (sampled(event.reason, facility, now.boot)) out.push_back(refused(event, facility, plan));
}

bool Refusals::sampled(const std::string& reason, const std::string& facility, config::value::Instant now) {
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(now.time_since_epoch()).count();
  if (minute_ != minute) minute_ = minute, samples_.clear();
  auto key = std::pair(reason, facility);
  if (samples_.size() >= kMostSampled && !samples_.contains(key)) key = {};
  return samples_[std::move(key)]++ < kSamplesPerMinute;
}

void Refusals::on_counter(const std::string& name, std::uint64_t total) {
  if (total == 0 && !counts_.contains(name)) return;                      // most stay 0
  if (!counts_.contains(name) && counts_.size() >= kMostReasons) return;  // names that our processes do not have
  auto& count = counts_[name];
  if (total < count.reported) count.reported = 0;  // that process began anew
  count.total = total;
}

void Refusals::on_kernel_total(const std::string& reason, std::uint64_t total) {
  auto& count = count_of(reason);
  // What was refused before this process began is in the summaries of the one before. A smaller total: a new table.
  if (!count.exact) count.reported = total;
  if (total < count.reported) count.reported = 0;
  count.total = total;
  count.exact = true;
  count.kernel_sampled = false;
}

std::vector<Record> Refusals::summaries() {
  std::vector<Record> records;
  for (auto& [reason, count] : counts_) {
    if (count.total == count.reported) continue;
    Record record{"refused.summary", {}};
    record.fields["reason"] = reason;
    record.fields["count"] = count.total - count.reported;
    record.fields["total"] = count.total;
    record.fields["lower_bound"] = count.kernel_sampled;
    count.reported = count.total;
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace gateway::audit
