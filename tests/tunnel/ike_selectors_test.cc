// Traffic selectors: wire form, arithmetic against a naive model, and narrowing (RFC 7296 2.9).
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/selectors.h"

using namespace ike_test;
using tunnel::wire::IpAddress;
using tunnel::wire::Prefix;
using Reason = SelectorRefusal::Reason;

namespace {

Prefix prefix(std::string_view text) {
  return *Prefix::parse(text);
}
Selector net(std::string_view text) {
  return Selector::of(prefix(text));
}
Selector range(std::string_view first, std::string_view last, int protocol = 0, int port = 0, int last_port = 65535) {
  return {*IpAddress::parse(first), *IpAddress::parse(last), static_cast<std::uint8_t>(protocol),
          static_cast<std::uint16_t>(port), static_cast<std::uint16_t>(last_port)};
}
using Selectors = std::vector<Selector>;

Octets body(const Selectors& selectors) {
  return body_of([&](Chain& c) { append(c, PayloadType::kSelectorsInitiator, selectors); });
}

std::optional<ParseError> error_of(const Octets& octets) {
  const auto parsed = parse_selectors(octets);
  return parsed ? std::nullopt : std::optional(parsed.error().error);
}

Octets changed(Octets octets, std::size_t at, int value) {
  octets.at(at) = static_cast<std::uint8_t>(value);
  return octets;
}

const Selectors kMixed{net("10.1.0.0/24"), range("10.1.2.5", "10.1.2.9", 6, 443, 443), net("2001:db8:1::/64"),
                       range("192.0.2.1", "192.0.2.1", 17, 65535, 0)};

struct Facility {
  Selectors peer{net("10.1.0.0/24"), net("2001:db8:1::/64")};
  Selectors ours{net("10.80.0.10/32"), net("10.80.0.12/31"), net("2001:db8:80::10/128")};
  std::vector<Prefix> foreign{prefix("10.2.0.0/24"), prefix("2001:db8:2::/64")};
  [[nodiscard]] SelectorPolicy policy() const { return {peer, ours, foreign}; }
  [[nodiscard]] auto narrowed(const Selectors& from_peer, const Selectors& from_ours) const {
    return narrow(from_peer, from_ours, policy());
  }
};

}  // namespace

// RFC 7296 3.13: the TS payload.
TEST_CASE("selectors are read as they were written") {
  const auto parsed = parse_selectors(body(kMixed));
  REQUIRE(parsed);
  CHECK(*parsed == kMixed);
  CHECK(to_string(*parsed) ==
        "10.1.0.0/24, 10.1.2.5-10.1.2.9 protocol 6 port 443, 2001:db8:1::/64, 192.0.2.1/32 protocol 17 ports opaque");
  // The octets of RFC 7296 3.13.1 for one IPv4 range.
  CHECK(body({net("10.1.0.0/24")}) == hex("01000000"
                                          "07000010"
                                          "0000ffff"
                                          "0a010000"
                                          "0a0100ff"));
}

TEST_CASE("a TS payload cut at any octet is refused") {
  const Octets octets = body(kMixed);
  for (std::size_t size = 0; size < octets.size(); ++size) {
    CHECK_FALSE(parse_selectors(ConstBytes(octets).first(size)));
  }
  Octets longer = octets;
  longer.push_back(0);
  CHECK(error_of(longer) == ParseError::kSelectorLength);
}

TEST_CASE("lengths, counts and ranges at their limits") {
  const Octets octets = body({net("10.1.0.0/24"), net("10.2.0.0/24")});
  CHECK(error_of(changed(octets, 0, 0)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 0, 1)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 0, 3)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 0, 255)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 7, 3)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 7, 15)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 7, 17)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 7, 40)) == ParseError::kSelectorLength);
  CHECK(error_of(changed(octets, 4, 8)) == ParseError::kSelectorLength);   // an IPv6 range has 40
  CHECK_FALSE(error_of(changed(octets, 1, 255)));                          // reserved
  CHECK(error_of(changed(octets, 12, 11)) == ParseError::kSelectorRange);  // 11.1.0.0 to 10.1.0.255
  CHECK(error_of(body({range("10.0.0.2", "10.0.0.1")})) == ParseError::kSelectorRange);
  CHECK(error_of(body({range("10.0.0.1", "10.0.0.1", 6, 2, 1)})) == ParseError::kSelectorRange);
  CHECK_FALSE(error_of(body({range("10.0.0.1", "10.0.0.1", 6, 65535, 0)})));  // opaque
  CHECK(parse_selectors(body(Selectors(32, net("10.0.0.0/8"))))->size() == 32);
}

TEST_CASE("types other than the two ranges are left out") {
  const auto parsed =
      parse_selectors(hex("02000000"
                          "0a000008"
                          "01020304"
                          "07000010"
                          "0000ffff"
                          "0a010000"
                          "0a0100ff"));
  REQUIRE(parsed);
  CHECK(*parsed == Selectors{net("10.1.0.0/24")});
  const auto nothing =
      parse_selectors(hex("01000000"
                          "0a000008"
                          "01020304"));
  REQUIRE(nothing);
  CHECK(nothing->empty());
}

TEST_CASE("common part of two selectors") {
  CHECK(intersect(net("10.0.0.0/8"), net("10.1.0.0/24")) == net("10.1.0.0/24"));
  CHECK(intersect(range("10.0.0.3", "10.0.0.9"), range("10.0.0.7", "10.0.0.20")) == range("10.0.0.7", "10.0.0.9"));
  CHECK_FALSE(intersect(range("10.0.0.3", "10.0.0.6"), range("10.0.0.7", "10.0.0.20")));
  CHECK_FALSE(intersect(net("0.0.0.0/0"), net("::/0")));
  CHECK(intersect(range("10.0.0.1", "10.0.0.1", 6, 100, 200), range("10.0.0.1", "10.0.0.1", 0)) ==
        range("10.0.0.1", "10.0.0.1", 6, 100, 200));
  CHECK_FALSE(intersect(range("10.0.0.1", "10.0.0.1", 6), range("10.0.0.1", "10.0.0.1", 17)));
  CHECK_FALSE(intersect(range("10.0.0.1", "10.0.0.1", 6, 1, 2), range("10.0.0.1", "10.0.0.1", 6, 3, 4)));
  const Selector opaque = range("10.0.0.1", "10.0.0.1", 6, 65535, 0);
  CHECK(intersect(opaque, range("10.0.0.1", "10.0.0.1")) == opaque);
  CHECK_FALSE(intersect(opaque, range("10.0.0.1", "10.0.0.1", 6, 0, 65534)));
}

// RFC 4301 4.4.1.1: opaque ports hold packets whose port cannot be seen.
TEST_CASE("whether a packet is inside") {
  const Selector tcp = range("10.0.0.1", "10.0.0.9", 6, 443, 445);
  const auto at = [](const char* text) { return *IpAddress::parse(text); };
  CHECK(tcp.contains(at("10.0.0.9"), 6, 443));
  CHECK(tcp.contains(at("10.0.0.1"), 6, 445));
  CHECK_FALSE(tcp.contains(at("10.0.0.10"), 6, 443));
  CHECK_FALSE(tcp.contains(at("10.0.0.0"), 6, 443));
  CHECK_FALSE(tcp.contains(at("10.0.0.1"), 17, 443));
  CHECK_FALSE(tcp.contains(at("10.0.0.1"), 6, 442));
  CHECK_FALSE(tcp.contains(at("10.0.0.1"), 6, std::nullopt));
  CHECK_FALSE(tcp.contains(at("::"), 6, 443));
  const Selector opaque = range("10.0.0.1", "10.0.0.1", 0, 65535, 0);
  CHECK(opaque.contains(at("10.0.0.1"), 6, std::nullopt));
  CHECK_FALSE(opaque.contains(at("10.0.0.1"), 6, 80));
  CHECK(net("::/0").contains(at("ffff::"), 58, std::nullopt));
}

TEST_CASE("ranges become exactly their prefixes, at both ends of the address space too") {
  CHECK(prefixes(range("10.0.0.1", "10.0.0.6")) == std::vector<Prefix>{prefix("10.0.0.1/32"), prefix("10.0.0.2/31"),
                                                                       prefix("10.0.0.4/31"), prefix("10.0.0.6/32")});
  CHECK(prefixes(net("0.0.0.0/0")) == std::vector<Prefix>{prefix("0.0.0.0/0")});
  CHECK(prefixes(net("::/0")) == std::vector<Prefix>{prefix("::/0")});
  CHECK(prefixes(range("255.255.255.255", "255.255.255.255")) == std::vector<Prefix>{prefix("255.255.255.255/32")});
  CHECK(prefixes(range("0.0.0.1", "255.255.255.254")).size() == 62);
  CHECK(prefixes(range("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")).size() == 254);
  CHECK(prefixes(range("2001:db8::", "2001:db8::1:0")).size() == 2);
}

TEST_CASE("against a naive model: cover, common part and prefixes of small ranges") {
  std::uint32_t state = 1;
  const auto draw = [&](std::uint32_t bound) { return (state = state * 1664525 + 1013904223) >> 8 & (bound - 1); };
  const auto address = [](std::uint32_t low) { return IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(low)}); };
  const auto small_range = [&] {
    const std::uint32_t a = draw(64), b = draw(64);
    return Selector{address(std::min(a, b)), address(std::max(a, b)), 0, 0, 65535};
  };
  for (int round = 0; round < 3000; ++round) {
    const Selectors set{small_range(), small_range(), small_range()};
    const Selector one = small_range();
    const auto both = intersect(set[0], one);
    bool all = true;
    for (std::uint32_t i = 0; i < 64; ++i) {
      const bool in_one = one.contains(address(i));
      const bool in_set = std::ranges::any_of(set, [&](const Selector& s) { return s.contains(address(i)); });
      all = all && (!in_one || in_set);
      REQUIRE((both && both->contains(address(i))) == (in_one && set[0].contains(address(i))));
      const auto blocks = prefixes(one);
      REQUIRE(std::ranges::count_if(blocks, [&](const Prefix& p) { return p.contains(address(i)); }) ==
              (in_one ? 1 : 0));
    }
    REQUIRE(covers(set, one) == all);
  }
}

TEST_CASE("cover looks at protocol and ports") {
  const Selectors tcp{range("10.0.0.0", "10.0.0.255", 6, 0, 1023)};
  CHECK(covers(tcp, range("10.0.0.1", "10.0.0.2", 6, 80, 80)));
  CHECK_FALSE(covers(tcp, range("10.0.0.1", "10.0.0.2", 6, 80, 1024)));
  CHECK_FALSE(covers(tcp, range("10.0.0.1", "10.0.0.2")));
  CHECK_FALSE(covers(tcp, range("10.0.0.1", "10.0.0.2", 17, 80, 80)));
  CHECK_FALSE(covers({}, net("10.0.0.0/24")));
  CHECK(covers(Selectors{net("0.0.0.0/1"), net("128.0.0.0/1")}, net("0.0.0.0/0")));
  CHECK_FALSE(covers(Selectors{net("0.0.0.0/1"), range("128.0.0.1", "255.255.255.255")}, net("0.0.0.0/0")));
}

TEST_CASE("RFC 7296 2.9: what is proposed and allowed is taken as it is") {
  const Facility facility;
  const auto result = facility.narrowed({net("10.1.0.0/24")}, {net("10.80.0.10/32")});
  REQUIRE(result);
  CHECK(result->peer == Selectors{net("10.1.0.0/24")});
  CHECK(result->ours == Selectors{net("10.80.0.10/32")});
  CHECK_FALSE(result->reduced);
}

TEST_CASE("RFC 7296 2.9: a router that proposes everything gets the narrowed set") {
  const Facility facility;
  const auto v4 = facility.narrowed({net("0.0.0.0/0")}, {net("0.0.0.0/0")});
  REQUIRE(v4);
  CHECK(v4->peer == Selectors{net("10.1.0.0/24")});
  CHECK(v4->ours == Selectors{net("10.80.0.10/32"), net("10.80.0.12/31")});
  CHECK(v4->reduced);
  const auto both = facility.narrowed({net("0.0.0.0/0"), net("::/0")}, {net("0.0.0.0/0"), net("::/0")});
  REQUIRE(both);
  CHECK(both->peer == facility.peer);
  CHECK(both->ours == facility.ours);
  // IPv6 on one side only holds no packet and is left out.
  const auto lonely = facility.narrowed({net("0.0.0.0/0"), net("::/0")}, {net("0.0.0.0/0")});
  REQUIRE(lonely);
  CHECK(lonely->peer == Selectors{net("10.1.0.0/24")});
  CHECK(lonely->reduced);
}

TEST_CASE("the packet that started it and the whole network: one selector holds the other") {
  const Facility facility;
  const auto result = facility.narrowed({range("10.1.0.7", "10.1.0.7", 6, 4000, 4000), net("10.1.0.0/24")},
                                        {range("10.80.0.10", "10.80.0.10", 6, 443, 443), net("10.80.0.10/32")});
  REQUIRE(result);
  CHECK(result->peer == Selectors{net("10.1.0.0/24")});
  CHECK(result->ours == Selectors{net("10.80.0.10/32")});
}

TEST_CASE("ranges that are no prefixes, protocols and ports are cut exactly") {
  const Facility facility;
  const auto result = facility.narrowed({range("10.0.255.200", "10.1.0.17", 6, 1000, 2000)}, {net("10.80.0.0/24")});
  REQUIRE(result);
  CHECK(result->peer == Selectors{range("10.1.0.0", "10.1.0.17", 6, 1000, 2000)});
}

TEST_CASE("another facility's network is refused and named") {
  const Facility facility;
  const auto as_source = facility.narrowed({net("10.2.0.0/24")}, {net("10.80.0.10/32")});
  REQUIRE_FALSE(as_source);
  CHECK(as_source.error().reason == Reason::kForeign);
  CHECK(as_source.error().on_peer_side);
  CHECK(as_source.error().offender == net("10.2.0.0/24"));
  // Beside the own network, and one host of it only.
  const auto beside = facility.narrowed({net("10.1.0.0/24"), net("10.2.0.9/32")}, {net("0.0.0.0/0")});
  REQUIRE_FALSE(beside);
  CHECK(beside.error().reason == Reason::kForeign);
  // As a destination: a detour.
  const auto detour = facility.narrowed({net("10.1.0.0/24")}, {net("2001:db8:2::/64"), net("10.80.0.10/32")});
  REQUIRE_FALSE(detour);
  CHECK(detour.error().reason == Reason::kForeign);
  CHECK_FALSE(detour.error().on_peer_side);
  // Wider than all: narrowed, never more than the own.
  const auto wide = facility.narrowed({net("10.0.0.0/8")}, {net("10.0.0.0/8")});
  REQUIRE(wide);
  CHECK(wide->peer == Selectors{net("10.1.0.0/24")});
  for (const Selector& s : wide->ours) CHECK(covers(facility.ours, s));
}

TEST_CASE("nothing in common") {
  const Facility facility;
  const auto ours = facility.narrowed({net("10.1.0.0/24")}, {net("192.0.2.0/24")});
  REQUIRE_FALSE(ours);
  CHECK(ours.error().reason == Reason::kNothingInCommon);
  CHECK_FALSE(ours.error().on_peer_side);
  const auto peer = facility.narrowed({net("192.168.1.0/24")}, {net("0.0.0.0/0")});
  REQUIRE_FALSE(peer);
  CHECK(peer.error().on_peer_side);
  CHECK_FALSE(facility.narrowed({}, {net("0.0.0.0/0")}));
  CHECK_FALSE(facility.narrowed({net("10.1.0.0/24")}, {net("::/0")}));  // no family on both sides
  CHECK_FALSE(narrow(Selectors{net("0.0.0.0/0")}, Selectors{net("0.0.0.0/0")}, {}));
}

TEST_CASE("whatever is proposed, the result is within the proposal and the policy") {
  std::uint32_t state = 7;
  const auto draw = [&](std::uint32_t bound) { return (state = state * 1664525 + 1013904223) >> 8 & (bound - 1); };
  const auto some = [&] {
    Selectors list;
    for (std::uint32_t i = 0; i <= draw(4); ++i) {
      const std::uint32_t a = draw(1024), b = draw(1024), low = std::min(a, b), high = std::max(a, b);
      const auto at = [](std::uint32_t n) {
        return IpAddress::v4({10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
      };
      const auto port = static_cast<std::uint16_t>(draw(2) * 100);
      list.push_back({at(low), at(high), static_cast<std::uint8_t>(draw(2) * 6), port,
                      port == 0 ? std::uint16_t{65535} : static_cast<std::uint16_t>(port + draw(64))});
    }
    return list;
  };
  std::size_t narrowed = 0;
  for (int round = 0; round < 2000; ++round) {
    const Selectors peer = some(), ours = some(), allowed_peer = some(), allowed_ours = some();
    const auto result = narrow(peer, ours, {allowed_peer, allowed_ours, {}});
    if (!result) continue;
    ++narrowed;
    REQUIRE(is_within(result->peer, peer));
    REQUIRE(is_within(result->ours, ours));
    REQUIRE(is_within(result->peer, allowed_peer));
    REQUIRE(is_within(result->ours, allowed_ours));
  }
  CHECK(narrowed > 500);
}

TEST_CASE("as initiator: an answer beyond the proposal is not taken") {
  const Selectors proposed{net("10.1.0.0/24"), net("2001:db8:1::/64")};
  CHECK(is_within(proposed, proposed));
  CHECK(is_within(Selectors{net("10.1.0.128/25")}, proposed));
  CHECK_FALSE(is_within(Selectors{net("10.1.0.0/23")}, proposed));
  CHECK_FALSE(is_within(Selectors{net("10.1.0.0/24"), net("10.9.0.0/24")}, proposed));
  CHECK_FALSE(is_within({}, proposed));
}
