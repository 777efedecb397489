// A packet that has room around it is sealed where it stands: the same octets as from a copy, and not one beyond.
#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/sim/nodes.h"
#include "tests/tunnel/esp_support.h"
#include "tunnel/wire/outputs.h"

using tunnel::wire::kRoomAfter;
using tunnel::wire::kRoomBefore;

namespace {

using Octets = std::vector<std::uint8_t>;
constexpr std::uint8_t kForeign = 0xa5;  // what stands around and belongs to somebody else

// inner with its room, and strangers' octets on both sides of that.
struct Roomy {
  explicit Roomy(const Octets& inner) : octets(kMargin + kRoomBefore + inner.size() + kRoomAfter + kMargin, kForeign) {
    std::ranges::copy(inner, octets.begin() + kFirst);
    packet = {{1}, std::span(octets).subspan(kFirst, inner.size()), {}, true};
  }
  [[nodiscard]] bool strangers_are_whole() const {
    const auto whole = [](auto part) {
      return std::ranges::all_of(part, [](auto octet) { return octet == kForeign; });
    };
    return whole(std::span(octets).first(kMargin)) && whole(std::span(octets).last(kMargin));
  }
  [[nodiscard]] bool holds(tunnel::wire::ConstBytes bytes) const {
    return bytes.data() >= octets.data() && bytes.data() + bytes.size() <= octets.data() + octets.size();
  }
  static constexpr std::size_t kMargin = 32, kFirst = kMargin + kRoomBefore;
  Octets octets;
  tunnel::wire::InnerPacket packet;
};

}  // namespace

TEST_CASE("in place: ESP seals the same octets around the packet as elsewhere, with every suite and length") {
  for (const auto& suite : esp_support::kSuites)
    for (std::size_t size = 20; size < 200; ++size) {
      esp_support::SaPair pair(suite, true), same(suite, true);
      const Octets inner = esp_support::inner_v4(size);
      Roomy roomy(inner);
      tunnel::wire::Arena arena;
      const std::size_t whole = tunnel::esp::sealed_size(suite, size), before = tunnel::esp::text_offset(suite);
      const auto place = tunnel::wire::place_to_seal(roomy.packet, before, whole, arena);
      REQUIRE(roomy.holds(place));
      REQUIRE(place.data() + before == roomy.packet.bytes.data());
      REQUIRE(pair.out.seal(roomy.packet.bytes, place, pair.rng) == tunnel::esp::OutboundSa::Outcome::kSealed);
      CHECK(Octets(place.begin(), place.end()) == same.seal(inner));
      CHECK(roomy.strangers_are_whole());
      Octets out;
      REQUIRE_FALSE(pair.open(Octets(place.begin(), place.end()), &out).has_value());
      CHECK(out == inner);
    }
}

TEST_CASE("in place: without room, or with too little, the packet is copied and stays as it is") {
  Roomy roomy(esp_support::inner_v4(60));
  tunnel::wire::Arena arena;
  const auto elsewhere = [&](std::size_t before, std::size_t size) {
    const auto place = tunnel::wire::place_to_seal(roomy.packet, before, size, arena);
    return place.size() == size && !roomy.holds(place);
  };
  CHECK_FALSE(elsewhere(kRoomBefore, kRoomBefore + 60 + kRoomAfter));
  CHECK(elsewhere(kRoomBefore + 1, kRoomBefore + 1 + 60));
  CHECK(elsewhere(8, 8 + 60 + kRoomAfter + 1));
  roomy.packet.room = false;
  CHECK(elsewhere(8, 8 + 60 + 16));
}

TEST_CASE("in place: WireGuard's packets arrive, of every length, and nothing around them is touched") {
  sim::Pair pair;
  pair.connect();
  pair.b.received.clear();
  for (std::size_t size = 20; size < 200; ++size) {
    const Octets inner = sim::ipv4_packet("10.1.0.5", "10.2.0.5", size);
    Roomy roomy(inner);
    tunnel::wire::Outputs out;
    pair.a.endpoint->send(roomy.packet, pair.now, out);
    REQUIRE(out.transmits.size() == 1);
    REQUIRE(roomy.holds(out.transmits[0].bytes));
    CHECK(roomy.strangers_are_whole());
    const auto sealed = out.transmits[0].bytes;
    pair.b.receive({sealed.begin(), sealed.end()}, pair.a.address, pair.now);
    REQUIRE(pair.b.received.size() == 1);
    CHECK(pair.b.received[0].bytes == inner);
    pair.b.received.clear();
  }
}
