// Any octets: parse, judge, translate, clamp, answer. Whatever passes must still parse afterwards, with its source and
// destination where the guard saw them; sanitizers watch the bounds.
#include <cstdlib>
#include <cstring>

#include "gateway/core/guard.h"
#include "gateway/core/mss.h"
#include "gateway/core/too_big.h"
#include "gateway/core/translation.h"

namespace {

using config::value::Prefix;
using gateway::core::Refusal;

policy::Plan two_facilities() {
  policy::Plan plan;
  policy::FacilityPlan a, b;
  a.name = {"a"}, b.name = {"b"};
  a.networks = {{*Prefix::parse("192.168.1.0/24"), *Prefix::parse("100.64.1.0/24")},
                {*Prefix::parse("fd99::/64"), *Prefix::parse("fd00:1::/64")}};
  b.networks = {{*Prefix::parse("10.2.0.0/24"), *Prefix::parse("10.2.0.0/24")}};
  plan.facilities = {a, b};
  for (const auto& map : a.networks) {
    for (const auto protocol : {config::value::IpProtocol::kTcp, config::value::IpProtocol::kUdp}) {
      policy::Permission p;
      p.from_facility = {"a"}, p.source = map.seen;
      p.destination = *Prefix::parse(map.seen.address().is_v4() ? "10.80.0.10/32" : "fd00:80::10/128");
      p.port = {protocol, 0, 65535};
      plan.permissions.push_back(p);
    }
  }
  return plan;
}

void must(bool fact) {
  if (!fact) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const policy::Plan plan = two_facilities();
  static const auto guard = gateway::core::Guard::compile(plan);
  static const auto translation = gateway::core::Translation::compile(plan.facilities[0].networks);
  must(guard.has_value() && translation.has_value());
  std::vector<std::uint8_t> packet(data, data + size);
  auto view = gateway::core::parse_inner(packet);
  if (!view) return must(view.error() != Refusal::kNone), 0;
  must(view->total_length <= size);
  (void)guard->egress(*view, {});
  if (translation->to_seen(packet, *view) != Refusal::kNone) return 0;
  if (guard->ingress(0, *view, {}) != Refusal::kNone) return 0;
  must(guard->facility_of(view->flow.source) == 0);
  must(view->flow.icmp == gateway::core::IcmpKind::kError || guard->facility_of(view->flow.destination) != 1);
  (void)gateway::core::merge_ecn(packet, view->is_v4(), 1);
  gateway::core::clamp_mss(packet, *view, 1380);
  const auto again = gateway::core::parse_inner(packet);
  must(again && again->flow.source == view->flow.source && again->flow.destination == view->flow.destination);
  std::array<std::uint8_t, gateway::core::kLargestTooBig> room;
  if (gateway::core::answers_too_big(*view)) must(!gateway::core::make_too_big(packet, *view, 1300, room).empty());
  return 0;
}
