// What is computed for all packets at once (gateway/core/reach) against what the layers say packet by packet
// (gateway/core/layers), on random plans, at the packets where something could change; and against the words of the
// configuration (policy/declared). SEKISHO_PLANS: how many plans.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "firewall/compile.h"
#include "gateway/core/layers.h"
#include "gateway/core/proof.h"
#include "gateway/core/reach.h"
#include "policy/compile.h"
#include "tests/policy/random_config.h"

using namespace tests;
using config::value::IpProtocol;
using gateway::core::Guard;
using gateway::core::Layers;
using gateway::core::Reach;
using policy::PacketBox;
using policy::PacketPoint;
using policy::PacketSet;

namespace {

unsigned plans_wanted() {
  const char* text = std::getenv("SEKISHO_PLANS");
  return text == nullptr ? 150 : static_cast<unsigned>(std::atoi(text));
}

config::IpAddress moved(const config::IpAddress& address, int by) {
  std::array<std::uint8_t, 16> octets = address.storage();
  const std::size_t size = address.octets().size();
  for (std::size_t i = size; i-- > 0;) {
    const int sum = octets[i] + by;
    octets[i] = static_cast<std::uint8_t>(sum & 0xff);
    by = sum < 0 ? -1 : sum > 255 ? 1 : 0;
    if (by == 0) break;
  }
  return address.is_v4() ? config::IpAddress::v4({octets[0], octets[1], octets[2], octets[3]})
                         : config::IpAddress::v6(octets);
}

// The edges of everything that a plan names, and their neighbours outside.
struct Edges {
  std::vector<config::IpAddress> addresses;
  std::vector<std::uint16_t> ports{0, 1, 65535};

  explicit Edges(const policy::Plan& plan) {
    for (const auto& facility : plan.facilities)
      for (const auto& map : facility.networks) add(map.real), add(map.seen);
    for (const auto& row : plan.permissions) {
      add(row.destination);
      for (const int port : {row.port.first - 1, int{row.port.first}, int{row.port.last}, row.port.last + 1})
        if (port >= 0 && port <= 65535) ports.push_back(static_cast<std::uint16_t>(port));
    }
    for (const auto& outside : plan.outside_addresses) addresses.push_back(outside);
  }

  void add(const config::Prefix& prefix) {
    const auto range = policy::range_of(prefix);
    for (const auto& [edge, by] : {std::pair{range.first, -1}, {range.first, 1}, {range.last, -1}, {range.last, 1}})
      addresses.push_back(edge), addresses.push_back(moved(edge, by));
  }
};

policy::Packet packet_of(const PacketPoint& point) {
  const bool ports = point.protocol == 6 || point.protocol == 17;
  return {point.source, point.destination, static_cast<IpProtocol>(point.protocol),
          static_cast<std::uint16_t>(ports ? 49152 : 0), static_cast<std::uint16_t>(ports ? point.port : 0)};
}

struct Gateway {
  policy::Plan plan;
  firewall::RuleSet table;
  Guard guard;

  // `edits`: of the routes and rules, which the other layers know nothing of.
  explicit Gateway(RandomConfig& random, unsigned edits = 0)
      : plan(policy::compile(random.config(), at_second(kRandomNow)).plan), table(firewall::compile(plan)) {
    for (; edits > 0; --edits) {
      if (random.below(3) == 0)
        plan.rules.erase(plan.rules.begin() + random.below(static_cast<unsigned>(plan.rules.size())));
      else
        plan.routes.erase(plan.routes.begin() + random.below(static_cast<unsigned>(plan.routes.size())));
    }
    auto made = Guard::compile(plan);
    REQUIRE(made);
    guard = *std::move(made);
  }
  [[nodiscard]] Reach reach() const {
    auto found = gateway::core::Reachability(plan, table, guard, at_second(kRandomNow)).openings();
    if (!found) FAIL(found.error());
    return *std::move(found);
  }
};

class Comparison {
 public:
  Comparison(const Gateway& gateway, unsigned seed)
      : gateway_(gateway),
        reach_(gateway.reach()),
        layers_(*Layers::compile(gateway.plan)),
        random_(seed),
        edges_(gateway.plan) {
    passing_ = reach_.to_inside | reach_.between | reach_.from_inside;
    boxes_ = passing_.boxes();
  }

  // Half of the packets have all they need but at most one field.
  PacketPoint some_packet() {
    const auto choose = [this](const auto& list) { return list[random_() % list.size()]; };
    PacketPoint point{choose(edges_.addresses), choose(edges_.addresses), 6, choose(edges_.ports)};
    if (!boxes_.empty() && random_() % 4 != 0) {
      const PacketBox& box = choose(boxes_);
      const PacketPoint good{random_() % 2 ? box.source.first : box.source.last, box.destination.first,
                             box.first_protocol, random_() % 2 ? box.first_port : box.last_port};
      const auto other = point;
      point = good;
      switch (random_() % 5) {
        case 0:
          point.source = other.source;
          break;
        case 1:
          point.destination = other.destination;
          break;
        case 2:
          point.port = other.port;
          break;
        case 3:
          point.protocol = point.protocol == 6 ? 17 : 6;
          break;
        default:
          break;
      }
    } else {
      point.protocol = choose(std::vector<std::uint8_t>{1, 6, 17, 58});
    }
    if (point.protocol == 1) point.port = policy::kEchoType4;
    if (point.protocol == 58) point.port = policy::kEchoType6;
    return point;
  }

  // Passes by both, or by neither. True when it passes.
  bool agree(const PacketPoint& point) {
    const auto answers = layers_.ask(packet_of(point), at_second(kRandomNow));
    const bool one_by_one = gateway::core::all_pass(answers);
    const bool facility = policy::facility_of(gateway_.plan, point.source) != nullptr;
    const PacketSet& all = facility ? from_facilities() : from_inside();
    INFO(policy::to_text(point) << ": by the layers " << one_by_one << ", by the sets " << all.contains(point));
    for (const auto& each : answers) UNSCOPED_INFO(each.layer << " " << each.facility << ": " << each.says);
    REQUIRE(all.contains(point) == one_by_one);
    return one_by_one;
  }

  const Reach& reach() const { return reach_; }

 private:
  const PacketSet& from_facilities() {
    if (facilities_.empty()) facilities_ = reach_.to_inside | reach_.between | reach_.to_elsewhere | reach_.to_gateway;
    return facilities_;
  }
  const PacketSet& from_inside() {
    if (inside_.empty()) inside_ = reach_.from_inside | reach_.inside_forward;
    return inside_;
  }

  const Gateway& gateway_;
  Reach reach_;
  Layers layers_;
  std::mt19937 random_;
  Edges edges_;
  PacketSet passing_, facilities_, inside_;
  std::vector<PacketBox> boxes_;
};

}  // namespace

TEST_CASE("model: what is computed for all packets is what each layer says of one", "[reachability]") {
  std::size_t passed = 0, asked = 0, between = 0;
  for (unsigned seed = 1; seed <= plans_wanted(); ++seed) {
    RandomConfig random(seed);
    const Gateway gateway(random, seed % 3);
    Comparison comparison(gateway, seed);
    INFO("seed " << seed);
    for (int i = 0; i < 150; ++i, ++asked) passed += comparison.agree(comparison.some_packet()) ? 1 : 0;
    between += comparison.reach().between.empty() ? 0 : 1;
  }
  WARN(asked << " packets on " << plans_wanted() << " plans, " << passed << " of them pass; " << between
             << " plans with exchanges; no disagreement");
  CHECK(passed > asked / 20);
  CHECK(passed < asked);
  CHECK(between > plans_wanted() / 5);
}

TEST_CASE("model: a compiled plan is proved, and the guard permits what the set says", "[reachability]") {
  for (unsigned seed = 1; seed <= plans_wanted(); ++seed) {
    RandomConfig random(seed);
    const Gateway gateway(random);
    const auto proof =
        gateway::core::prove({gateway.plan, gateway.table, gateway.guard},
                             policy::declared(random.config(), at_second(kRandomNow)), at_second(kRandomNow));
    INFO("seed " << seed);
    if (!proof) FAIL(proof.error());
    for (const auto& breach : gateway::core::breaches_of(*proof)) UNSCOPED_INFO(breach);
    REQUIRE(proof->holds());
    REQUIRE(proof->theorems.size() == 5);
  }
}
