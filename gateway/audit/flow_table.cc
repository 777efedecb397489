#include "gateway/audit/flow_table.h"

#include <algorithm>

namespace gateway::audit {

using config::value::Duration;

namespace {

using nlohmann::ordered_json;

constexpr std::uint32_t kRuleMask = 0x7fffffff;  // the top bit is the routing mark of an exchange
constexpr std::uint8_t kTcp = 6;
// enum tcp_conntrack: FIN_WAIT 4, CLOSE_WAIT 5, LAST_ACK 6, TIME_WAIT 7, CLOSE 8.
constexpr std::uint8_t kTcpEstablished = 3, kTcpFinWait = 4, kTcpClose = 8;
// Shorter than the kernel keeps an idle established connection (5 days): if it ends sooner, somebody ended it.
constexpr auto kEstablishedTime = std::chrono::hours(24 * 5);

const char* direction_of(policy::PermissionKind kind) {
  switch (kind) {
    case policy::PermissionKind::kService:
      return "facility-to-service";
    case policy::PermissionKind::kExchange:
      return "facility-to-facility";
    case policy::PermissionKind::kInside:
      return "inside-to-facility";
  }
  return "unknown";
}

bool closing(std::optional<std::uint8_t> state) {
  return state && *state >= kTcpFinWait && *state <= kTcpClose;
}

std::string how_it_ended(const Flow& flow, const ConntrackEvent& event, Duration lived) {
  if (flow.cut) return "cut";
  if (flow.tuple.protocol != kTcp) return "timeout";
  if (closing(event.tcp_state) || flow.closing_since) return "closed";
  return event.tcp_state == kTcpEstablished && lived < kEstablishedTime ? "cut" : "timeout";
}

// Whose doing it is; the data centre and flows of unknown rules together are one more.
std::string opener_of(const Flow& flow) {
  const auto* permission = flow.permission.get();
  return permission == nullptr ? std::string() : permission->from_facility.text;
}

}  // namespace

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case kTcp:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    default:
      return std::to_string(protocol);
  }
}

ordered_json to_fields(const Flow& flow) {
  ordered_json fields;
  fields["flow"] = flow.number;
  if (const auto* permission = flow.permission.get()) {
    const bool from_inside = permission->kind == policy::PermissionKind::kInside;
    fields["direction"] = direction_of(permission->kind);
    fields["facility"] = (from_inside ? permission->to_facility : permission->from_facility).text;
    if (permission->kind == policy::PermissionKind::kExchange) fields["other_facility"] = permission->to_facility.text;
    fields[permission->kind == policy::PermissionKind::kService ? "service" : "offer"] = permission->name;
  }
  fields["rule"] = flow.rule;
  fields["rule_origin"] = flow.permission ? flow.permission->origin : "unknown";
  fields["protocol"] = protocol_name(flow.tuple.protocol);
  fields["source"] = flow.tuple.source.to_string();
  fields["source_real"] = flow.real_source.to_string();
  fields["source_port"] = flow.tuple.source_port;
  fields["destination"] = flow.tuple.destination.to_string();
  fields["destination_real"] = flow.real_destination.to_string();
  fields["destination_port"] = flow.tuple.destination_port;
  if (flow.seen_late) fields["seen_late"] = true;
  return fields;
}

std::size_t FlowTable::TupleHash::operator()(const Tuple& tuple) const noexcept {
  const config::value::AddressHash hash;
  const std::size_t ends = hash(tuple.source) * 1'000'003 ^ hash(tuple.destination);
  const std::size_t ports = (std::size_t{tuple.source_port} << 24) ^ (std::size_t{tuple.destination_port} << 8);
  return (ends * 1'000'003) ^ ports ^ tuple.protocol;
}

void FlowTable::set_plan(const policy::Plan& plan, std::vector<Record>& out) {
  earlier_rules_ = std::move(rules_);
  rules_.clear();
  for (const auto& permission : plan.permissions)
    rules_.emplace(permission.rule.number, std::make_shared<const policy::Permission>(permission));
  translations_ = policy::Translations(plan);
  for (auto& [number, flow] : flows_) {
    if (flow.cut || rules_.contains(flow.rule)) continue;
    flow.cut = true;
    out.push_back({"flow.cut", to_fields(flow)});
  }
}

std::shared_ptr<const policy::Permission> FlowTable::permission_of(std::uint32_t rule) const {
  if (const auto found = rules_.find(rule); found != rules_.end()) return found->second;
  if (const auto found = earlier_rules_.find(rule); found != earlier_rules_.end()) return found->second;
  return nullptr;
}

void FlowTable::on_event(const ConntrackEvent& event, const RecordTime& now, std::vector<Record>& out) {
  const bool known = by_tuple_.contains(event.original);
  if ((event.mark & kRuleMask) == 0 && !known) return;
  if (event.kind == ConntrackEvent::Kind::kDestroy) return end(event, now, out);
  // A begin for a tuple that is still open: its end was lost.
  if (event.kind == ConntrackEvent::Kind::kNew && known) forget(by_tuple_.at(event.original));
  const auto found = by_tuple_.find(event.original);
  Flow& flow = found != by_tuple_.end() ? flows_.at(found->second)
                                        : begin(event, event.kind != ConntrackEvent::Kind::kNew, now, out);
  if (closing(event.tcp_state) && !flow.closing_since) flow.closing_since = now.wall;
  if (event.tcp_state == kTcpEstablished) flow.closing_since.reset();
}

Flow& FlowTable::begin(const ConntrackEvent& event, bool late, const RecordTime& now, std::vector<Record>& out) {
  if (flows_.size() >= most_) drop_one();
  Flow flow;
  flow.number = next_number_++;
  flow.tuple = event.original;
  flow.rule = event.mark & kRuleMask;
  flow.permission = permission_of(flow.rule);
  flow.real_source = translations_.real(event.original.source);
  flow.real_destination = translations_.real(event.original.destination);
  flow.began = event.started.value_or(now.wall);
  flow.seen_late = late;
  ++begun_;
  by_tuple_[event.original] = flow.number;
  shares_.add(opener_of(flow), flow.number);
  out.push_back({"flow.begin", to_fields(flow)});
  return flows_.emplace(flow.number, std::move(flow)).first->second;
}

void FlowTable::drop_one() {
  forget(shares_.oldest_of_largest());
  ++dropped_;
}

void FlowTable::forget(std::uint64_t number) {
  const auto found = flows_.find(number);
  shares_.remove(opener_of(found->second), number);
  by_tuple_.erase(found->second.tuple);
  flows_.erase(found);
}

void FlowTable::end(const ConntrackEvent& event, const RecordTime& now, std::vector<Record>& out) {
  if (!by_tuple_.contains(event.original)) begin(event, true, now, out);
  const auto number = by_tuple_.at(event.original);
  const Flow& flow = flows_.at(number);
  const auto until = flow.closing_since.value_or(event.stopped.value_or(now.wall));
  const Duration lived = std::max(Duration::zero(), Duration(until - flow.began));
  Record record{"flow.end", to_fields(flow)};
  auto& fields = record.fields;
  fields["began"] = to_rfc3339(flow.began, now.offset_minutes);
  fields["duration_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(lived).count();
  fields["ended"] = how_it_ended(flow, event, lived);
  if (event.sent) fields["packets_sent"] = event.sent->packets, fields["bytes_sent"] = event.sent->bytes;
  if (event.answered)
    fields["packets_received"] = event.answered->packets, fields["bytes_received"] = event.answered->bytes;
  out.push_back(std::move(record));
  ++ended_;
  forget(number);
}

}  // namespace gateway::audit
