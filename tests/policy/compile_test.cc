// The rows a configuration makes, and the rows it must not make.
#include "policy/compile.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "policy/decide.h"
#include "policy/rule_numbers.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using policy::PermissionKind;

namespace {

constexpr std::int64_t kBefore = kExchangeEnds - 1;

policy::Plan sample_plan(std::int64_t now = kBefore) {
  return policy::compile(sample_config(), at_second(now)).plan;
}

std::size_t rows_of(const policy::Plan& plan, PermissionKind kind) {
  return static_cast<std::size_t>(std::count_if(plan.permissions.begin(), plan.permissions.end(),
                                                [&](const auto& row) { return row.kind == kind; }));
}

const policy::Permission* find(const policy::Plan& plan, const std::string& source, const std::string& destination,
                               const std::string& open) {
  for (const auto& row : plan.permissions)
    if (row.source == prefix(source) && row.destination == prefix(destination) && row.port == port(open)) return &row;
  return nullptr;
}

}  // namespace

TEST_CASE("compile: a facility's networks times the service's addresses of the same family") {
  const policy::Plan plan = sample_plan();
  // esashi: v4 only (2); hakodate, matsumae: both families (4 each); matsumae's yoyaku: v4 only (2).
  CHECK(rows_of(plan, PermissionKind::kService) == 12);
  const auto* row = find(plan, "10.2.0.0/24", "10.80.0.10/32", "tcp/443");
  REQUIRE(row != nullptr);
  CHECK(row->from_facility.text == "matsumae");
  CHECK(row->to_facility.text.empty());
  CHECK(row->name == "karte");
  CHECK(row->origin == "facilities.matsumae.may_use[0] (sekisho.json:11:5)");
  for (const auto& each : plan.permissions)
    CHECK(each.source.address().family() == each.destination.address().family());
}

TEST_CASE("compile: everybody is seen under the translated prefix, never the real one") {
  const policy::Plan plan = sample_plan();
  CHECK(find(plan, "100.64.1.0/24", "10.80.0.10/32", "tcp/443") != nullptr);
  CHECK(find(plan, "192.168.1.0/24", "10.80.0.10/32", "tcp/443") == nullptr);
  CHECK(find(plan, "10.2.0.0/24", "100.64.1.5/32", "tcp/104") != nullptr);
  CHECK(find(plan, "10.2.0.0/24", "192.168.1.5/32", "tcp/104") == nullptr);
}

TEST_CASE("compile: echo is ICMP towards IPv4 and ICMPv6 towards IPv6") {
  for (const auto& row : sample_plan().permissions) {
    if (row.port.has_ports()) continue;
    const bool v4 = row.destination.address().is_v4();
    CHECK(row.port.protocol == (v4 ? config::value::IpProtocol::kIcmp : config::value::IpProtocol::kIcmpV6));
  }
}

TEST_CASE("compile: an exchange ends at its time, and says when to compile again") {
  const auto before = policy::compile(sample_config(), at_second(kExchangeEnds - 1));
  CHECK(rows_of(before.plan, PermissionKind::kExchange) == 6);
  CHECK(before.next_change == at_second(kExchangeEnds));
  CHECK(before.diagnostics.empty());
  const auto after = policy::compile(sample_config(), at_second(kExchangeEnds));
  CHECK(rows_of(after.plan, PermissionKind::kExchange) == 0);
  CHECK_FALSE(after.next_change.has_value());
  REQUIRE(after.diagnostics.size() == 1);
  CHECK(after.diagnostics[0].severity == config::Severity::kWarning);
  CHECK(after.diagnostics[0].key_path == "exchanges[0]");
}

TEST_CASE("compile: of two exchanges for one thing the later end counts, and the earlier is the next change") {
  auto config = sample_config();
  config.exchanges.push_back(config.exchanges[0]);
  config.exchanges[1].until = at_second(kExchangeEnds + 100);
  const auto result = policy::compile(config, at_second(kBefore));
  CHECK(rows_of(result.plan, PermissionKind::kExchange) == 6);
  CHECK(result.next_change == at_second(kExchangeEnds));
  CHECK(find(result.plan, "10.2.0.0/24", "100.64.1.5/32", "tcp/443")->until == at_second(kExchangeEnds + 100));
}

TEST_CASE("compile: a facility and a service without a common family get a warning and no row") {
  auto config = sample_config();
  config.facilities[0].networks = {network("2001:db8:c::/64")};
  config.services[0].addresses = {address("10.80.0.10")};
  const auto result = policy::compile(config, at_second(kBefore));
  REQUIRE(std::count_if(result.diagnostics.begin(), result.diagnostics.end(),
                        [](const auto& d) { return d.key_path == "facilities.esashi.may_use[0]"; }) == 1);
  for (const auto& row : result.plan.permissions) CHECK(row.from_facility.text != "esashi");
}

TEST_CASE("compile: rule numbers are the row's own through every other change") {
  const policy::Plan before = sample_plan();
  auto config = sample_config();
  config.facilities.erase(config.facilities.begin());  // esashi leaves
  config.facilities[1].title = "renamed";
  const policy::Plan after = policy::compile(config, at_second(kBefore)).plan;
  CHECK(after.permissions.size() == before.permissions.size() - 2);
  for (const auto& row : after.permissions)
    CHECK(std::binary_search(before.permissions.begin(), before.permissions.end(), row));
}

TEST_CASE("number_rows: two rows of one content number get two numbers, the same whatever the order they come in") {
  // The content number does not count who owns the networks, so these two meet.
  policy::Permission a;
  a.source = prefix("10.2.0.0/24");
  a.destination = prefix("10.80.0.10/32");
  a.port = port("tcp/443");
  a.from_facility.text = "a";
  policy::Permission b = a;
  b.from_facility.text = "b";
  REQUIRE(policy::content_number(a) == policy::content_number(b));
  std::vector<policy::Permission> one{a, b};
  std::vector<policy::Permission> other{b, a};
  policy::number_rows(one);
  policy::number_rows(other);
  CHECK(one == other);
  REQUIRE(one.size() == 2);
  CHECK(one[0].rule.number + 1 == one[1].rule.number);
  CHECK(one[0].from_facility.text == "a");
}

TEST_CASE("compile: the result does not depend on the order of the lines") {
  auto config = sample_config();
  config.gateway.outside.addresses = {config.gateway.outside.addresses[1], config.gateway.outside.addresses[0]};
  for (auto& facility : config.facilities) std::reverse(facility.networks.begin(), facility.networks.end());
  for (auto& service : config.services) std::reverse(service.ports.begin(), service.ports.end());
  CHECK(policy::compile(config, at_second(kBefore)).plan == sample_plan());
}

TEST_CASE("routes: a tunnel's table holds services only, and both families end in unreachable") {
  const policy::Plan plan = sample_plan();
  CHECK(std::is_sorted(plan.routes.begin(), plan.routes.end()));
  int unreachable = 0;
  for (const auto& route : plan.routes) {
    if (route.interface.empty()) ++unreachable;
    const bool services =
        route.table == policy::RouteTable::kFromTunnels || route.table == policy::RouteTable::kOwnToServices;
    if (!services || route.interface.empty()) continue;
    CHECK(policy::facility_of(plan, route.destination.address()) == nullptr);
    CHECK(route.interface == "dc0");
    CHECK(route.via.has_value() == route.destination.address().is_v4());  // the sample names an IPv4 router only
  }
  CHECK(unreachable == 4);  // 7101 and 7103; from 7102 and 7104 the gateway's own packets go on to the main table
}

TEST_CASE("routes: only who takes part in an exchange is in its table") {
  const policy::Plan plan = sample_plan();
  std::vector<std::string> found;
  for (const auto& route : plan.routes)
    if (route.table == policy::RouteTable::kExchange && !route.interface.empty())
      found.push_back(route.destination.to_string());
  CHECK(found == std::vector<std::string>{"10.2.0.0/24", "100.64.1.5/32", "2001:db8:a::5/128", "2001:db8:b::/64"});
  for (const auto& route : sample_plan(kExchangeEnds).routes)
    CHECK((route.table != policy::RouteTable::kExchange || route.interface.empty()));
}

TEST_CASE("routes: a line that takes less than sekisho0 has its MTU, any other the interface's") {
  auto config = sample_config();
  config.gateway.tunnel_mtu = 1400;
  config.facilities[0].tunnel.mtu = 1300;
  const policy::Plan plan = policy::compile(config, at_second(kBefore)).plan;
  std::size_t told = 0;
  for (const auto& route : plan.routes) {
    const auto* facility = policy::facility_of(plan, route.destination.address());
    const bool there = facility != nullptr && !route.interface.empty();
    CHECK(route.mtu == (there && facility->name.text == config.facilities[0].name.text ? 1300 : 0));
    told += route.mtu != 0 ? 1 : 0;
  }
  CHECK(told > 0);
}
