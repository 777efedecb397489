#include "gateway/daemon/accessd_guard_refusals.h"

#include <algorithm>

#include "gateway/audit/flow_table.h"
#include "gateway/audit/refusals.h"
#include "policy/decide.h"
#include "policy/translations.h"

namespace gateway::daemon {
namespace {

using audit::real_text;
using audit::Record;
using core::Direction;

const char* direction_name(Direction direction) {
  return direction == Direction::kOutOfTunnel ? "out-of-tunnel" : "into-tunnel";
}

// The source as everybody sees it and as its facility does. What comes out of a tunnel has the source that its facility
// gave it: from an address that it does not have, there is only that one.
void add_source(const core::RefusedPacket& packet, const policy::Plan* plan, nlohmann::ordered_json& fields) {
  const auto& source = *packet.source;
  if (packet.direction == Direction::kIntoTunnel || plan == nullptr) {
    fields[packet.as_sent ? "source_real" : "source"] = source.to_string();
    if (!packet.as_sent) fields["source_real"] = real_text(plan, source);
    return;
  }
  const auto own =
      std::ranges::find(plan->facilities, packet.facility, [](const auto& each) { return each.name.text; });
  const auto* facility = own == plan->facilities.end() ? nullptr : &*own;
  if (packet.as_sent) {
    const auto seen = facility == nullptr ? std::nullopt : policy::seen_address(*facility, source);
    if (seen) fields["source"] = seen->to_string();
    fields["source_real"] = source.to_string();
    return;
  }
  const auto* owner = policy::facility_of(*plan, source);
  fields["source"] = source.to_string();
  fields["source_real"] = owner != nullptr && owner == facility ? real_text(plan, source) : source.to_string();
}

Record refused(const core::RefusedPacket& packet, const policy::Plan* plan, int offset_minutes) {
  Record record{"refused", {}};
  auto& fields = record.fields;
  fields["layer"] = "guard";
  fields["reason"] = core::refusal_name(packet.reason);
  fields["direction"] = direction_name(packet.direction);
  if (!packet.facility.empty()) fields["facility"] = packet.facility;
  if (!packet.other_facility.empty()) fields["other_facility"] = packet.other_facility;
  fields["refused_at"] = audit::to_rfc3339(packet.at, offset_minutes);
  if (!packet.source) return record;
  fields["protocol"] = audit::protocol_name(packet.protocol);
  add_source(packet, plan, fields);
  if (packet.source_port) fields["source_port"] = *packet.source_port;
  fields["destination"] = packet.destination->to_string();
  fields["destination_real"] = real_text(plan, *packet.destination);
  if (packet.destination_port) fields["destination_port"] = *packet.destination_port;
  if (packet.fragment) fields["fragment"] = true;
  return record;
}

Record summary(const core::RefusedSum& sum) {
  Record record{"refused.summary", {}};
  auto& fields = record.fields;
  fields["layer"] = "guard";
  if (!sum.facility.empty()) fields["facility"] = sum.facility;
  std::uint64_t count = 0, total = 0;
  auto reasons = nlohmann::ordered_json::array();
  for (const auto& each : sum.reasons) {
    count += each.count, total += each.total;
    reasons.push_back({{"reason", core::refusal_name(each.reason)},
                       {"direction", direction_name(each.direction)},
                       {"count", each.count},
                       {"total", each.total}});
  }
  fields["count"] = count;
  fields["total"] = total;
  fields["lower_bound"] = false;
  fields["reasons"] = std::move(reasons);
  return record;
}

}  // namespace

void GuardRefusalRecords::turn_minute(const audit::RecordTime& now, std::vector<Record>& out) {
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(now.boot.time_since_epoch()).count();
  if (minute == minute_) return;
  minute_ = minute, packets_ = sums_ = 0;
  if (lost_ > 0) out.push_back({"events.lost", {{"source", "guard"}, {"lines", lost_}}});
  lost_ = 0;
}

void GuardRefusalRecords::on_refusals(const core::GuardRefusals& refusals, const policy::Plan* plan,
                                      const audit::RecordTime& now, std::vector<Record>& out) {
  turn_minute(now, out);
  for (const auto& packet : refusals.packets)
    packets_ < kMostPackets ? ++packets_, out.push_back(refused(packet, plan, now.offset_minutes)) : void(++lost_);
  for (const auto& sum : refusals.sums) sums_ < kMostSums ? ++sums_, out.push_back(summary(sum)) : void(++lost_);
}

}  // namespace gateway::daemon
