// What the plan's rows say about single packets; explain and the configuration's own tests by name.
#include "policy/decide.h"

#include <catch2/catch.hpp>

#include "policy/compile.h"
#include "policy/explain.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using config::value::IpProtocol;
using policy::Reason;

namespace {

struct Fixture {
  config::GatewayConfig config = sample_config();
  config::WallTime now = at_second(kExchangeEnds - 1);
  policy::Plan plan = policy::compile(config, now).plan;

  Reason ask(const std::string& from, const std::string& to, IpProtocol protocol, std::uint16_t number) const {
    return policy::decide(plan, {address(from), address(to), protocol, 40000, number}, now).reason;
  }
  std::vector<config::Diagnostic> run(config::PolicyTest test) {
    config.tests = {std::move(test)};
    return policy::run_tests(config, plan, now);
  }
};

config::PolicyTest policy_test(const std::string& from, const std::string& to, const std::string& open,
                               config::Expectation expect) {
  config::PolicyTest out;
  out.from = from;
  out.to = to;
  out.port = port(open);
  out.expect = expect;
  out.at = {0, 60, 5};
  return out;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "decide: P1, each way round") {
  CHECK(ask("10.2.0.7", "10.80.0.10", IpProtocol::kTcp, 443) == Reason::kPermitted);
  CHECK(ask("10.2.0.7", "10.80.0.10", IpProtocol::kUdp, 443) == Reason::kPort);
  CHECK(ask("10.2.0.7", "10.80.0.10", IpProtocol::kTcp, 444) == Reason::kPort);
  CHECK(ask("10.2.0.7", "10.80.0.20", IpProtocol::kUdp, 5010) == Reason::kPermitted);
  CHECK(ask("10.2.0.7", "10.80.0.20", IpProtocol::kUdp, 5011) == Reason::kPort);
  CHECK(ask("10.3.0.7", "10.80.0.20", IpProtocol::kTcp, 80) == Reason::kNotPermitted);
  CHECK(ask("10.3.0.7", "10.2.0.7", IpProtocol::kTcp, 443) == Reason::kBetweenFacilities);
  CHECK(ask("10.3.0.7", "100.64.1.5", IpProtocol::kTcp, 443) == Reason::kBetweenFacilities);
  CHECK(ask("10.2.0.7", "192.0.2.1", IpProtocol::kTcp, 443) == Reason::kUnknownDestination);
  CHECK(ask("192.0.2.1", "10.80.0.10", IpProtocol::kTcp, 443) == Reason::kUnknownSource);
  CHECK(ask("2001:db8:b::7", "2001:db8:80::10", IpProtocol::kIcmpV6, 0) == Reason::kPermitted);
  CHECK(ask("2001:db8:b::7", "2001:db8:80::10", IpProtocol::kIcmp, 0) == Reason::kPort);
}

TEST_CASE_METHOD(Fixture, "decide: an exchange opens one way, one host, its ports, until its end") {
  CHECK(ask("10.2.0.7", "100.64.1.5", IpProtocol::kTcp, 104) == Reason::kPermitted);
  CHECK(ask("10.2.0.7", "100.64.1.6", IpProtocol::kTcp, 104) == Reason::kBetweenFacilities);
  CHECK(ask("10.2.0.7", "100.64.1.5", IpProtocol::kTcp, 22) == Reason::kPort);
  CHECK(ask("100.64.1.5", "10.2.0.7", IpProtocol::kTcp, 104) == Reason::kBetweenFacilities);
  now = at_second(kExchangeEnds);  // the plan of before, a moment too old
  CHECK(ask("10.2.0.7", "100.64.1.5", IpProtocol::kTcp, 104) == Reason::kExpired);
}

TEST_CASE_METHOD(Fixture, "decide: inside reaches an offer from the named service's host only") {
  CHECK(ask("10.80.0.10", "100.64.1.5", IpProtocol::kTcp, 104) == Reason::kPermitted);
  CHECK(ask("10.80.0.20", "100.64.1.5", IpProtocol::kTcp, 104) == Reason::kNotPermitted);
  CHECK(ask("10.80.0.10", "10.2.0.7", IpProtocol::kTcp, 104) == Reason::kNotPermitted);
}

TEST_CASE_METHOD(Fixture, "explain: by name, with the line that says so") {
  const auto open = policy::explain(config, plan, {"matsumae", "karte", {}, port("tcp/443")}, now);
  CHECK(open.all_allowed());
  CHECK(open.answers.size() == 2);  // both families
  CHECK(policy::to_text(open).find("facilities.matsumae.may_use[0] (sekisho.json:11:5)") != std::string::npos);
  const auto shut = policy::explain(config, plan, {"esashi", "hakodate", {}, {}}, now);
  CHECK_FALSE(shut.any_allowed());
  CHECK(shut.answers.size() == 1);
  CHECK_FALSE(policy::explain(config, plan, {"nobody", "karte", {}, {}}, now).problems.empty());
  CHECK_FALSE(policy::explain(config, plan, {"esashi", "nothing", {}, {}}, now).problems.empty());
  // A real address is asked as the address everybody sees.
  const auto real =
      policy::explain(config, plan, {"matsumae", "hakodate", address("192.168.1.5"), port("tcp/104")}, now);
  CHECK(real.all_allowed());
}

TEST_CASE_METHOD(Fixture, "run_tests: a test that is wrong, either way, is an error at its place") {
  using config::Expectation;
  CHECK(run(policy_test("matsumae", "karte", "tcp/443", Expectation::kAllow)).empty());
  CHECK(run(policy_test("matsumae", "karte", "tcp/22", Expectation::kDeny)).empty());
  CHECK(run(policy_test("inside:karte", "hakodate", "tcp/104", Expectation::kAllow)).empty());
  CHECK(run(policy_test("matsumae", "outside", "tcp/443", Expectation::kDeny)).empty());
  const auto denied = run(policy_test("esashi", "yoyaku", "tcp/80", Expectation::kAllow));
  REQUIRE(denied.size() == 1);
  CHECK(denied[0].severity == config::Severity::kError);
  CHECK(denied[0].at.line == 60);
  CHECK(denied[0].message.find("esashi -> yoyaku tcp/80 expects allow") != std::string::npos);
  const auto allowed = run(policy_test("matsumae", "karte", "tcp/443", Expectation::kDeny));
  REQUIRE(allowed.size() == 1);
  CHECK(allowed[0].message.find("facilities.matsumae.may_use[0]") != std::string::npos);
  CHECK(run(policy_test("nobody", "karte", "tcp/443", Expectation::kDeny)).size() == 1);
}

TEST_CASE_METHOD(Fixture, "run_tests: a range is allowed only when all of it is, and denied only when none of it is") {
  using config::Expectation;
  CHECK(run(policy_test("matsumae", "yoyaku", "udp/5000-5010", Expectation::kAllow)).empty());
  CHECK(run(policy_test("matsumae", "yoyaku", "udp/4999-5011", Expectation::kAllow)).size() == 1);
  CHECK(run(policy_test("matsumae", "yoyaku", "udp/4000-6000", Expectation::kDeny)).size() == 1);
  CHECK(run(policy_test("matsumae", "yoyaku", "udp/5011-6000", Expectation::kDeny)).empty());
}
