// Packet sets against naive ones: a small world of packets in which each set is a list of bits, and the edges of the
// real world.
#include "policy/packet_set.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <random>

#include "tests/policy/sample_config.h"

using namespace tests;
using policy::AddressRange;
using policy::Family;
using policy::PacketBox;
using policy::PacketPoint;
using policy::PacketSet;

namespace {

// The last addresses of the family, where ranges end: 6 sources, 6 destinations, the last three protocols, 4 ports at
// both ends.
constexpr unsigned kAddresses = 6;
const std::vector<std::uint16_t> kPorts{0, 1, 65534, 65535};

policy::IpAddress address_at(unsigned i, bool v4) {
  const auto last = static_cast<std::uint8_t>(256 - kAddresses + i);
  if (v4) return policy::IpAddress::v4({255, 255, 255, last});
  std::array<std::uint8_t, 16> octets;
  octets.fill(255);
  octets[15] = last;
  return policy::IpAddress::v6(octets);
}

std::vector<PacketPoint> world() {
  std::vector<PacketPoint> out;
  for (const bool v4 : {true, false})
    for (unsigned from = 0; from < kAddresses; ++from)
      for (unsigned to = 0; to < kAddresses; ++to)
        for (const unsigned protocol : {0u, 1u, 254u, 255u})
          for (const std::uint16_t port : kPorts)
            out.push_back({address_at(from, v4), address_at(to, v4), static_cast<std::uint8_t>(protocol), port});
  return out;
}

class Boxes {
 public:
  explicit Boxes(unsigned seed) : random_(seed) {}

  std::vector<PacketBox> some() {
    std::vector<PacketBox> out(below(7));
    for (PacketBox& box : out) {
      const bool v4 = below(2) == 0;
      box.source = range(v4), box.destination = range(v4);
      const std::uint8_t protocols[] = {0, 1, 254, 255};
      box.first_protocol = protocols[below(4)], box.last_protocol = protocols[below(4)];
      box.first_port = kPorts[below(4)], box.last_port = kPorts[below(4)];
      if (box.first_protocol > box.last_protocol) std::swap(box.first_protocol, box.last_protocol);
      if (box.first_port > box.last_port) std::swap(box.first_port, box.last_port);
    }
    return out;
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  AddressRange range(bool v4) {
    if (below(6) == 0) return policy::everywhere(v4 ? Family::kV4 : Family::kV6);
    const unsigned a = below(kAddresses), b = below(kAddresses);
    return {address_at(std::min(a, b), v4), address_at(std::max(a, b), v4)};
  }
  std::mt19937 random_;
};

bool in(const PacketBox& box, const PacketPoint& p) {
  return box.source.first.family() == p.source.family() && box.source.first <= p.source &&
         p.source <= box.source.last && box.destination.first <= p.destination &&
         p.destination <= box.destination.last && box.first_protocol <= p.protocol && p.protocol <= box.last_protocol &&
         box.first_port <= p.port && p.port <= box.last_port;
}

std::size_t count_in(const std::vector<PacketBox>& boxes, const PacketPoint& p) {
  return static_cast<std::size_t>(std::ranges::count_if(boxes, [&](const PacketBox& box) { return in(box, p); }));
}

PacketBox box(const std::string& from, const std::string& to, const std::string& opens) {
  return policy::box_of(policy::range_of(prefix(from)), policy::range_of(prefix(to)), port(opens));
}

}  // namespace

TEST_CASE("packet sets: union, intersection and difference are those of the naive sets", "[packet_set]") {
  const auto points = world();
  const char* more = std::getenv("SEKISHO_SETS");  // a sample without it
  const unsigned seeds = more == nullptr ? 100 : static_cast<unsigned>(std::atoi(more));
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    Boxes boxes(seed);
    const auto left = boxes.some(), right = boxes.some();
    const PacketSet a = PacketSet::of(left), b = PacketSet::of(right);
    const PacketSet either = a | b, both = a & b, only = a - b;
    bool any_only = false, any = false;
    std::vector<PacketBox> disjoint = either.boxes();
    for (const PacketPoint& p : points) {
      const bool in_a = count_in(left, p) != 0, in_b = count_in(right, p) != 0;
      const bool right_a = a.contains(p) == in_a, right_either = either.contains(p) == (in_a || in_b);
      const bool right_both = both.contains(p) == (in_a && in_b), right_only = only.contains(p) == (in_a && !in_b);
      const bool right_boxes = count_in(disjoint, p) == (in_a || in_b ? 1u : 0u);
      if (right_a && right_either && right_both && right_only && right_boxes) [[likely]] {
        any = any || in_a, any_only = any_only || (in_a && !in_b);
        continue;  // two million assertions would take minutes under the sanitizers
      }
      INFO("seed " << seed << ": " << policy::to_text(p) << ", of a, |, &, -, boxes: " << right_a << right_either
                   << right_both << right_only << right_boxes);
      FAIL("a set is not the naive one");
    }
    CHECK(a.empty() == !any);
    if (any_only) CHECK_FALSE(a.subset_of(b));
    CHECK(both.subset_of(a));
    CHECK(PacketSet::of(disjoint) == either);  // one form for one set
    CHECK((only | both) == a);
    CHECK(((a | b) - b) == only);
    if (const auto found = only.witness())
      CHECK((a.contains(*found) && !b.contains(*found)));
    else
      CHECK(only.empty());
  }
}

TEST_CASE("packet sets: the whole, nothing, and what no box is", "[packet_set]") {
  const PacketSet all = PacketSet::all(Family::kV4) | PacketSet::all(Family::kV6);
  CHECK((all - all).empty());
  CHECK(all.boxes().size() == 2);
  CHECK(all.contains({address("255.255.255.255"), address("0.0.0.0"), 255, 65535}));
  CHECK_FALSE(PacketSet::all(Family::kV6).contains({address("0.0.0.0"), address("0.0.0.0"), 0, 0}));
  CHECK_FALSE(all.contains({address("::"), address("0.0.0.0"), 0, 0}));
  CHECK(PacketSet::of({{policy::range_of(prefix("::/0")), policy::range_of(prefix("0.0.0.0/0"))}}).empty());
  CHECK(PacketSet::of({{{address("10.0.0.2"), address("10.0.0.1")}, policy::everywhere(Family::kV4)}}).empty());
  CHECK_FALSE(PacketSet().witness());
  const PacketSet half = PacketSet::from({policy::range_of(prefix("0.0.0.0/1"))});
  const PacketSet rest = PacketSet::from({policy::range_of(prefix("128.0.0.0/1"))});
  CHECK((half | rest) == PacketSet::all(Family::kV4));
  CHECK((half & rest).empty());
}

TEST_CASE("packet sets: nested and adjacent prefixes, and ports that overlap", "[packet_set]") {
  const PacketSet wide = PacketSet::of({box("10.0.0.0/8", "10.80.0.10", "tcp/1-1024")});
  const PacketSet inner = PacketSet::of({box("10.2.0.0/24", "10.80.0.10", "tcp/443-2000")});
  CHECK(policy::to_text(*(inner - wide).witness()) == "10.2.0.0 -> 10.80.0.10 tcp/1025");
  CHECK((inner - wide) == PacketSet::of({box("10.2.0.0/24", "10.80.0.10", "tcp/1025-2000")}));
  CHECK((wide - inner).boxes().size() == 3);  // below, the prefix with the lower ports, above
  const PacketSet both =
      PacketSet::of({box("10.2.0.0/25", "10.80.0.10", "icmp"), box("10.2.0.128/25", "10.80.0.10", "icmp")});
  CHECK(both == PacketSet::of({box("10.2.0.0/24", "10.80.0.10", "icmp")}));
  CHECK(policy::to_text(both.boxes().at(0)) == "10.2.0.0-10.2.0.255 -> 10.80.0.10 icmp type 8");
  CHECK(policy::to_text(box("2001:db8::/128", "2001:db8:1::/128", "icmp")) ==
        "2001:db8:: -> 2001:db8:1:: icmpv6 type 128");
  CHECK(both.sources() == std::vector<AddressRange>{{address("10.2.0.0"), address("10.2.0.255")}});
}

TEST_CASE("packet sets: 10,000 sources against 10,000 destinations are not 100 million boxes", "[packet_set]") {
  std::vector<AddressRange> networks;
  for (unsigned i = 0; i < 10'000; ++i) {
    const auto high = static_cast<std::uint8_t>(i / 250), low = static_cast<std::uint8_t>(i % 250);
    networks.push_back({policy::IpAddress::v4({10, high, low, 0}), policy::IpAddress::v4({10, high, low, 254})});
  }
  const PacketSet among = PacketSet::from(networks) & PacketSet::to(networks);
  CHECK(among.sources().size() == 10'000);
  CHECK(among.destinations() == among.sources());
  CHECK((among - PacketSet::from(networks)).empty());
  CHECK_FALSE((among - PacketSet::to({networks[0]})).empty());
}
