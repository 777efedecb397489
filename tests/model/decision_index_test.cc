// policy::DecisionIndex against policy::decide, row for row, on the configurations that are hard on purpose.
#include <catch2/catch.hpp>

#include "policy/compile.h"
#include "policy/decision_index.h"
#include "tests/policy/random_config.h"

using namespace tests;

namespace {

// Mostly addresses that the rows and networks name, and their neighbours.
std::vector<config::IpAddress> addresses_of(const policy::Plan& plan) {
  std::vector<config::IpAddress> out{address("0.0.0.0"), address("255.255.255.255"), address("::"),
                                     address("198.51.100.1")};
  const auto add = [&out](const config::Prefix& prefix) {
    out.push_back(prefix.address());
    auto octets = prefix.address().storage();
    auto& last = octets[prefix.address().octets().size() - 1];
    for (const int step : {1, 2, -1}) {
      auto moved = octets;
      moved[prefix.address().octets().size() - 1] = static_cast<std::uint8_t>(last + step);
      out.push_back(prefix.address().is_v4() ? config::IpAddress::v4({moved[0], moved[1], moved[2], moved[3]})
                                             : config::IpAddress::v6(moved));
    }
  };
  for (const auto& row : plan.permissions) add(row.source), add(row.destination);
  for (const auto& facility : plan.facilities)
    for (const auto& network : facility.networks) add(network.seen), add(network.real);
  return out;
}

}  // namespace

TEST_CASE("the index decides as decide does, by the same row") {
  std::size_t permitted = 0, refused = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    RandomConfig random(seed);
    const auto plan = policy::compile(random.config(), at_second(kRandomNow - 1)).plan;
    const policy::DecisionIndex index(plan);
    const auto addresses = addresses_of(plan);
    const auto some = [&] { return addresses[random.below(static_cast<unsigned>(addresses.size()))]; };
    for (int i = 0; i < 300; ++i) {
      constexpr std::array kProtocols{config::value::IpProtocol::kTcp, config::value::IpProtocol::kUdp,
                                      config::value::IpProtocol::kIcmp, config::value::IpProtocol::kIcmpV6};
      const policy::Packet packet{some(), some(), kProtocols[random.below(4)], 0,
                                  static_cast<std::uint16_t>(random.below(16))};
      const auto now = at_second(kRandomNow - 1 + random.below(3));
      const auto expected = policy::decide(plan, packet, now), found = index.decide(packet, now);
      INFO("seed " << seed << ": " << packet.source.to_string() << " -> " << packet.destination.to_string() << " port "
                   << packet.destination_port);
      REQUIRE(found.reason == expected.reason);
      REQUIRE(found.permission == expected.permission);
      REQUIRE(index.facility_at(packet.source) == policy::facility_of(plan, packet.source));
      ++(expected.allowed() ? permitted : refused);
    }
  }
  CHECK(permitted > 500);
  CHECK(refused > 500);
}

TEST_CASE("the index finds facilities by name") {
  const auto plan = policy::compile(sample_config(), at_second(0)).plan;
  const policy::DecisionIndex index(plan);
  for (const auto& facility : plan.facilities) CHECK(index.facility_named(facility.name.text) == &facility);
  CHECK(index.facility_named("nobody") == nullptr);
}
