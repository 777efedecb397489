#include "gateway/audit/replay.h"

#include <algorithm>
#include <tuple>

#include "policy/translations.h"

namespace gateway::audit {

using config::value::IpAddress;
using config::value::WallTime;
using policy::Decision;
using policy::DecisionIndex;
using policy::FacilityPlan;
using policy::Packet;
using policy::Reason;

namespace {

constexpr std::size_t kMostLate = 100'000, kMostRest = 50'000;
constexpr std::uint8_t kIcmp = 1, kIcmpV6 = 58;
constexpr std::uint16_t kEchoRequest = 8 * 256, kEchoRequestV6 = 128 * 256;

const policy::NetworkMap* network_of(const FacilityPlan& facility, const IpAddress& address,
                                     policy::Prefix policy::NetworkMap::* side) {
  for (const auto& network : facility.networks)
    if ((network.*side).contains(address)) return &network;
  return nullptr;
}

// ICMP opens nothing but by an echo request.
bool opens_nothing(std::uint8_t protocol, std::uint16_t port) {
  return (protocol == kIcmp && port != kEchoRequest) || (protocol == kIcmpV6 && port != kEchoRequestV6);
}

}  // namespace

// One flow or refused packet, and what of its record is told on.
struct Replay::Asked {
  bool passed = false;
  std::string from, to;
  IpAddress source, destination;
  std::optional<IpAddress> source_real, destination_real;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  std::string name, then;
  WallTime time;

  // The packet as it would be in another plan; or why it could not be, in words.
  struct Placed {
    std::optional<Packet> packet;
    std::string why;
  };
  // `before`: the plan under which `source` was seen, for the real address of a record that does not have it.
  [[nodiscard]] Placed in(const DecisionIndex& plan, const DecisionIndex* before) const {
    Packet packet{source, destination, static_cast<config::value::IpProtocol>(protocol), 0, port};
    const auto* owner = from.empty() ? nullptr : plan.facility_named(from);
    if (from.empty() && passed && plan.facility_at(source) != nullptr)
      return {std::nullopt, "denied: the source is an address of facility " + plan.facility_at(source)->name.text};
    if (owner == nullptr) return {packet, ""};
    const auto real = real_source(before);
    const auto seen = policy::seen_address(*owner, real);
    if (!seen) return {std::nullopt, "denied: " + real.to_string() + " is in no network of facility " + from};
    packet.source = *seen;
    return {packet, ""};
  }

 private:
  [[nodiscard]] IpAddress real_source(const DecisionIndex* before) const {
    if (source_real) return *source_real;
    const auto* owner = before == nullptr ? nullptr : before->facility_named(from);
    const auto* network = owner == nullptr ? nullptr : network_of(*owner, source, &policy::NetworkMap::seen);
    return network == nullptr ? source : config::value::translate(source, network->seen, network->real);
  }
};

std::size_t Replay::KeyHash::operator()(const Key& key) const noexcept {
  const config::value::AddressHash hash;
  const std::hash<std::string> text;
  std::size_t value = hash(key.source) * 1'000'003 ^ hash(key.destination);
  value = value * 1'000'003 ^ text(key.from) ^ (text(key.to) << 1);
  return value * 1'000'003 ^ (std::size_t{key.port} << 16) ^ (std::size_t{key.protocol} << 8) ^
         (static_cast<std::size_t>(key.effect) << 1) ^ static_cast<std::size_t>(key.passed);
}

Replay::Replay(const policy::Plan& candidate, const policy::Plan* running, const ReplaySpan& span,
               BeyondPermission beyond, std::size_t most)
    : candidate_(candidate),
      running_(running == nullptr ? nullptr : std::make_unique<DecisionIndex>(*running)),
      span_(span),
      beyond_(beyond),
      most_(most) {}

void Replay::add_unreadable(const std::string& place, const std::string& sentence) {
  ++result_.unreadable;
  if (result_.unreadable_examples.size() < kMostExamples)
    result_.unreadable_examples.push_back(place + ": " + sentence);
}

void Replay::add(const RecordLine& record) {
  lowest_ = numbered_ == 0 ? record.sequence : std::min(lowest_, record.sequence);
  highest_ = std::max(highest_, record.sequence);
  ++numbered_;
  if (!result_.first || record.time < *result_.first) result_.first = record.time;
  if (record.kind == "start") late_.clear();
  if (record.time < span_.from) return;
  ++result_.records;
  if (record.kind.starts_with("flow.") && is_flow_of_span(record)) ask_flow(record);
  if (record.kind == "refused") ask_refused(record);
  if (record.kind == "flow.summary") result_.flows_summed += record.flows_not_written;
  if (record.kind == "records.lost") result_.records_lost += record.count;
  if (record.kind == "events.lost") ++result_.events_lost;
  if (record.kind == "refused.summary" && record.layer.empty()) result_.refused_packets += record.count;
}

void Replay::add_open(const RecordLine& flow) {
  if (flow.began && *flow.began < span_.from && !late_.contains(flow.flow)) ask_flow(flow);
}

// Each flow once: by its begin, or, when that lies before the span, by its end.
bool Replay::is_flow_of_span(const RecordLine& record) {
  if (record.kind == "flow.begin") {
    if (record.seen_late && late_.size() < kMostLate) late_.insert(record.flow);
    return true;
  }
  return record.kind == "flow.end" && record.began && *record.began < span_.from && late_.erase(record.flow) == 0;
}

Replay::Asked Replay::of_flow(const RecordLine& record) const {
  Asked asked{.passed = true,
              .from = record.facility,
              .to = record.other_facility,
              .source = *record.source,
              .destination = *record.destination,
              .source_real = record.source_real,
              .destination_real = record.destination_real,
              .protocol = *record.protocol,
              .port = *record.destination_port,
              .name = record.name,
              .then = record.rule_origin,
              .time = record.time};
  if (record.direction == "inside-to-facility") asked.from.clear(), asked.to = record.facility;
  if (!record.direction.empty()) return asked;
  // The rule was known no more when the flow was seen: whose the addresses are, what runs may know.
  const auto& known = running_ == nullptr ? candidate_ : *running_;
  if (const auto* owner = known.facility_at(asked.source)) asked.from = owner->name.text;
  if (const auto* owner = known.facility_at(asked.destination)) asked.to = owner->name.text;
  return asked;
}

std::optional<Replay::Asked> Replay::of_refused(const RecordLine& record) const {
  if ((!record.source && !record.source_real) || !record.destination || !record.protocol || !record.destination_port)
    return std::nullopt;
  Asked asked{.passed = false,
              .from = record.facility,
              .to = record.other_facility,
              .source = record.source ? *record.source : *record.source_real,
              .destination = *record.destination,
              .source_real = record.source_real,
              .destination_real = {},
              .protocol = *record.protocol,
              .port = *record.destination_port,
              .name = {},
              .then = record.reason,
              .time = record.time};
  const auto& known = running_ == nullptr ? candidate_ : *running_;
  if (record.direction == "into-tunnel") std::swap(asked.from, asked.to);
  if (record.layer != "guard")
    if (const auto* owner = known.facility_at(asked.destination)) asked.to = owner->name.text;
  return asked;
}

bool Replay::runs(const Asked& asked) const {
  if (running_ == nullptr) return asked.passed;
  const auto placed = asked.in(*running_, running_.get());
  return placed.packet && running_->decide(*placed.packet, span_.now).allowed();
}

void Replay::ask_flow(const RecordLine& record) {
  ++result_.flows;
  const auto asked = of_flow(record);
  const auto placed = asked.in(candidate_, running_.get());
  const auto decide = [&](WallTime time) {
    return placed.packet ? candidate_.decide(*placed.packet, time) : Decision{};
  };
  const auto decision = decide(span_.at);
  if (decision.allowed()) {
    if (runs(asked)) return void(++result_.unchanged);
    ++result_.opens;
    return keep(ReplayEffect::kOpens, asked, decision, "");
  }
  if (!runs(asked)) return void(++result_.stopped_already);
  if (decide(asked.time).allowed()) {
    ++result_.ends;
    return keep(ReplayEffect::kEnds, asked, decision, "");
  }
  ++result_.stops;
  keep(ReplayEffect::kStops, asked, decision, placed.why);
}

void Replay::ask_refused(const RecordLine& record) {
  if (beyond_(record.reason)) return void(++result_.no_question);
  const auto asked = of_refused(record);
  if (!asked) return void(++result_.says_too_little);
  if (opens_nothing(asked->protocol, asked->port)) return void(++result_.no_question);
  ++result_.refused;
  const auto placed = asked->in(candidate_, running_.get());
  const auto decision = placed.packet ? candidate_.decide(*placed.packet, span_.at) : Decision{};
  if (!decision.allowed()) return void(++result_.unchanged);
  if (runs(*asked)) return void(++result_.open_already);
  ++result_.opens;
  keep(ReplayEffect::kOpens, *asked, decision, "");
}

void Replay::keep(ReplayEffect effect, const Asked& asked, const Decision& decision, std::string why_unknown) {
  Key key{effect, asked.passed, asked.from, asked.to, asked.source, asked.destination, asked.protocol, asked.port};
  auto found = findings_.find(key);
  if (found == findings_.end() && findings_.size() >= most_) {
    const auto& facility = asked.from.empty() ? asked.to : asked.from;
    auto& rest = result_.rest[result_.rest.size() < kMostRest || result_.rest.contains(facility) ? facility : ""];
    ++(effect == ReplayEffect::kStops ? rest.stops : effect == ReplayEffect::kEnds ? rest.ends : rest.opens);
    return;
  }
  if (found == findings_.end()) {
    ReplayFinding fresh;
    fresh.effect = effect, fresh.passed = asked.passed;
    fresh.from_facility = asked.from, fresh.to_facility = asked.to;
    fresh.source = asked.source, fresh.source_real = asked.source_real.value_or(asked.source);
    fresh.destination = asked.destination, fresh.destination_real = asked.destination_real.value_or(asked.destination);
    fresh.protocol = asked.protocol, fresh.destination_port = asked.port;
    fresh.first = fresh.last = asked.time;
    found = findings_.emplace(std::move(key), std::move(fresh)).first;
  }
  auto& finding = found->second;
  ++finding.count;
  finding.first = std::min(finding.first, asked.time);
  if (asked.time < finding.last) return;
  finding.last = asked.time, finding.name = asked.name, finding.then = asked.then;
  finding.decision = decision, finding.why_unknown = std::move(why_unknown);
}

ReplayResult Replay::take() {
  result_.findings.reserve(findings_.size());
  for (auto& [key, finding] : findings_) result_.findings.push_back(std::move(finding));
  findings_.clear();
  const auto order = [](const ReplayFinding& f) {
    return std::tuple(std::string_view(f.from_facility.empty() ? f.to_facility : f.from_facility), f.effect, ~f.count,
                      f.source, f.destination, f.protocol, f.destination_port, f.passed);
  };
  std::ranges::sort(result_.findings, [&](const auto& a, const auto& b) { return order(a) < order(b); });
  const auto numbers = numbered_ == 0 ? 0 : highest_ - lowest_ + 1;
  const auto known = numbered_ + result_.unreadable;
  result_.missing = numbers > known ? numbers - known : 0;
  return std::move(result_);
}

}  // namespace gateway::audit
