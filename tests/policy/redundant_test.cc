// Warnings about lines that open nothing of their own: found where they are, and nowhere else.
#include "policy/redundant.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;

namespace {

std::vector<config::Diagnostic> warnings_of(const config::GatewayConfig& config) {
  return policy::compile(config, at_second(kExchangeEnds - 1)).diagnostics;
}

config::GatewayConfig with_service(const config::Service& added) {
  auto config = sample_config();
  config.services.push_back(added);  // named behind the others
  config.facilities[0].may_use.push_back(added.name);
  config.facilities[0].may_use_at.push_back({0, 12, 5});
  return config;
}

}  // namespace

TEST_CASE("redundant: the sample has none") {
  CHECK(warnings_of(sample_config()).empty());
}

TEST_CASE("redundant: a service on a shared host whose ports are open already is shadowed, with both places") {
  const auto found = warnings_of(with_service(service("zoom", {"10.80.0.10"}, {"tcp/443"})));
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == config::Severity::kWarning);
  CHECK(found[0].at == config::Position{0, 12, 5});
  CHECK(found[0].key_path == "facilities.esashi.may_use[1]");
  REQUIRE(found[0].also.size() == 1);
  CHECK(found[0].also[0].at == config::Position{0, 11, 5});
  CHECK(found[0].also[0].key_path == "facilities.esashi.may_use[0]");
  CHECK(config::to_text(found[0], {"sekisho.json"}).find("allowed by another line") != std::string::npos);
}

TEST_CASE("redundant: one port, one protocol or one host more is a line of its own") {
  CHECK(warnings_of(with_service(service("zoom", {"10.80.0.10"}, {"tcp/443-444"}))).empty());
  CHECK(warnings_of(with_service(service("zoom", {"10.80.0.10"}, {"udp/443"}))).empty());
  CHECK(warnings_of(with_service(service("zoom", {"10.80.0.10", "10.80.0.11"}, {"tcp/443"}))).empty());
}

TEST_CASE("redundant: the narrower line is named, also when it stands first") {
  auto config = with_service(service("zoom", {"10.80.0.10"}, {"tcp/1-1000", "icmp"}));
  const auto found = warnings_of(config);
  REQUIRE(found.size() == 1);
  CHECK(found[0].key_path == "facilities.esashi.may_use[0]");
}

TEST_CASE("redundant: several lines together shadow one; a gap between them does not") {
  const auto with = [](const std::string& lower, const std::string& upper) {
    auto config = with_service(service("za", {"10.80.0.30"}, {lower}));
    for (const auto& [name, ports] : {std::pair{"zb", upper}, {"zc", std::string("tcp/100-200")}}) {
      config.services.push_back(service(name, {"10.80.0.30"}, {ports}));
      config.facilities[0].may_use.push_back({name});
      config.facilities[0].may_use_at.push_back(
          {0, static_cast<std::uint32_t>(11 + config.facilities[0].may_use.size()), 5});
    }
    return warnings_of(config);
  };
  const auto found = with("tcp/100-150", "tcp/151-300");
  REQUIRE(found.size() == 1);
  CHECK(found[0].key_path == "facilities.esashi.may_use[3]");
  CHECK(found[0].also.size() == 2);
  const auto names_the_third = [&](const std::string& lower, const std::string& upper) {
    return std::ranges::any_of(with(lower, upper), [](const auto& each) {
      return each.key_path == "facilities.esashi.may_use[3]";  // the others may well lie inside it
    });
  };
  CHECK(names_the_third("tcp/1-150", "tcp/140-200"));
  CHECK_FALSE(names_the_third("tcp/100-150", "tcp/152-300"));
  CHECK_FALSE(names_the_third("tcp/101-150", "tcp/151-300"));
  CHECK_FALSE(names_the_third("tcp/100-150", "tcp/151-199"));
}

TEST_CASE("redundant: an exchange is shadowed only by one that lasts as long") {
  auto config = sample_config();
  auto again = config.facilities[1].offers[0];
  again.name.text = "more";
  config.facilities[1].offers.push_back(again);
  config.exchanges.push_back(config.exchanges[0]);
  config.exchanges[1].offer.text = "more";
  config.exchanges[1].at = {0, 41, 3};
  const auto same = warnings_of(config);
  REQUIRE(same.size() == 1);
  CHECK(same[0].key_path == "exchanges[1]");
  config.exchanges[1].until = at_second(kExchangeEnds + 1);
  const auto longer = warnings_of(config);
  REQUIRE(longer.size() == 1);
  CHECK(longer[0].key_path == "exchanges[0]");
}

TEST_CASE("redundant: without all lines that are named, the plan permits the same") {
  auto config = sample_config();
  config.inside_may_reach.push_back(config.inside_may_reach[0]);
  config.inside_may_reach.push_back(config.inside_may_reach[0]);
  for (std::uint32_t i = 0; i < 3; ++i) config.inside_may_reach[i].at = {0, 50 + i, 3};
  const auto found = warnings_of(config);
  REQUIRE(found.size() == 2);  // one stays
  CHECK(found[0].key_path == "inside_may_reach[1]");
  CHECK(found[1].key_path == "inside_may_reach[2]");
  const auto before = policy::compile(config, at_second(0)).plan.permissions;
  config.inside_may_reach.resize(1);
  CHECK(policy::compile(config, at_second(0)).plan.permissions == before);
}

TEST_CASE("redundant: an offer that names the broadcast address of its network opens nothing there") {
  const auto offering = [](const std::string& host) {
    auto config = sample_config();
    config.facilities[1].offers[0].addresses = {address(host)};
    config.facilities[1].offers[0].at = {0, 30, 7};
    return warnings_of(config);
  };
  CHECK(offering("192.168.1.254").empty());
  for (const auto* host : {"192.168.1.255", "192.168.1.0"}) {
    const auto found = offering(host);
    REQUIRE(found.size() == 2);  // the exchange, and the line for inside
    CHECK(found[0].severity == config::Severity::kWarning);
    CHECK(found[0].message.find("broadcast address") != std::string::npos);
    REQUIRE(found[0].also.size() == 1);
    CHECK(found[0].also[0].key_path == "facilities.hakodate.offers.images");
    CHECK(found[0].also[0].at.line == 30);
  }
  auto narrow = sample_config();  // RFC 3021: a /31 has no broadcast address
  narrow.facilities[1].networks[0] = network("192.168.1.4/31", "100.64.1.4/31");
  CHECK(warnings_of(narrow).empty());
}
