// A facility of the plan as an IKEv2 peer: what it may carry, which algorithms, and what is refused before it runs.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "gateway/core/candidate.h"
#include "gateway/core/ike_peers.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"
#include "tests/tunnel/test_authority.h"
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

// matsumae with certificates of one authority, and a list of it that has revoked the router's.
struct Certified {
  Certified() {
    auto& tunnel = matsumae(config).tunnel.ikev2;
    tunnel.psk_file.reset();
    tunnel.certificate.emplace().authority_file = "ca.pem";
    config.gateway.ikev2.certificate_file = "gateway.pem", config.gateway.ikev2.private_key_file = "gateway.key";
    test_authority::Authority::List list;
    list.revoked = {router};
    files = {{"gateway.pem", test_authority::pem_of(root.issue({}))},
             {"ca.pem", test_authority::pem_of(root.certificate())},
             {"ca.crl", root.revocation_list(list)}};
  }
  config::CertificateAuthentication& certificate() { return *matsumae(config).tunnel.ikev2.certificate; }
  // Each facility with a tunnel of IKEv2, by the plan's order.
  std::vector<Result<tunnel::ike::PeerParams, std::string>> all() {
    const auto plan = policy::compile(config, at_second(0)).plan;
    IkePeers peers(plan, {schemes, files, signing_key_mark}, at_second(0));
    std::vector<Result<tunnel::ike::PeerParams, std::string>> made;
    for (const policy::FacilityPlan& facility : plan.facilities)
      if (facility.ike) made.push_back(peers.peer(facility));
    return made;
  }
  Result<tunnel::ike::PeerParams, std::string> params() { return all().at(0); }
  // How the router's certificate fares under what the configuration says; none: it is good.
  std::optional<tunnel::crypto::CertificateFault> fault() {
    const auto made = params().value().certificate.value();
    const auto verified = made.trust->verify(router, {}, test_authority::fqdn("rtx.hakodate.example"),
                                             {test_authority::kNow, made.revocation, made.list_grace});
    return verified ? std::nullopt : std::optional(verified.error().fault);
  }
  config::GatewayConfig config = ikev2_sample();
  test_authority::Authority root;
  tunnel::crypto::Certificate router = root.issue({});
  std::vector<std::uint16_t> schemes{0};
  std::vector<NamedOctets> files;
  std::uint64_t signing_key_mark = 0;
};

test_authority::Octets authorities(std::size_t count) {
  static std::vector<test_authority::Octets> made;
  test_authority::Octets pem;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == made.size()) made.push_back(test_authority::pem_of(test_authority::Authority().certificate()));
    pem.insert(pem.end(), made[i].begin(), made[i].end());
  }
  return pem;
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
  const auto candidate = proved_here(judge(loaded, "", at_second(0)));
  REQUIRE(candidate.errors.size() == 1);
  CHECK(candidate.errors[0].find("MODP-2047") != std::string::npos);
}

TEST_CASE("an identity that cannot be sent refuses the configuration, at its place") {
  config::Loaded loaded;
  loaded.config = ikev2_sample();
  loaded.config.files = {"sekisho.json"};
  CHECK(proved_here(judge(loaded, "", at_second(0))).errors.empty());
  auto& ikev2 = matsumae(loaded.config).tunnel.ikev2;
  std::string place;
  SECTION("the router's") {
    ikev2.remote_id = "dn:CN=rtx, Q=Matsumae", ikev2.remote_id_at = {0, 7, 21}, place = ":7:21";
  }
  SECTION("ours towards it") {
    ikev2.local_id = "dn:CN=gw, Q=b", ikev2.local_id_at = {0, 8, 22}, place = ":8:22";
  }
  SECTION("ours") {
    loaded.config.gateway.ikev2.local_id = "dn:CN=gw, Q=b", place = ":9:23";
    loaded.config.gateway.ikev2.local_id_at = {0, 9, 23};
  }
  const auto candidate = proved_here(judge(loaded, "", at_second(0)));
  REQUIRE(candidate.errors.size() == 1);
  INFO(candidate.errors[0]);
  CHECK(candidate.errors[0].find("sekisho.json" + place) != std::string::npos);
  CHECK(candidate.errors[0].find("\"Q\" is no attribute of a name; CN, O,") != std::string::npos);
}

// RFC 7296 3.13: a payload counts its selectors in one octet.
TEST_CASE("an IKEv2 facility that may reach more addresses than a tunnel can name refuses the configuration") {
  config::Loaded loaded;
  loaded.config = ikev2_sample();
  loaded.config.files = {"sekisho.json"};
  auto& service = loaded.config.services.front();
  const auto errors_with = [&](std::size_t addresses) {
    service.addresses.clear();
    for (std::size_t i = 0; i < addresses; ++i)
      service.addresses.push_back(config::value::IpAddress::v4(
          {10, 99, static_cast<std::uint8_t>(i / 200), static_cast<std::uint8_t>(i % 200 + 1)}));
    std::vector<std::string> found;
    for (const auto& line : proved_here(judge(loaded, "", at_second(0))).errors)
      if (line.find("an IKEv2 tunnel can name 255") != std::string::npos) found.push_back(line);
    return found;
  };
  CHECK(errors_with(200).empty());
  const auto found = errors_with(300);
  REQUIRE(!found.empty());
  CHECK(found[0].find("facilities.matsumae.may_use: facility \"matsumae\": it may reach 30") != std::string::npos);
}

TEST_CASE("one identity in two writings at two facilities refuses the configuration") {
  config::Loaded loaded;
  loaded.config = ikev2_sample();
  loaded.config.files = {"sekisho.json"};
  auto other = matsumae(loaded.config);
  other.name.text = "esashi", other.networks.clear(), other.may_use.clear(), other.offers.clear();
  other.tunnel.ikev2.psk_file = "keys/esashi.psk";
  loaded.config.facilities.push_back(other);
  const auto errors = [&](const char* first, const char* second) {
    matsumae(loaded.config).tunnel.ikev2.remote_id = first;
    loaded.config.facilities.back().tunnel.ikev2.remote_id = second;
    const auto candidate = proved_here(judge(loaded, "", at_second(0)));
    return std::ranges::count_if(candidate.errors, [](const auto& line) {
      return line.find("facility matsumae has the same identity") != std::string::npos;
    });
  };
  CHECK(errors("dn:CN=rtx, O=Matsumae  Clinic", "dn:cn=RTX,O=matsumae clinic") == 1);
  CHECK(errors("keyid:0a", "keyid:0A") == 1);
  CHECK(errors("dn:CN=rtx, O=Matsumae", "dn:O=Matsumae, CN=rtx") == 0);
  CHECK(errors("dn:CN=rtx, O=Matsumae", "dn:CN=rtx, O=Matsumae, C=JP") == 0);
}

// RFC 4945 3.1.5.
TEST_CASE("a DN of ours is sent as our certificate has it, and must be its subject") {
  test_authority::Authority root;
  test_authority::Wish wish;
  wish.name = "gw.example";
  const auto own = root.issue(wish);
  auto config = ikev2_sample();
  auto& tunnel = matsumae(config).tunnel.ikev2;
  tunnel.psk_file.reset(), tunnel.remote_id = "dn:CN=rtx, O=Sekisho tests";
  tunnel.certificate.emplace().authority_file = "ca.pem";
  tunnel.certificate->revocation = config::RevocationCheck::kNotChecked;
  config.gateway.ikev2.certificate_file = "gateway.pem", config.gateway.ikev2.private_key_file = "gateway.key";
  const std::vector<std::uint16_t> schemes{0};
  const std::vector<NamedOctets> files{{"gateway.pem", test_authority::pem_of(own)},
                                       {"ca.pem", test_authority::pem_of(root.certificate())}};
  const auto params = [&](const char* local_id) {
    config.gateway.ikev2.local_id = local_id;
    const auto plan = policy::compile(config, at_second(0)).plan;
    return IkePeers(plan, {schemes, files}, at_second(0)).peer(matsumae(plan));
  };
  const auto same = params("dn:cn=GW.example, o=sekisho  Tests");
  REQUIRE(same.has_value());
  CHECK(same->local_id.data == own.subject_der());
  CHECK(same->remote_id == *identity_of("dn:cn=RTX,O=Sekisho tests"));
  CHECK(params("dn:CN=gw.example, O=other").error() ==
        "facility matsumae: local_id is dn:CN=gw.example,O=other, but gateway.pem is the certificate of "
        "dn:CN=gw.example,O=Sekisho tests");
}

TEST_CASE("certificates: the gateway's own must be that of its signing key") {
  Certified facility;
  const auto own = tunnel::crypto::Certificate::parse_pem(facility.files[0].octets)->front().public_key()->mark();
  facility.signing_key_mark = own;
  CHECK(facility.params().has_value());
  facility.signing_key_mark = own ^ 1;
  CHECK(facility.params().error().ends_with(
      "gateway.pem is not the certificate of the key gateway.key: every router would refuse our signature"));
}

// RFC 7296 2: what would be longer than a message can be must be found before a router asks for it.
TEST_CASE("certificates: a chain that fits no IKE message is refused") {
  Certified facility;
  auto& own = facility.files[0].octets;
  const auto one = own;
  const std::size_t size = tunnel::crypto::Certificate::parse_pem(one)->front().der().size();
  for (std::size_t count = 1; count < tunnel::ike::kMostChain / size; ++count)
    own.insert(own.end(), one.begin(), one.end());
  CHECK(facility.params().has_value());
  own.insert(own.end(), one.begin(), one.end());
  CHECK(facility.params().error().find("more than the " + std::to_string(tunnel::ike::kMostChain)) !=
        std::string::npos);
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

TEST_CASE("a facility's revocation list is what its router is judged by") {
  using tunnel::crypto::CertificateFault;
  Certified scene;
  CHECK(scene.fault() == CertificateFault::kNoRevocationList);  // required unless the configuration says otherwise
  scene.certificate().revocation_list_file = "ca.crl";
  CHECK(scene.fault() == CertificateFault::kRevoked);
  scene.certificate().revocation = config::RevocationCheck::kWhereListed;
  CHECK(scene.fault() == CertificateFault::kRevoked);
  scene.certificate().revocation_list_file.reset();
  CHECK_FALSE(scene.fault());
  scene.certificate().revocation_list_file = "ca.crl", scene.files[2].octets = {'x'};
  CHECK(scene.params().error() == "facility matsumae: ca.crl is no revocation list");
  scene.files.pop_back();
  CHECK(scene.params().error() == "facility matsumae: the file ca.crl could not be read");
}

TEST_CASE("how revocation is checked, and how long a list is believed, is each facility's own") {
  using Check = config::RevocationCheck;
  using tunnel::crypto::Revocation;
  Certified scene;
  for (const auto& [said, wanted] : {std::pair{Check::kRequired, Revocation::kRequired},
                                     {Check::kWhereListed, Revocation::kWhereListed},
                                     {Check::kNotChecked, Revocation::kNotChecked}}) {
    scene.certificate().revocation = said;
    CHECK(scene.params()->certificate->revocation == wanted);
  }
  CHECK(scene.params()->certificate->list_grace == tunnel::wire::Duration::zero());
  scene.certificate().list_grace_days = 3;
  CHECK(scene.params()->certificate->list_grace == std::chrono::hours(72));

  auto other = matsumae(scene.config);  // the same authority
  other.name.text = "rausu", other.networks.clear(), other.may_use.clear(), other.offers.clear();
  other.tunnel.ikev2.remote_id = "fqdn:rtx.rausu.example";
  scene.config.facilities.push_back(other);
  auto& certificate = *scene.config.facilities.back().tunnel.ikev2.certificate;
  const auto second = [&] { return scene.all().at(1)->certificate.value(); };
  certificate.list_grace_days = 5;
  CHECK(second().list_grace == std::chrono::hours(120));
  certificate.list_grace_days = 3, certificate.revocation = Check::kRequired;
  CHECK(second().revocation == Revocation::kRequired);
  CHECK(scene.all().at(0)->certificate->revocation == Revocation::kNotChecked);
  certificate.revocation = Check::kNotChecked, certificate.revocation_list_file = "ca.crl";
  const auto both = scene.all();  // read once where all is the same, and here the list is not
  CHECK(both.at(1)->certificate->trust != both.at(0)->certificate->trust);
  certificate.revocation_list_file.reset();
  const auto same = scene.all();
  CHECK(same.at(1)->certificate->trust == same.at(0)->certificate->trust);
}

TEST_CASE("a facility's outer sources, its PPK and where it is called are its peer's") {
  const auto params = [](const auto& change) {
    auto config = ikev2_sample();
    change(matsumae(config).tunnel);
    const auto plan = policy::compile(config, at_second(0)).plan;
    return IkePeers(plan, {}, at_second(0)).peer(matsumae(plan)).value();
  };
  const auto plain = params([](config::Tunnel&) {});
  CHECK(plain.outer_sources.empty());
  CHECK_FALSE(plain.ppk);
  CHECK_FALSE(plain.endpoint);
  CHECK_FALSE(plain.start);
  CHECK_FALSE(plain.force_encapsulation);
  CHECK(plain.preshared_key == "keys/matsumae.psk");

  const std::vector<tunnel::wire::Prefix> sources{tests::prefix("192.0.2.0/24"), tests::prefix("2001:db8:7::/48")};
  CHECK(params([&](config::Tunnel& tunnel) { tunnel.sources = sources; }).outer_sources == sources);
  for (const bool required : {true, false}) {
    const config::PostquantumKey ppk{"ppk.example", "keys/matsumae.ppk", required};
    const auto made = params([&](config::Tunnel& tunnel) { tunnel.ikev2.ppk = ppk; });
    CHECK(made.ppk == tunnel::ike::PpkParams{"ppk.example", "keys/matsumae.ppk", required});
  }
  const auto called = params([](config::Tunnel& tunnel) { tunnel.ikev2.endpoint = tests::address("192.0.2.7"); });
  CHECK(called.endpoint == tunnel::wire::SocketAddress{tests::address("192.0.2.7"), 500});
  CHECK(called.start);
  CHECK(params([](config::Tunnel& tunnel) {
          tunnel.ikev2.encapsulation = config::Encapsulation::kUdp;
        }).force_encapsulation);
}

// RFC 7296 3.7: a CERTREQ names them to whoever asks.
TEST_CASE("64 different authorities of all facilities together, and no more") {
  Certified scene;
  const auto refused = [&](std::size_t first, std::size_t second) {
    scene.files[1].octets = authorities(first);
    scene.files[2] = {"other.pem", authorities(second)};
    const auto made = scene.all();
    return std::ranges::any_of(made, [](const auto& each) {
      return !each && each.error().find("more than 64 different certificates") != std::string::npos;
    });
  };
  CHECK_FALSE(refused(64, 1));
  CHECK(refused(65, 1));
  auto other = matsumae(scene.config);
  other.name.text = "rausu", other.networks.clear(), other.may_use.clear(), other.offers.clear();
  other.tunnel.ikev2.remote_id = "fqdn:rtx.rausu.example";
  other.tunnel.ikev2.certificate->authority_file = "other.pem";
  scene.config.facilities.push_back(other);
  CHECK_FALSE(refused(10, 64));  // the same ones count once
  CHECK(refused(10, 65));
}

TEST_CASE("identities as the ID payload has them") {
  using tunnel::ike::IdType;
  CHECK(identity_of("fqdn:a.example")->type == IdType::kFqdn);
  CHECK(identity_of("ip:192.0.2.1")->data == std::vector<std::uint8_t>{192, 0, 2, 1});
  CHECK(identity_of("ip:2001:db8::1")->data.size() == 16);
  CHECK(identity_of("keyid:0aFF")->data == std::vector<std::uint8_t>{0x0a, 0xff});
  CHECK(identity_of("dn:CN=a, O=b")->type == IdType::kDn);
  CHECK(identity_of("dn:CN=a, b").error() ==
        "the name after \"dn:\", at its octet 7 (\"b\"): an attribute is written as \"CN=router\"; a comma inside a "
        "value as \"\\,\"");
  for (const char* bad : {"", "fqdn", "ip:300.1.1.1", "keyid:", "keyid:0", "keyid:xy", "other:x", "dn:", "dn:CN="})
    CHECK_FALSE(identity_of(bad).has_value());
}

}  // namespace gateway::core
