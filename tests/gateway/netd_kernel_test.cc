// netd against the real kernel: closed first, opened by a plan, nothing a stranger or a death can do opens it (P4, P5).
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "firewall/compile.h"
#include "gateway/daemon/netd_kernel.h"
#include "gateway/os/outside_socket.h"
#include "gateway/os/sysctl.h"
#include "policy/compile.h"
#include "policy/isolation.h"
#include "policy/routing.h"
#include "tests/gateway/network_namespace.h"
#include "tests/gateway/opened_kernel.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using config::value::IpAddress;
using config::value::Prefix;
using daemon::NetdKernel;
using policy::RouteTable;

Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}

policy::Plan two_facilities() {
  policy::Plan plan;
  plan.gateway_name = "test";
  plan.outside_interface = "wan0";
  plan.outside_addresses = {*IpAddress::parse("203.0.113.10"), *IpAddress::parse("2001:db8::10")};
  plan.wireguard_port = 51999;
  plan.inside_interface = "dc0";
  plan.facilities = {{.name = {"a"},
                      .title = "",
                      .networks = {{prefix("10.1.0.0/24"), prefix("10.1.0.0/24")}},
                      .sources = {},
                      .wireguard = {}},
                     {.name = {"b"},
                      .title = "",
                      .networks = {{prefix("fd00:b::/64"), prefix("fd00:b::/64")}},
                      .sources = {},
                      .wireguard = {}}};
  policy::Permission row;
  row.rule = {7};
  row.from_facility = {"a"};
  row.source = prefix("10.1.0.0/24");
  row.destination = prefix("10.80.0.10/32");
  row.port = *config::value::ServicePort::parse("tcp/443");
  row.name = "karte";
  plan.permissions = {row};
  plan.routes = {{RouteTable::kFromTunnels, prefix("10.80.0.10/32"), "dc0", {}},
                 {RouteTable::kFromTunnels, prefix("fd00:80::10/128"), "dc0", IpAddress::parse("fe80::1").value()},
                 {RouteTable::kToFacilities, prefix("10.1.0.0/24"), "sekisho0", {}, 1300},
                 {RouteTable::kToFacilities, prefix("fd00:b::/64"), "sekisho0", {}, 1350}};
  plan.rules = policy::routing_rules(plan);
  return plan;
}

std::string forwarding() {
  return *os::read_sysctl("net/ipv4/ip_forward") + *os::read_sysctl("net/ipv6/conf/all/forwarding");
}

os::RoutingState routing() {
  return *os::Routing::open()->read();
}

TEST_CASE("netd: a fresh kernel is closed, a plan opens it", "[osn]") {
  const NetworkNamespace space;
  REQUIRE(os::write_sysctl("net/ipv4/ip_forward", "1").has_value());
  auto kernel = NetdKernel::open();
  REQUIRE(kernel.has_value());
  CHECK(forwarding() == "00");
  CHECK(holds(firewall::closed_rule_set("")));
  const auto plan = two_facilities();
  const auto applied = kernel->apply(plan);
  INFO((applied ? std::string() : applied.error().to_string()));
  REQUIRE(applied.has_value());
  CHECK(kernel->owned());
  CHECK(forwarding() == "11");
  CHECK(holds(firewall::compile(plan)));
  CHECK(routing() == os::wanted_routing(plan));
  CHECK(os::read_link("sekisho0")->mtu == plan.tunnel_mtu);
}

TEST_CASE("netd: the tunnel device joins no groups that the kernel would report into the tunnels", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(two_facilities());
  std::ifstream groups("/proc/net/igmp6");
  std::string all, inside;
  for (std::string line; std::getline(groups, line);) {
    if (line.find("sekisho0") != std::string::npos) all += line;
    if (line.find("dc0") != std::string::npos) inside += line;
  }
  CHECK(inside.find("ff020000000000000000000000000002") != std::string::npos);  // a router elsewhere
  CHECK(all.find("ff020000000000000000000000000002") == std::string::npos);
}

TEST_CASE("netd: a stranger's flush and delete do not touch the owned table", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  CHECK(stranger("nft flush ruleset") == 0);
  CHECK(stranger("nft delete table inet sekisho") != 0);
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: its death leaves the table, its successor adopts it", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  {
    auto dead = opened(plan);
  }
  // Not by the JSON of the whole table: nft 1.0.6 cannot name the flag of a table without an owner.
  CHECK(stranger("nft get element inet sekisho facility4 { 10.1.0.0/24 }") == 0);
  CHECK(stranger("nft get element inet sekisho facility4 { 10.9.0.0/24 }") != 0);
  CHECK(stranger("nft list chain inet sekisho to_inside4") == 0);
  CHECK(forwarding() == "11");
  auto successor = NetdKernel::open();
  REQUIRE(successor.has_value());
  CHECK(successor->owned());
  CHECK(holds(firewall::compile(plan)));  // flows of before go on
  CHECK(stranger("nft flush ruleset") == 0);
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: a plain table that was flushed is put back, and who did it is known", "[osn]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  REQUIRE_FALSE(kernel.owned());
  REQUIRE(stranger("nft flush ruleset") == 0);
  REQUIRE_FALSE(holds(firewall::compile(plan)));
  const auto repairs = repaired(kernel);
  REQUIRE_FALSE(repairs.drifts.empty());
  CHECK(repairs.drifts[0].repaired);
  CHECK(repairs.drifts[0].program == "nft");
  CHECK(repairs.drifts[0].pid != 0);
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: routes and rules that were removed come back, strangers in our tables go", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  const std::string change = GENERATE(
      "ip route del 10.80.0.10/32 table 7101", "ip route flush table 7101", "ip -6 route flush table 7101",
      "ip route add 10.9.0.0/16 dev wan0 table 7101", "ip route replace default dev wan0 table 7101",
      "ip -6 route add default dev wan0 metric 1 table 7101", "ip rule del pref 7111", "ip -6 rule del pref 7111",
      "ip rule add pref 10 lookup 7102", "ip link set sekisho0 down", "ip link set dc0 down",
      "ip route change 10.1.0.0/24 dev sekisho0 metric 1024 mtu lock 600 table 7102",
      "ip route change 10.1.0.0/24 dev sekisho0 metric 1024 mtu 1300 table 7102",  // an ICMP error could change it
      "ip -6 route change fd00:b::/64 dev sekisho0 metric 1024 table 7102");
  INFO(change);
  REQUIRE(stranger(change) == 0);
  if (change == "ip link set dc0 down") {
    REQUIRE(stranger("ip link set dc0 up") == 0);
    (void)repaired(kernel);
  } else {
    const auto repairs = repaired(kernel);
    REQUIRE_FALSE(repairs.drifts.empty());
    CHECK(std::ranges::all_of(repairs.drifts, &core::KernelDrift::repaired));
  }
  CHECK(routing() == os::wanted_routing(plan));
}

// RFC 791 2.3, RFC 8201: the kernel cuts, or tells the sender, by what the line takes and not by sekisho0's MTU.
TEST_CASE("netd: the way to a facility whose line takes less says so, and no ICMP error may change it", "[osn]") {
  const NetworkNamespace space;
  const auto kernel = opened(two_facilities());
  const auto said = [](const std::string& command) {
    return std::system((command + " | grep -q 'mtu lock 13[05]0'").c_str()) == 0;
  };
  CHECK(said("ip route get 10.1.0.7 from 10.80.0.10 iif dc0"));
  CHECK(said("ip route show table 7102"));
  CHECK(said("ip -6 route show table 7102"));
  CHECK_FALSE(said("ip route show table 7101"));
}

TEST_CASE("netd: a parameter that was changed is set again", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(two_facilities());
  CHECK(kernel.check_parameters().drifts.empty());
  const std::string path = GENERATE("net/ipv4/ip_forward", "net/ipv4/conf/sekisho0/rp_filter");
  REQUIRE(os::write_sysctl(path, "0").has_value());
  const auto repairs = kernel.check_parameters();
  REQUIRE_FALSE(repairs.drifts.empty());
  CHECK(repairs.drifts[0].repaired);
  CHECK(*os::read_sysctl(path) == "1");
}

// RFC 792, RFC 4861 8: whoever sends a redirect or a source route on any side leads packets past our routes.
TEST_CASE("netd: no redirect and no source route is taken or sent on any side, and it stays so", "[osn]") {
  const NetworkNamespace space;
  std::vector<std::string> names;
  for (const std::string interface : {"all", "dc0", "wan0", "sekisho0"})
    for (const std::string name :
         {"ipv4/conf/@/accept_redirects", "ipv4/conf/@/send_redirects", "ipv4/conf/@/accept_source_route",
          "ipv6/conf/@/accept_redirects", "ipv6/conf/@/accept_source_route"})
      names.push_back("net/" + std::string(name).replace(name.find('@'), 1, interface));
  for (const auto& name : names) (void)os::write_sysctl(name, "1");  // the device is not there yet
  auto kernel = opened(two_facilities());
  for (const auto& name : names) {
    INFO(name);
    CHECK(*os::read_sysctl(name) == "0");
    REQUIRE(os::write_sysctl(name, "1").has_value());
    CHECK(*os::read_sysctl(name) == "1");
    CHECK_FALSE(kernel.check_parameters().drifts.empty());
    CHECK(*os::read_sysctl(name) == "0");
  }
}

TEST_CASE("netd: a deleted tunnel device is made again and its reader told", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  REQUIRE(stranger("ip link del sekisho0") == 0);
  CHECK(repaired(kernel).tun_renewed);
  (void)kernel.repair();  // what the new device's own events ask for
  CHECK(routing() == os::wanted_routing(plan));
}

TEST_CASE("netd: closing ends forwarding and makes every route unreachable", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  REQUIRE(kernel.close_all().has_value());
  CHECK(forwarding() == "00");
  CHECK(holds(firewall::closed_rule_set("wan0")));
  CHECK(routing() == os::closed_routing(plan));
  CHECK(std::ranges::all_of(routing().routes, [](const auto& route) { return route.interface.empty(); }));
  CHECK(routing().routes.size() == 4);  // of both families, what comes from tunnels and what may go across
  CHECK(routing().rules_v4 == os::wanted_routing(plan).rules_v4);
  CHECK(kernel.check_parameters().drifts.empty());  // closed is what is wanted now
  REQUIRE(kernel.apply(plan).has_value());
  CHECK(forwarding() == "11");
}

TEST_CASE("netd: a plan that breaks a promise is refused, whoever sends it") {
  auto plan = policy::compile(::tests::sample_config(), ::tests::at_second(1)).plan;
  CHECK(daemon::unbroken(plan).has_value());
  REQUIRE_FALSE(plan.permissions.empty());
  SECTION("a service that is another hospital") {
    plan.permissions[0].destination = plan.facilities[1].networks[0].seen;
  }
  SECTION("tables without their end") {
    plan.routes.clear();
  }
  const auto refused = daemon::unbroken(plan);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().to_string().find("the plan breaks P") != std::string::npos);
}

TEST_CASE("netd: a plan that cannot be installed changes nothing", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  auto bad = plan;
  bad.permissions.clear();
  SECTION("a next hop of another family") {
    bad.routes.push_back(
        {RouteTable::kFromTunnels, prefix("10.81.0.0/24"), "dc0", IpAddress::parse("fe80::1").value()});
  }
  SECTION("an interface name no kernel takes") {
    bad.inside_interface = "an-interface-name-too-long";
    bad.rules = policy::routing_rules(bad);
  }
  CHECK_FALSE(kernel.apply(bad).has_value());
  CHECK(holds(firewall::compile(plan)));
  CHECK(routing() == os::wanted_routing(plan));
  CHECK(forwarding() == "11");
}

namespace {

policy::Plan cut_off(const policy::Plan& plan, const char* facility) {
  return policy::isolate(plan, {1, {{1, {facility}, {}, "test", "", {}, {}}}});
}

// As conntrack-tools make one: a flow of facility a, and one of somebody else.
bool track_flows() {
  const auto flow = [](const char* source, const char* port) {
    return stranger(std::string("conntrack -I -p tcp -s ") + source + " -d 10.80.0.10 --sport " + port +
                    " --dport 443 --state ESTABLISHED -t 300 -u ASSURED") == 0;
  };
  return flow("10.1.0.7", "40001") && flow("10.1.0.8", "40002") && flow("10.9.0.7", "40003");
}

bool tracked(const char* source, const char* port) {
  return stranger(std::string("conntrack -G -p tcp -s ") + source + " -d 10.80.0.10 --sport " + port +
                  " --dport 443") == 0;
}

}  // namespace

TEST_CASE("netd: an isolated facility is unreachable, its flows are forgotten, the others' are not", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  REQUIRE(track_flows());
  REQUIRE(tracked("10.1.0.7", "40001"));
  const auto cut = cut_off(plan, "a");
  REQUIRE(kernel.apply(cut).has_value());
  CHECK(holds(firewall::compile(cut)));
  CHECK(routing() == os::wanted_routing(cut));
  const policy::Route closed{RouteTable::kToFacilities, prefix("10.1.0.0/24"), "", {}};
  CHECK(std::ranges::count(os::wanted_routing(cut).routes, closed) == 1);
  CHECK_FALSE(tracked("10.1.0.7", "40001"));
  CHECK_FALSE(tracked("10.1.0.8", "40002"));
  CHECK(tracked("10.9.0.7", "40003"));
  CHECK(forwarding() == "11");
  CHECK(kernel.check_parameters().drifts.empty());
  REQUIRE(kernel.apply(plan).has_value());
  CHECK(routing() == os::wanted_routing(plan));
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: the emergency stop ends forwarding, and it stays so", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  REQUIRE(kernel.apply(cut_off(plan, "")).has_value());
  CHECK(forwarding() == "00");
  REQUIRE(os::write_sysctl("net/ipv4/ip_forward", "1").has_value());
  CHECK_FALSE(kernel.check_parameters().drifts.empty());
  CHECK(forwarding() == "00");
  REQUIRE(kernel.apply(plan).has_value());
  CHECK(forwarding() == "11");
}

TEST_CASE("netd: a plan that cannot be installed isolates all the same, in the one of before", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  auto kernel = opened(plan);
  REQUIRE(track_flows());
  auto impossible = cut_off(plan, "a");
  SECTION("a next hop of another family") {
    impossible.routes.push_back(
        {RouteTable::kFromTunnels, prefix("10.81.0.0/24"), "dc0", IpAddress::parse("fe80::1").value()});
  }
  SECTION("an interface name no kernel takes") {
    impossible.inside_interface = "an-interface-name-too-long";
    impossible.rules = policy::routing_rules(impossible);
  }
  REQUIRE_FALSE(kernel.apply(impossible).has_value());
  const auto cut = cut_off(plan, "a");
  CHECK(holds(firewall::compile(cut)));
  CHECK(routing() == os::wanted_routing(cut));
  CHECK_FALSE(tracked("10.1.0.7", "40001"));
  CHECK(tracked("10.9.0.7", "40003"));
  CHECK(kernel.plan() == cut);
}

TEST_CASE("netd: descriptors that are not as many as they are said to be are left aside") {
  const auto adopted = [](std::size_t count) {
    os::Message kept;
    const core::Descriptors said{true, {}, "sekisho0", {{{IpAddress::v4({203, 0, 113, 10}), 51820}}}};
    kept.payload = core::encode<tunnel::wire::WipedOctets>(said);
    for (std::size_t i = 0; i < count; ++i) kept.descriptors.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    daemon::NetdDescriptors descriptors;
    descriptors.adopt(std::move(kept));
    CHECK(descriptors.complete() == !descriptors.description().sockets.empty());
    return descriptors.complete();
  };
  CHECK(adopted(4));  // TUN, one socket, conntrack, NFLOG
  for (const std::size_t count : {0, 1, 2, 3, 5, 64}) CHECK_FALSE(adopted(count));
}

TEST_CASE("netd: descriptors are opened once and pass to the successor", "[osn]") {
  const NetworkNamespace space;
  const auto plan = two_facilities();
  os::Message kept;
  {
    auto kernel = opened(plan);
    const auto done = kernel.descriptors().open(plan);
    INFO((done ? std::string() : done.error().to_string()));
    REQUIRE(done.has_value());
    const auto numbers = kernel.descriptors().numbers();
    REQUIRE(numbers.size() == 5);
    CHECK(os::bound_address(numbers[1])->to_string() == "203.0.113.10:51999");  // no such address here: IP_FREEBIND
    CHECK(os::bound_address(numbers[2])->to_string() == "[2001:db8::10]:51999");
    kept.payload = core::encode<tunnel::wire::WipedOctets>(kernel.descriptors().description());
    for (const int number : numbers) kept.descriptors.emplace_back(dup(number));
  }
  auto successor = NetdKernel::open();
  REQUIRE(successor.has_value());
  SECTION("kept") {
    successor->descriptors().adopt(std::move(kept));
    REQUIRE(successor->apply(plan).has_value());
    CHECK(successor->descriptors().open(plan).has_value());
  }
  SECTION("not kept while somebody still has them: refused, nothing is taken twice") {
    CHECK_FALSE(successor->apply(plan).has_value());
  }
}

}  // namespace
}  // namespace gateway::tests
