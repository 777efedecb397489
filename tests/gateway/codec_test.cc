// Each message: decode(encode(m)) is m, every truncation and every trailing octet is refused.
#include <catch2/catch.hpp>

#include "gateway/core/live_state.h"
#include "gateway/core/messages.h"

namespace gateway::core {
namespace {

using config::value::IpAddress;
using config::value::Prefix;

policy::Plan sample_plan() {
  policy::Plan plan;
  plan.gateway_name = "dc1";
  plan.outside_interface = "wan0";
  plan.outside_addresses = {*IpAddress::parse("203.0.113.10"), *IpAddress::parse("2001:db8::10")};
  plan.gateway_key = "keys/gateway.key";
  policy::FacilityPlan facility;
  facility.name = {"hakodate"};
  facility.title = "函館総合病院";
  facility.networks = {{*Prefix::parse("192.168.1.0/24"), *Prefix::parse("100.64.1.0/24")}};
  facility.sources = {*Prefix::parse("198.51.100.7/32")};
  facility.isolated = true;
  facility.wireguard.endpoint = *config::value::SocketAddress::parse("[2001:db8::1]:51820");
  plan.facilities = {facility};
  policy::Permission row;
  row.rule = {42};
  row.kind = policy::PermissionKind::kInside;
  row.source = *Prefix::parse("10.80.0.10/32");
  row.destination = *Prefix::parse("100.64.1.5/32");
  row.port = *config::value::ServicePort::parse("tcp/104");
  row.until = config::value::WallTime(std::chrono::seconds(2000000000));
  plan.permissions = {row};
  plan.routes = {
      {policy::RouteTable::kExchange, *Prefix::parse("10.0.0.0/8"), "sekisho0", *IpAddress::parse("10.0.0.1")}};
  plan.rules = {{7100, "sekisho0", policy::kExchangeMark, policy::RouteTable::kExchange, false}};
  return plan;
}

KernelState sample_kernel() {
  KernelState state;
  state.id = 4, state.ruleset = "table inet sekisho {",
  state.sets = {{"reach4", "set", {"10.80.0.10"}, "ipv4_addr", ""}}, state.tun_index = 7;
  policy::KernelRoute route;
  route.destination = *Prefix::parse("10.80.0.10/32"), route.metric = 1024, route.mtu = 1380;
  route.hops = {{"dc0", *IpAddress::parse("10.80.0.1")}};
  policy::KernelRule rule;
  rule.family = config::value::Family::kV6, rule.priority = 7100, rule.incoming = "sekisho0";
  rule.from = *Prefix::parse("2001:db8::/32"), rule.mark = rule.mask = policy::kExchangeMark;
  rule.action = policy::KernelRule::Action::kNowhere;
  state.routes = {{route}, {rule}};
  state.links = {{"wan0", 2, true, 1500, "br0", {"qdisc clsact"}}};
  state.addresses = {{"wan0", *IpAddress::parse("203.0.113.10"), 24}};
  state.parameters = {{"net/ipv4/ip_forward", "0", "1", false}};
  state.writers = {{"sekisho", {12, "nft"}}};
  return state;
}

TunnelState sample_tunnels() {
  TunnelState state;
  state.id = 5, state.faults = {"open_guard"};
  const auto network = *Prefix::parse("10.1.0.0/24");
  state.tunnels = {{"hakodate", true, {{network, network}}, {network}, {network}, {network}}};
  state.rows = {{policy::range_of(network), policy::range_of(network), 6, 443, 443,
                 config::value::WallTime(std::chrono::seconds(4))}};
  return state;
}

// FNV-1a over the octets of every form that was checked, in their order. Its value stands beside kMessageVersion: a
// form that changes without another version would be misread by the other end of a channel, or out of a file kept.
struct Fingerprint {
  std::uint64_t value = 0xcbf29ce484222325;
  void add(std::span<const std::uint8_t> octets) {
    for (const std::uint8_t octet : octets) value = (value ^ octet) * 0x100000001b3;
  }
};
Fingerprint fingerprint;

// Equal octets of a second encoding stand for equality, since most messages have no ==.
template <class T>
void check_form(const T& message) {
  const auto octets = encode(message);
  const auto decoded = decode<T>(octets);
  REQUIRE(decoded.has_value());
  CHECK(encode(*decoded) == octets);
  fingerprint.add(octets);
  for (std::size_t length = 0; length < octets.size(); ++length)
    REQUIRE_FALSE(decode<T>(std::span(octets).first(length)).has_value());
  auto longer = octets;
  longer.push_back(0);
  CHECK_FALSE(decode<T>(longer).has_value());
}

TEST_CASE("codec: every message keeps its value and refuses every other length") {
  fingerprint = {};
  const auto plan = sample_plan();
  const BoundSocket bound{*config::value::SocketAddress::parse("203.0.113.10:51820")};
  check_form(PeerChannel{ProcessRole::kKeyd});
  check_form(Ready{"ready"});
  check_form(Alive{7});
  check_form(Busy{8});
  check_form(StopRequest{false});
  check_form(ReloadRequest{3});
  check_form(ApplyPlan{{5}, plan});
  check_form(PlanApplied{{5}, false, "why"});
  check_form(OpenDescriptors{});
  check_form(CloseAll{});
  check_form(CutFacilities{{5}, true, {{"hakodate"}, {"matsumae"}}, true});
  check_form(FacilitiesCut{{5}, false, "why"});
  check_form(RepairKernel{});
  check_form(KernelTouched{{12, "nft"}});
  check_form(ReadKernel{4});
  check_form(ReadTunnels{5});
  check_form(sample_kernel());
  check_form(sample_tunnels());
  check_form(LiveState{5, config::value::WallTime(std::chrono::seconds(4)), plan, sample_kernel(), sample_tunnels()});
  check_form(Descriptors{true, "", "sekisho0", {bound, bound}});
  check_form(KernelRefusals{{{"detour", 12}}});
  check_form(KernelDrift{"table inet sekisho deleted", true, 12, "nft"});
  check_form(ConfigureTunnels{{5}, plan, {bound}, {1, 2, 3}, 9, config::value::WallTime(std::chrono::seconds(4))});
  check_form(TunnelsConfigured{{5}, true, ""});
  check_form(TunnelEvents{{{tunnel::wire::EventKind::kPeerMoved, "hakodate", bound.address, "x"}}, 3});
  check_form(StatusQuery{1});
  TunnelStatus status;
  status.facility = "hakodate", status.up = true, status.remote = bound.address, status.problem = "no answer";
  status.last_handshake = status.problem_since = status.since = config::value::Instant(std::chrono::seconds(3));
  status.last_heard = config::value::Instant(std::chrono::seconds(5));
  status.certificate_expires = config::value::WallTime(std::chrono::hours(9));
  status.outer_received = 7, status.outer_sent = 8;
  check_form(StatusReport{1, {status}, {{"replay", 3}}});
  check_form(TimestampFloor{8});
  RefusedPacket packet;
  packet.facility = "a", packet.other_facility = "b", packet.direction = Direction::kIntoTunnel;
  packet.source = packet.destination = IpAddress::v4({10, 1, 0, 7}), packet.source_port = 4;
  check_form(GuardRefusals{{packet, {}}, {{"a", {{Direction::kOutOfTunnel, Refusal::kExpired, 3, 4}}}}});
  check_form(ConfigureKeys{{{"a", KeySource::Kind::kPreshared, "/etc/a"}}});
  check_form(KeysConfigured{{{"a", false, "mode 0644", {}}}});
  KeyRequests requests;
  requests.requests.push_back({1, tunnel::wire::KeyRequest::Operation::kMixPsk, "a", {}});
  requests.requests[0].input.fill()[31] = 9;
  check_form(requests);
  KeyReplies replies;
  replies.replies.push_back({1, true, {}});
  replies.replies[0].output.fill()[95] = 7;
  check_form(replies);
  CHECK(decode<KeyReplies>(encode(replies))->replies[0].output.expose()[95] == 7);
  // Another value here: raise kMessageVersion, and write both down again.
  CHECK(kMessageVersion == 4);
  CHECK(fingerprint.value == 0x39bbe09dc8e61ffb);
}

TEST_CASE("codec: the plan arrives as it was") {
  const auto plan = sample_plan();
  CHECK(decode<ApplyPlan>(encode(ApplyPlan{{1}, plan}))->plan == plan);
}

TEST_CASE("codec: values outside their range are refused") {
  auto octets = encode(PeerChannel{ProcessRole::kAccessd});
  octets[0] = static_cast<std::uint8_t>(ProcessRole::kAccessd) + 1;
  CHECK_FALSE(decode<PeerChannel>(octets).has_value());
  CHECK_FALSE(decode<RefusedSum::Reason>(encode(RefusedSum::Reason{{}, Refusal::kNone, 1, 1})).has_value());
  CHECK_FALSE(decode<RefusedSum::Reason>(encode(RefusedSum::Reason{{}, Refusal::kCount, 1, 1})).has_value());
  CHECK_FALSE(decode<StopRequest>(std::vector<std::uint8_t>{2}).has_value());
  // A length that promises more than there is must not allocate it.
  CHECK_FALSE(decode<KeyRequests>(std::vector<std::uint8_t>{0xff, 0xff, 0xff, 0xff}).has_value());
}

TEST_CASE("codec: an interface name that would be more than a name in a rule is refused") {
  auto plan = sample_plan();
  CHECK(decode<ApplyPlan>(encode(ApplyPlan{{1}, plan})));
  for (const char* name : {"x\" accept", "x\ny", "x y", "x\"", "sekisho0", "lo", "sixteen-octets-x", "h\xc3\xb6"}) {
    INFO(name);
    plan = sample_plan();
    plan.outside_interface = name;
    CHECK_FALSE(decode<ApplyPlan>(encode(ApplyPlan{{1}, plan})));
    plan = sample_plan();
    plan.inside_interface = name;
    CHECK_FALSE(decode<ApplyPlan>(encode(ApplyPlan{{1}, plan})));
  }
}

TEST_CASE("codec: a prefix with host bits is refused") {
  policy::Plan plan = sample_plan();
  auto octets = encode(plan.facilities[0].sources[0]);
  REQUIRE(decode<Prefix>(octets).has_value());
  octets.back() = 24;  // 198.51.100.7/24
  CHECK_FALSE(decode<Prefix>(octets).has_value());
  octets.back() = 33;
  CHECK_FALSE(decode<Prefix>(octets).has_value());
}

}  // namespace
}  // namespace gateway::core
