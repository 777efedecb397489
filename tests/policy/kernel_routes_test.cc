// Routing as the kernel does it: rules in their order, longest prefix, lowest metric, throw, goto; and what is not
// modelled counts both ways.
#include "policy/kernel_routes.h"

#include <catch2/catch.hpp>
#include <set>

#include "policy/compile.h"
#include "policy/routed.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using policy::Family;
using policy::KernelRoute;
using policy::KernelRoutes;
using policy::KernelRule;
using policy::PacketSet;

namespace {

KernelRoute route(std::uint32_t table, const char* to, const char* interface, std::uint32_t metric = 0) {
  KernelRoute out;
  out.table = table, out.destination = prefix(to), out.metric = metric;
  if (*interface != 0) out.hops = {{interface, std::nullopt}};
  if (*interface == 0) out.type = KernelRoute::Type::kNowhere;
  return out;
}

KernelRule rule(std::uint32_t priority, std::uint32_t table, const char* incoming = "") {
  KernelRule out;
  out.priority = priority, out.table = table, out.incoming = incoming;
  return out;
}

std::set<std::string> ways(const KernelRoutes& of, const char* to, const char* in = "sekisho0", std::uint32_t mark = 0,
                           const char* from = "0.0.0.0/0", bool answers = false) {
  policy::Routing routing(of);
  const auto source = policy::range_of(prefix(from)), destination = policy::range_of(prefix(to));
  policy::PacketBox box = policy::whole(Family::kV4);
  box.source = answers ? destination : source, box.destination = answers ? source : destination;
  std::set<std::string> out;
  for (const auto& each : routing.of(in, mark, PacketSet::of({box}), answers)) out.insert(each.interface);
  return out;
}

using Ways = std::set<std::string>;

KernelRoutes base() {
  return {{route(10, "10.0.0.0/8", "a"), route(10, "10.1.0.0/16", "b"), route(20, "0.0.0.0/0", "c")},
          {rule(5, 10), rule(9, 20)}};
}

}  // namespace

TEST_CASE("kernel routes: longest prefix, lowest metric, unreachable, throw") {
  CHECK(ways(base(), "10.2.0.1/32") == Ways{"a"});
  CHECK(ways(base(), "10.1.0.1/32") == Ways{"b"});
  CHECK(ways(base(), "11.0.0.1/32") == Ways{"c"});
  auto of = base();
  of.routes.push_back(route(10, "10.1.0.0/16", "worse", 100));
  CHECK(ways(of, "10.1.0.1/32") == Ways{"b"});
  of.routes[1].metric = 200;
  CHECK(ways(of, "10.1.0.1/32") == Ways{"worse"});
  of = base(), of.routes[1] = route(10, "10.1.0.0/16", "");
  CHECK(ways(of, "10.1.0.1/32").empty());
  of.routes[1].type = KernelRoute::Type::kThrow;
  CHECK(ways(of, "10.1.0.1/32") == Ways{"c"});  // the next rule, not the shorter prefix
  of = base(), of.routes.push_back(route(10, "10.1.0.7/32", ""));
  of.routes.back().type = KernelRoute::Type::kLocal;
  CHECK(ways(of, "10.1.0.7/32") == Ways{policy::kHere});
  of = base(), of.routes[0].hops.push_back({"d", std::nullopt});
  CHECK(ways(of, "10.2.0.1/32") == Ways{"a", "d"});
}

TEST_CASE("kernel routes: what no rule takes goes nowhere, and a plan's goes by the host's own") {
  auto of = base();
  of.rules.pop_back();
  CHECK(ways(of, "11.0.0.1/32").empty());
  const auto plan = policy::compile(sample_config(), at_second(1)).plan;
  CHECK(ways(policy::kernel_routes(plan), "11.0.0.1/32", "eth9").empty());
  policy::Routing own(plan);
  CHECK(own.of("eth9", 0, PacketSet::to({policy::range_of(prefix("11.0.0.1/32"))}), false).at(0).interface ==
        policy::kHostRoutes);
}

TEST_CASE("kernel routes: rules by interface, mark and mask, source, destination, and inverted") {
  auto of = base();
  of.rules[0].incoming = "dc0";
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
  CHECK(ways(of, "10.2.0.1/32", "dc0") == Ways{"a"});
  of = base(), of.rules[0].mark = of.rules[0].mask = 0x80000000;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
  CHECK(ways(of, "10.2.0.1/32", "sekisho0", 0x80000000) == Ways{"a"});
  CHECK(ways(of, "10.2.0.1/32", "sekisho0", 0x8b93858a) == Ways{"a"});  // the mask, not the number
  of = base(), of.rules[0].from = prefix("192.168.0.0/16");
  CHECK(ways(of, "10.2.0.1/32", "x", 0, "192.168.1.1/32") == Ways{"a"});
  CHECK(ways(of, "10.2.0.1/32", "x", 0, "172.16.0.1/32") == Ways{"c"});
  CHECK(ways(of, "10.2.0.1/32", "x", 0, "192.168.1.1/32", true) == Ways{"a"});  // of an answer: who sends it
  of = base(), of.rules[0].to = prefix("10.2.0.0/16");
  CHECK(ways(of, "10.2.0.1/32") == Ways{"a"});
  CHECK(ways(of, "10.3.0.1/32") == Ways{"c"});
  of.rules[0].inverted = true;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
  CHECK(ways(of, "10.3.0.1/32") == Ways{"a"});
  of = base(), of.rules[0].incoming = "dc0", of.rules[0].inverted = true;
  CHECK(ways(of, "10.2.0.1/32", "dc0") == Ways{"c"});
  CHECK(ways(of, "10.2.0.1/32", "wan0") == Ways{"a"});
  of = base(), of.rules[0].outgoing = "wan0";  // of local sockets that are bound to it
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
}

TEST_CASE("kernel routes: goto, nothing, prohibit, and prefixes that are too short to count") {
  auto of = base();
  of.rules.insert(of.rules.begin(), rule(1, 0));
  of.rules[0].action = KernelRule::Action::kGoto, of.rules[0].target = 9;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
  for (const std::uint32_t nowhere : {7u, 10u, 1u}) {  // no rule is there, or not behind it: it is passed over
    of.rules[0].target = nowhere;
    CHECK(ways(of, "10.2.0.1/32") == Ways{"a"});
  }
  of.rules[0].action = KernelRule::Action::kNothing;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"a"});
  of.rules[0].action = KernelRule::Action::kNowhere;
  CHECK(ways(of, "10.2.0.1/32").empty());
  of = base(), of.rules[0].suppressed = 8;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
  CHECK(ways(of, "10.1.0.1/32") == Ways{"b"});
}

TEST_CASE("kernel routes: what is not plain takes a packet and does not") {
  auto of = base();
  of.rules[0].plain = false;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"a", "c"});
  of = base(), of.routes[1].plain = false;
  CHECK(ways(of, "10.1.0.1/32") == Ways{"a", "b"});
  of = base(), of.rules[0].action = KernelRule::Action::kNowhere, of.rules[0].plain = false;
  CHECK(ways(of, "10.2.0.1/32") == Ways{"c"});
}

TEST_CASE("kernel routes: families are apart") {
  auto of = base();
  for (auto& each : of.rules) each.family = Family::kV6;
  CHECK(ways(of, "10.2.0.1/32").empty());
}

TEST_CASE("kernel routes: in the words of iproute2") {
  auto one = route(7101, "10.80.0.10/32", "dc0");
  one.hops[0].via = address("10.80.0.1"), one.mtu = 1380;
  CHECK(policy::to_text(one) == "10.80.0.10 via 10.80.0.1 dev dc0 table 7101 mtu lock 1380");
  one.mtu += policy::kNotLocked;
  CHECK(policy::to_text(one).ends_with("mtu 1380"));
  CHECK(policy::to_text(route(254, "0.0.0.0/0", "")) == "unreachable default table main");
  auto two = rule(7100, 7103, "sekisho0");
  two.mark = two.mask = policy::kExchangeMark;
  CHECK(policy::to_text(two) == "7100: from all fwmark 0x80000000/0x80000000 iif sekisho0 lookup 7103");
  two.action = KernelRule::Action::kNowhere;
  CHECK(policy::to_text(two).ends_with(" prohibit"));
}
