#include "gateway/audit/refusals.h"

#include "gateway/audit/flow_table.h"
#include "policy/decide.h"

namespace gateway::audit {
namespace {

Record refused(const NflogEvent& event, const policy::Plan* plan) {
  Record record{"refused", {}};
  auto& fields = record.fields;
  fields["reason"] = event.reason;
  if (event.packet) {
    const auto* facility = plan == nullptr ? nullptr : policy::facility_of(*plan, event.packet->source);
    if (facility != nullptr) fields["facility"] = facility->name.text;
    fields["protocol"] = protocol_name(event.packet->protocol);
    fields["source"] = event.packet->source.to_string();
    fields["source_port"] = event.packet->source_port;
    fields["destination"] = event.packet->destination.to_string();
    fields["destination_port"] = event.packet->destination_port;
  }
  fields["in_interface"] = event.in_interface;
  fields["out_interface"] = event.out_interface;
  return record;
}

}  // namespace

Refusals::Count& Refusals::count_of(const std::string& reason) {
  const bool room = counts_.contains(reason) || counts_.size() < kMostReasons;
  return counts_[room ? reason : "other"];
}

void Refusals::on_event(const NflogEvent& event, const policy::Plan* plan, const RecordTime& now,
                        std::vector<Record>& out) {
  auto& count = count_of(event.reason);
  if (!count.exact) ++count.total, count.kernel_sampled = true;
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(now.boot.time_since_epoch()).count();
  if (count.minute != minute) count.minute = minute, count.samples = 0;
  if (count.samples >= kSamplesPerMinute) return;
  ++count.samples;
  out.push_back(refused(event, plan));
}

void Refusals::on_counter(const std::string& name, std::uint64_t total) {
  if (total == 0 && !counts_.contains(name)) return;  // names of our own processes: few, but most stay 0
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
