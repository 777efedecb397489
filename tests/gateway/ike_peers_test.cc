// A facility of the plan as an IKEv2 peer: what it may carry, which algorithms, and what is refused before it runs.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "gateway/core/candidate.h"
#include "gateway/core/ike_peers.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"
#include "tunnel/ike/profile.h"

namespace gateway::core {
namespace {

using tests::at_second;

// matsumae of the sample as an IKEv2 facility.
config::GatewayConfig ikev2_sample() {
  auto config = tests::sample_config();
  config.gateway.outside.addresses = {tests::address("203.0.113.10")};
  for (auto& facility : config.facilities) {
    if (facility.name.text != "matsumae") continue;
    facility.tunnel = {};
    facility.tunnel.protocol = config::TunnelProtocol::kIkev2;
    facility.tunnel.ikev2.remote_id = "fqdn:rtx.matsumae.example";
    facility.tunnel.ikev2.psk_file = "keys/matsumae.psk";
  }
  return config;
}

config::Facility& matsumae(config::GatewayConfig& config) {
  return *std::ranges::find_if(config.facilities, [](const auto& each) { return each.name.text == "matsumae"; });
}

const policy::FacilityPlan& matsumae(const policy::Plan& plan) {
  return *std::ranges::find_if(plan.facilities, [](const auto& each) { return each.name.text == "matsumae"; });
}

}  // namespace

TEST_CASE("an IKEv2 facility carries exactly what policy names") {
  const auto plan = policy::compile(ikev2_sample(), at_second(0)).plan;
  const auto params = IkePeers(plan, {}, at_second(0)).peer(matsumae(plan));
  REQUIRE(params.has_value());
  for (const auto& permission : plan.permissions) {
    const bool out = permission.from_facility.text == "matsumae", in = permission.to_facility.text == "matsumae";
    const auto holds = [&](const tunnel::wire::Prefix& prefix) {
      return std::ranges::find(params->local_networks, prefix) != params->local_networks.end();
    };
    if (out) CHECK(holds(permission.destination));
    if (in) CHECK(holds(permission.source));
  }
  for (const auto& local : params->local_networks) {
    CHECK(local.length() > 0);
    for (const auto& network : matsumae(plan).networks) CHECK_FALSE(local.overlaps(network.seen));
  }
  CHECK(params->profile.preshared_key);
  CHECK(params->local_id == *identity_of("ip:203.0.113.10"));
  CHECK(plan.ikev2);
}

TEST_CASE("without an IKEv2 facility nothing of IKEv2 is open, without a WireGuard one nothing of that") {
  const auto kinds = [](const policy::Plan& plan) {
    std::set<SocketKind> found;
    for (const auto& socket : sockets_of(plan)) found.insert(socket.kind);
    return found;
  };
  auto config = ikev2_sample();
  CHECK(kinds(policy::compile(tests::sample_config(), at_second(0)).plan) == std::set{SocketKind::kWireguard});
  config.facilities = {matsumae(config)};
  config.exchanges.clear(), config.inside_may_reach.clear();
  CHECK(kinds(policy::compile(config, at_second(0)).plan) ==
        std::set{SocketKind::kIke, SocketKind::kIkeNat, SocketKind::kEsp});
}

TEST_CASE("an algorithm exception holds until its end and not after") {
  auto config = ikev2_sample();
  matsumae(config).tunnel.ikev2.algorithm_exceptions = {{"MODP-2048", {"r", "a", at_second(500), {}}, {}}};
  const auto result = policy::compile(config, at_second(0));
  CHECK(result.next_change == at_second(500));
  const auto allows = [&](std::int64_t second) {
    const auto params = IkePeers(result.plan, {}, at_second(second)).peer(matsumae(result.plan));
    const auto& groups = params->profile.groups;
    return std::ranges::find(groups, tunnel::crypto::Group::kModp2048) != groups.end();
  };
  CHECK(allows(499));
  CHECK_FALSE(allows(500));
}

TEST_CASE("a name that is no algorithm, and one that must never be used, refuse the configuration") {
  CHECK(algorithm_of("MODP-2048").has_value());
  CHECK(algorithm_of("MODP-2047").error().find("did you mean") != std::string::npos);
  CHECK_FALSE(algorithm_of("3DES").has_value());
  CHECK_FALSE(algorithm_of("MODP-1024").has_value());
  config::Loaded loaded;
  loaded.config = ikev2_sample();
  matsumae(loaded.config).tunnel.ikev2.algorithm_exceptions = {{"MODP-2047", {"r", "a", at_second(500), {}}, {}}};
  loaded.config.files = {"sekisho.json"};
  const auto candidate = judge(loaded, "", at_second(0));
  REQUIRE(candidate.errors.size() == 1);
  CHECK(candidate.errors[0].find("MODP-2047") != std::string::npos);
}

TEST_CASE("an identity that cannot be sent refuses the configuration") {
  config::Loaded loaded;
  loaded.config = ikev2_sample();
  loaded.config.files = {"sekisho.json"};
  CHECK(judge(loaded, "", at_second(0)).errors.empty());
  SECTION("the router's") {
    matsumae(loaded.config).tunnel.ikev2.remote_id = "dn:CN=rtx, O=Matsumae";
  }
  SECTION("ours towards it") {
    matsumae(loaded.config).tunnel.ikev2.local_id = "dn:CN=gw";
  }
  SECTION("ours") {
    loaded.config.gateway.ikev2.local_id = "dn:CN=gw";
  }
  const auto candidate = judge(loaded, "", at_second(0));
  REQUIRE(candidate.errors.size() == 1);
  CHECK(candidate.errors[0].find("cannot be used in this version") != std::string::npos);
}

TEST_CASE("certificates: a file that was not read, or is none, is named") {
  auto config = ikev2_sample();
  auto& tunnel = matsumae(config).tunnel.ikev2;
  tunnel.psk_file.reset();
  tunnel.certificate.emplace().authority_file = "ca.pem";
  config.gateway.ikev2.certificate_file = "gateway.pem", config.gateway.ikev2.private_key_file = "gateway.key";
  const auto plan = policy::compile(config, at_second(0)).plan;
  CHECK(certificate_files(plan) == std::vector<std::string>{"ca.pem", "gateway.pem"});
  const std::vector<std::uint16_t> schemes{0};
  const auto without = IkePeers(plan, {schemes, {}}, at_second(0)).peer(matsumae(plan));
  CHECK(without.error() == "facility matsumae: the file gateway.pem could not be read");
  const std::vector<NamedOctets> files{{"gateway.pem", {'x'}}, {"ca.pem", {'x'}}};
  const auto malformed = IkePeers(plan, {schemes, files}, at_second(0)).peer(matsumae(plan));
  CHECK(malformed.error().find("gateway.pem is not a PEM file") != std::string::npos);
  CHECK(IkePeers(plan, {{}, files}, at_second(0)).peer(matsumae(plan)).error().find("signing key") !=
        std::string::npos);
}

TEST_CASE("identities as the ID payload has them") {
  using tunnel::ike::IdType;
  CHECK(identity_of("fqdn:a.example")->type == IdType::kFqdn);
  CHECK(identity_of("ip:192.0.2.1")->data == std::vector<std::uint8_t>{192, 0, 2, 1});
  CHECK(identity_of("ip:2001:db8::1")->data.size() == 16);
  CHECK(identity_of("keyid:0aFF")->data == std::vector<std::uint8_t>{0x0a, 0xff});
  for (const char* bad : {"", "fqdn", "ip:300.1.1.1", "keyid:", "keyid:0", "keyid:xy", "other:x"})
    CHECK_FALSE(identity_of(bad).has_value());
}

}  // namespace gateway::core
