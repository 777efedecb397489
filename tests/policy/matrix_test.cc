// The matrix says exactly what decide says: nothing open is missing, nothing closed is in it.
#include "policy/matrix.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "policy/compile.h"
#include "policy/decide.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using policy::Opening;
using policy::PermissionKind;

namespace {

const config::WallTime kBefore = at_second(kExchangeEnds - 1);

policy::Matrix matrix_of(const config::GatewayConfig& config, const policy::MatrixQuestion& question = {},
                         config::WallTime now = kBefore) {
  return policy::matrix(config, policy::compile(config, now).plan, question, now);
}

// "service matsumae karte tcp/443,icmp"
std::vector<std::string> lines(const policy::Matrix& matrix) {
  std::vector<std::string> out;
  for (const Opening& each : matrix.openings) {
    const bool inside = each.kind == PermissionKind::kInside, to_service = each.kind == PermissionKind::kService;
    std::string line = (inside ? matrix.services : matrix.facilities)[each.from].name + " " +
                       (to_service ? matrix.services : matrix.facilities)[each.to].name + " ";
    for (const auto& open : each.ports) line += (line.back() == ' ' ? "" : ",") + open.to_string();
    out.push_back(std::move(line));
  }
  return out;
}

config::GatewayConfig with_shared_host() {
  auto config = sample_config();
  config.services.push_back(service("zoom", {"10.80.0.20"}, {"tcp/80", "tcp/8443", "udp/5005-5020"}));
  return config;
}

// Asks decide for each port that some row or service names, at both of its ends.
bool is_open(const policy::Plan& plan, const config::Facility& from, const config::Service& to,
             const config::ServicePort& port) {
  for (const auto& network : from.networks)
    for (const auto& address : to.addresses)
      for (const auto number : {port.first, port.last}) {
        auto protocol = port.protocol;
        if (!port.has_ports() && !address.is_v4()) protocol = config::value::IpProtocol::kIcmpV6;
        const policy::Packet packet{network.seen_as.address(), address, protocol, 0, number};
        if (network.seen_as.address().family() == address.family() && policy::decide(plan, packet, kBefore).allowed())
          return true;
      }
  return false;
}

}  // namespace

TEST_CASE("matrix: what is open, by which line, until when") {
  const auto matrix = matrix_of(sample_config());
  CHECK(lines(matrix) == std::vector<std::string>{"esashi karte icmp,tcp/443", "hakodate karte icmp,tcp/443",
                                                  "matsumae karte icmp,tcp/443", "matsumae yoyaku tcp/80,udp/5000-5010",
                                                  "matsumae hakodate icmp,tcp/104,tcp/443",
                                                  "karte hakodate icmp,tcp/104,tcp/443"});
  const auto& exchange = matrix.openings[4];
  CHECK(exchange.origin == "exchanges[0] (sekisho.json:40:3)");
  CHECK(exchange.until == at_second(kExchangeEnds));
  CHECK(exchange.name == "hakodate/images");
  CHECK(exchange.sources == std::vector{prefix("10.2.0.0/24"), prefix("2001:db8:b::/64")});
  CHECK(exchange.destinations == std::vector{prefix("100.64.1.5/32"), prefix("2001:db8:a::5/128")});
  CHECK(exchange.rules.size() == 6);
  CHECK_FALSE(matrix.openings[0].until);
  CHECK(matrix.facilities.size() == 3);
  CHECK(matrix.facilities[0] == policy::MatrixEnd{"esashi", "esashi"});
}

TEST_CASE("matrix: an exchange that has ended is not in it, also in a plan that still has it") {
  const auto config = sample_config();
  const auto plan = policy::compile(config, kBefore).plan;
  CHECK(policy::matrix(config, plan, {}, kBefore).openings.size() == 6);
  CHECK(policy::matrix(config, plan, {}, at_second(kExchangeEnds)).openings.size() == 5);
}

TEST_CASE("matrix: what is open at a host that two services share is open for both, on their own ports") {
  const auto found = lines(matrix_of(with_shared_host()));
  CHECK(std::ranges::find(found, "matsumae yoyaku tcp/80,udp/5000-5010") != found.end());
  CHECK(std::ranges::find(found, "matsumae zoom tcp/80,udp/5005-5010") != found.end());
}

TEST_CASE("matrix: of every facility and service, what it lists is what decide permits") {
  for (const auto& config : {sample_config(), with_shared_host()}) {
    const auto plan = policy::compile(config, kBefore).plan;
    const auto matrix = policy::matrix(config, plan, {}, kBefore);
    for (std::size_t from = 0; from < config.facilities.size(); ++from)
      for (std::size_t to = 0; to < config.services.size(); ++to)
        for (const auto& port : config.services[to].ports) {
          const bool listed = std::ranges::any_of(matrix.openings, [&](const Opening& each) {
            const auto covers = [&](const auto& open) {
              return open.protocol == port.protocol && open.first <= port.last && port.first <= open.last;
            };
            return each.kind == PermissionKind::kService && each.from == from && each.to == to &&
                   std::ranges::any_of(each.ports, covers);
          });
          INFO(config.facilities[from].name.text << " " << config.services[to].name.text << " " << port.to_string());
          CHECK(listed == is_open(plan, config.facilities[from], config.services[to], port));
        }
  }
}

TEST_CASE("matrix: a part by name holds the ends it joins, and no others") {
  const auto from = matrix_of(sample_config(), {"matsumae", {}});
  CHECK(lines(from).size() == 3);
  CHECK(from.facilities.size() == 2);  // and hakodate
  CHECK(from.services.size() == 2);
  CHECK(from.all_facilities == 3);
  CHECK(lines(matrix_of(sample_config(), {{}, "hakodate"})) ==
        std::vector<std::string>{"matsumae hakodate icmp,tcp/104,tcp/443", "karte hakodate icmp,tcp/104,tcp/443"});
  const auto none = matrix_of(sample_config(), {"esashi", "hakodate"});
  CHECK(none.openings.empty());
  CHECK(none.facilities.size() == 2);  // those that were asked for
}

TEST_CASE("matrix: a name that is nobody's is said, with what was meant") {
  CHECK(policy::unknown_ends(sample_config(), {"matsumae", "karte"}).empty());
  const auto found = policy::unknown_ends(sample_config(), {"matsumea", "nobody-at-all"});
  REQUIRE(found.size() == 2);
  CHECK(found[0] == "no facility and no service is called \"matsumea\"; did you mean \"matsumae\"?");
}
