// Property: after a translation every checksum is what a computation from scratch gives, and there and back is
// identity.
#include "gateway/core/translation.h"

#include <random>

#include "gateway/core/mss.h"
#include "gateway/core/too_big.h"
#include "tests/gateway/data_plane_packets.h"

using namespace packets;
using gateway::core::Refusal;
using gateway::core::Translation;

namespace {

Translation of_b() {
  auto made = Translation::compile(two_facilities().facilities[1].networks);
  REQUIRE(made);
  REQUIRE(made->translates());
  return *std::move(made);
}

Octets from_scratch(Octets packet) {
  fix_header(packet);
  fix_transport(packet);
  return packet;
}

std::string host(std::mt19937& random, bool v4, const char* v4_net, const char* v6_net) {
  return v4 ? v4_net + std::to_string(1 + random() % 254) : v6_net + std::to_string(1 + random() % 9000);
}

}  // namespace

// RFC 1624 3, RFC 768 (a UDP checksum of zero stays).
TEST_CASE("translation: checksums equal those from scratch, there and back is identity", "[translation]") {
  const Translation b = of_b();
  std::mt19937 random(7);
  for (int round = 0; round < 4000; ++round) {
    const bool v4 = round % 2 == 0;
    const auto real = host(random, v4, "192.168.1.", "fd99::"), other = host(random, v4, "10.80.0.", "fd00:80::");
    Octets packet;
    switch (round / 2 % 4) {
      case 0:
        packet = tcp(real, random() % 65536, other, random() % 65536, 0x18, {}, random() % 900);
        break;
      case 1:
        packet = udp(real, random() % 65536, other, random() % 65536, random() % 900);
        break;
      case 2:
        packet = echo_request(real, other);
        break;
      default:
        packet =
            unreachable(real, other, tcp(other, random() % 65536, real, random() % 65536, 0x10, {}, random() % 80));
    }
    const Octets before = packet;
    auto view = parsed(packet);
    REQUIRE(b.to_seen(packet, view) == Refusal::kNone);
    CHECK(view.flow.source == config::value::translate(ip(real), v4 ? net("192.168.1.0/24") : net("fd99::/64"),
                                                       v4 ? net("100.64.1.0/24") : net("fd00:2::/64")));
    CHECK(packet == from_scratch(packet));
    CHECK(parsed(packet).flow.source == view.flow.source);
    if (view.quoted) {
      CHECK(parsed(packet).quoted->destination == view.quoted->destination);
      const Octets quoted(packet.begin() + view.quoted_offset, packet.end());
      CHECK(quoted == from_scratch(quoted));
    }
    // The answer along the same road: swap the roles by asking the other direction of the same packet.
    Octets answer = tcp(other, 443, view.flow.source.to_string(), 4000, 0x10, {}, random() % 100);
    auto answer_view = parsed(answer);
    REQUIRE(b.to_real(answer, answer_view) == Refusal::kNone);
    CHECK(answer_view.flow.destination == ip(real));
    CHECK(answer == from_scratch(answer));
    CHECK(before.size() == packet.size());
  }
}

TEST_CASE("translation: the same packet comes back identical", "[translation]") {
  // Seen -> real on one side and real -> seen on the other, as a pair of mirrored maps.
  auto networks = two_facilities().facilities[1].networks;
  const Translation b = of_b();
  for (auto& map : networks) std::swap(map.real, map.seen);
  auto mirrored = Translation::compile(networks);
  REQUIRE(mirrored);
  for (const auto& packet : {tcp("192.168.1.9", 1, "10.80.0.10", 2), udp("fd99::9", 1, "fd00:80::10", 2),
                             unreachable("fd99::9", "fd00:80::10", udp("fd00:80::10", 1, "fd99::8", 2)),
                             unreachable("192.168.1.9", "10.80.0.10", udp("10.80.0.10", 1, "192.168.1.8", 2))}) {
    Octets changed = packet;
    auto view = parsed(changed);
    REQUIRE(b.to_seen(changed, view) == Refusal::kNone);
    CHECK(changed != packet);
    REQUIRE(mirrored->to_seen(changed, view) == Refusal::kNone);
    CHECK(changed == packet);
  }
}

TEST_CASE("translation: a UDP checksum of zero stays zero", "[translation]") {
  const Translation b = of_b();
  auto packet = udp("192.168.1.9", 1, "10.80.0.10", 2);
  put16(packet, 26, 0);
  auto view = parsed(packet);
  REQUIRE(b.to_seen(packet, view) == Refusal::kNone);
  CHECK(packet[26] == 0);
  CHECK(packet[27] == 0);
}

TEST_CASE("translation: only the facility's real addresses go out, only its seen ones in", "[translation]") {
  const Translation b = of_b();
  for (const char* source : {"100.64.1.9", "10.1.0.9", "192.168.2.9"}) {
    auto packet = tcp(source, 1, "10.80.0.10", 443);
    auto view = parsed(packet);
    CHECK(b.to_seen(packet, view) == Refusal::kSourceForeign);
  }
  auto packet = tcp("10.80.0.10", 1, "192.168.1.5", 443);
  auto view = parsed(packet);
  CHECK(b.to_real(packet, view) == Refusal::kUnknownDestination);
}

TEST_CASE("mss: lowered at even and odd offsets, never raised", "[mss]") {
  for (const auto& [from, to] : {std::pair{"10.1.0.7", "10.80.0.10"}, {"fd00:1::7", "fd00:80::10"}})
    for (const Octets& options :
         {Octets{2, 4, 5, 180}, Octets{1, 2, 4, 5, 180, 0, 0, 0}, Octets{3, 3, 7, 2, 4, 0x23, 0x28, 0}}) {
      auto packet = tcp(from, 1, to, 443, 0x02, options);
      gateway::core::clamp_mss(packet, parsed(packet), 1380);
      CHECK(packet == from_scratch(packet));
      const unsigned most = 1380 - (header_of(packet) == 20 ? 40 : 60);
      const std::size_t at = header_of(packet) + 20 + (options[0] == 2 ? 2 : options[0] == 1 ? 3 : 5);
      CHECK(packet[at] * 256u + packet[at + 1] == most);
      const Octets clamped = packet;
      gateway::core::clamp_mss(packet, parsed(packet), 1420);
      CHECK(packet == clamped);
      auto no_syn = tcp(from, 1, to, 443, 0x10, options);
      const Octets untouched = no_syn;
      gateway::core::clamp_mss(no_syn, parsed(no_syn), 1380);
      CHECK(no_syn == untouched);
    }
}

// RFC 6040 figure 4.
TEST_CASE("ecn: the outer mark comes in, or the packet goes", "[mss]") {
  using gateway::core::merge_ecn;
  for (const char* from : {"10.1.0.7", "fd00:1::7"}) {
    const bool v4 = ip(from).is_v4();
    const auto with = [&](unsigned ecn) {
      auto packet = udp(from, 1, v4 ? "10.80.0.10" : "fd00:80::10", 2);
      if (v4)
        packet[1] = static_cast<std::uint8_t>(ecn);
      else
        packet[1] = static_cast<std::uint8_t>(ecn << 4);
      fix_header(packet);
      return packet;
    };
    const auto after = [&](unsigned inner, std::uint8_t outer) -> int {
      auto packet = with(inner);
      if (merge_ecn(packet, v4, outer) != Refusal::kNone) return -1;
      CHECK(packet == from_scratch(packet));
      return (v4 ? packet[1] : packet[1] >> 4) & 3;
    };
    constexpr int kFigure4[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};
    for (unsigned inner = 0; inner < 4; ++inner)
      for (std::uint8_t outer = 0; outer < 4; ++outer) CHECK(after(inner, outer) == kFigure4[inner][outer]);
  }
}

TEST_CASE("too big: the answer names the MTU and quotes the packet", "[too_big]") {
  for (const auto& [from, to] : {std::pair{"10.80.0.10", "10.1.0.7"}, {"fd00:80::10", "fd00:1::7"}}) {
    const auto packet = tcp(from, 443, to, 40000, 0x10, {}, 1400);
    std::array<std::uint8_t, gateway::core::kLargestTooBig> room;
    const auto made = gateway::core::make_too_big(packet, parsed(packet), 1300, room);
    const Octets answer(made.begin(), made.end());
    CHECK(answer == from_scratch(answer));
    const auto view = parsed(answer);
    CHECK(view.flow.source == ip(to));
    CHECK(view.flow.destination == ip(from));
    REQUIRE(view.quoted);
    CHECK(view.quoted->destination_port == 40000);
    CHECK(answer[header_of(answer) + 6] * 256u + answer[header_of(answer) + 7] == 1300);
    CHECK_FALSE(gateway::core::answers_too_big(view));  // RFC 1122 3.2.2
  }
}
