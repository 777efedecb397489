// Every way around a permission is refused with its reason, beside the permitted packet that passes. IPv4 and IPv6.
#include "gateway/core/guard.h"
#include "gateway/core/fragments.h"
#include "tests/gateway/data_plane_packets.h"

using namespace packets;
using gateway::core::FragmentTable;
using gateway::core::Guard;
using gateway::core::Refusal;

namespace {

constexpr gateway::core::FacilityIndex kA = 0, kB = 1;
const config::value::WallTime kBefore{std::chrono::seconds(999)};
const config::value::WallTime kEnd{std::chrono::seconds(1000)};

struct Addresses {
  const char *a, *a2, *b, *b_other, *service, *service_other, *gateway, *outside, *foreign;
};
const Addresses kFamilies[] = {{"10.1.0.7", "10.1.0.8", "100.64.1.5", "100.64.1.9", "10.80.0.10", "10.80.0.11",
                                "10.80.0.1", "203.0.113.9", "10.9.0.1"},
                               {"fd00:1::7", "fd00:1::8", "fd00:2::5", "fd00:2::9", "fd00:80::10", "fd00:80::11",
                                "fd00:80::1", "2001:db8::9", "fd00:9::1"}};

Guard guard_of(const policy::Plan& plan) {
  auto guard = Guard::compile(plan);
  REQUIRE(guard);
  return *std::move(guard);
}

Refusal in(const Guard& guard, gateway::core::FacilityIndex from, const Octets& packet,
           config::value::WallTime now = kBefore) {
  return guard.ingress(from, parsed(packet), now);
}

Refusal out(const Guard& guard, const Octets& packet, config::value::WallTime now = kBefore) {
  return guard.egress(parsed(packet), now);
}

}  // namespace

TEST_CASE("guard: what policy names passes, both ways", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    CHECK(in(guard, kA, tcp(f.a, 40000, f.service, 443, 0x02)) == Refusal::kNone);
    CHECK(out(guard, tcp(f.service, 443, f.a, 40000, 0x12)) == Refusal::kNone);
    for (unsigned port : {5000u, 5005u, 5010u}) CHECK(in(guard, kA, udp(f.a, 9, f.service, port)) == Refusal::kNone);
    CHECK(in(guard, kA, echo_request(f.a, f.service)) == Refusal::kNone);
    CHECK(out(guard, echo_reply(f.service, f.a)) == Refusal::kNone);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.b, 104, 0x02)) == Refusal::kNone);  // declared exchange
    CHECK(out(guard, tcp(f.a, 40000, f.b, 104, 0x02)) == Refusal::kNone);
    CHECK(in(guard, kB, tcp(f.b, 104, f.a, 40000, 0x12)) == Refusal::kNone);
    CHECK(out(guard, tcp(f.b, 104, f.a, 40000, 0x12)) == Refusal::kNone);
    CHECK(out(guard, tcp(f.service, 40000, f.b, 104, 0x02)) == Refusal::kNone);  // inside may reach
    CHECK(in(guard, kB, tcp(f.b, 104, f.service, 40000, 0x12)) == Refusal::kNone);
  }
}

TEST_CASE("guard: echo as policy writes it for each family; ICMPv6 towards IPv4 is no plan", "[guard]") {
  using config::value::IpProtocol;
  policy::Plan plan = two_facilities();
  for (auto& permission : plan.permissions)
    if (permission.port.protocol == IpProtocol::kIcmp && !permission.destination.address().is_v4())
      permission.port.protocol = IpProtocol::kIcmpV6;
  const Guard guard = guard_of(plan);
  for (const auto& f : kFamilies) CHECK(in(guard, kA, echo_request(f.a, f.service)) == Refusal::kNone);
  for (auto& permission : plan.permissions)
    if (permission.port.protocol == IpProtocol::kIcmp) permission.port.protocol = IpProtocol::kIcmpV6;
  CHECK_FALSE(Guard::compile(plan));
}

// P1: no detour.
TEST_CASE("guard: no detour out of a tunnel", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    CHECK(in(guard, kA, tcp(f.a, 40000, f.b, 22, 0x02)) == Refusal::kOtherFacility);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.b_other, 104, 0x02)) == Refusal::kOtherFacility);
    CHECK(in(guard, kA, echo_request(f.a, f.b)) == Refusal::kOtherFacility);
    CHECK(in(guard, kB, tcp(f.b, 40000, f.a, 443, 0x02)) == Refusal::kOtherFacility);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.a2, 443, 0x02)) == Refusal::kOtherFacility);  // never back into a tunnel
    CHECK(in(guard, kA, tcp(f.a, 40000, f.outside, 443, 0x02)) == Refusal::kUnknownDestination);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.gateway, 22, 0x02)) == Refusal::kUnknownDestination);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.service_other, 443, 0x02)) == Refusal::kUnknownDestination);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.service, 22, 0x02)) == Refusal::kNotPermitted);
    CHECK(in(guard, kA, udp(f.a, 40000, f.service, 443)) == Refusal::kNotPermitted);
    CHECK(in(guard, kA, udp(f.a, 40000, f.service, 4999)) == Refusal::kNotPermitted);
    CHECK(in(guard, kA, udp(f.a, 40000, f.service, 5011)) == Refusal::kNotPermitted);
    CHECK(in(guard, kB, tcp(f.b, 40000, f.service, 443, 0x02)) == Refusal::kNotPermitted);
    CHECK(in(guard, kA, ip_packet(ip(f.a), ip(f.service), 47, Octets(20))) == Refusal::kProtocol);  // GRE
  }
}

// P2: true source.
TEST_CASE("guard: a source that is not the facility's own", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    for (const char* source : {f.b, f.service, f.gateway, f.foreign, f.outside})
      CHECK(in(guard, kA, tcp(source, 40000, std::string(source) == f.service ? f.service_other : f.service, 443)) ==
            Refusal::kSourceForeign);
    CHECK(in(guard, kB, tcp(f.a, 40000, f.service, 443)) == Refusal::kSourceForeign);
    CHECK(in(guard, gateway::core::kNoFacility, tcp(f.foreign, 40000, f.service, 443)) == Refusal::kSourceForeign);
  }
}

// P3: true destination.
TEST_CASE("guard: what may not enter a tunnel", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    CHECK(out(guard, tcp(f.service, 443, f.outside, 40000)) == Refusal::kUnknownDestination);
    // Permitted out of a tunnel; no tunnel leads to where it goes.
    CHECK(out(guard, tcp(f.a, 40000, f.service, 443, 0x02)) == Refusal::kUnknownDestination);
    CHECK(out(guard, echo_request(f.a, f.service)) == Refusal::kUnknownDestination);
    CHECK(out(guard, tcp(f.foreign, 443, f.a, 40000)) == Refusal::kNotPermitted);
    CHECK(out(guard, tcp(f.outside, 40000, f.b, 104, 0x02)) == Refusal::kNotPermitted);
    CHECK(out(guard, tcp(f.b, 40000, f.a, 443, 0x02)) == Refusal::kOtherFacility);
    CHECK(out(guard, tcp(f.a, 40000, f.b_other, 104, 0x02)) == Refusal::kOtherFacility);
    CHECK(out(guard, echo_request(f.service, f.a)) == Refusal::kNotPermitted);
    CHECK(in(guard, kA, echo_reply(f.a, f.service)) == Refusal::kNotPermitted);
  }
}

TEST_CASE("guard: the way back opens nothing", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    CHECK(out(guard, tcp(f.service, 443, f.a, 22, 0x02)) == Refusal::kOpensBackwards);
    CHECK(in(guard, kB, tcp(f.b, 104, f.a, 22, 0x02)) == Refusal::kOpensBackwards);
    CHECK(in(guard, kB, tcp(f.b, 104, f.service, 22, 0x02)) == Refusal::kOpensBackwards);
  }
}

TEST_CASE("guard: an exchange ends to the second", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    CHECK(in(guard, kA, tcp(f.a, 40000, f.b, 104), kBefore) == Refusal::kNone);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.b, 104), kEnd) == Refusal::kExpired);
    CHECK(out(guard, tcp(f.b, 104, f.a, 40000), kEnd) == Refusal::kExpired);
    CHECK(in(guard, kA, tcp(f.a, 40000, f.service, 443), kEnd) == Refusal::kNone);  // has no end
  }
}

TEST_CASE("guard: broadcast of a network", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  CHECK(in(guard, kA, udp("10.1.0.255", 9, "10.80.0.10", 5000)) == Refusal::kBroadcast);
  CHECK(in(guard, kA, udp("10.1.0.0", 9, "10.80.0.10", 5000)) == Refusal::kBroadcast);
  CHECK(out(guard, udp("10.80.0.10", 5000, "10.1.0.255", 9)) == Refusal::kBroadcast);
  CHECK(in(guard, kA, udp("10.1.0.254", 9, "10.80.0.10", 5000)) == Refusal::kNone);
}

// RFC 5508 4.2: an error passes only with a packet that policy let through the other way.
TEST_CASE("guard: ICMP errors about permitted packets only", "[guard]") {
  const Guard guard = guard_of(two_facilities());
  for (const auto& f : kFamilies) {
    const auto answer = tcp(f.service, 443, f.a, 40000);
    CHECK(in(guard, kA, unreachable(f.a, f.service, answer)) == Refusal::kNone);
    CHECK(in(guard, kA, unreachable(f.a2, f.service, answer)) == Refusal::kNone);  // a router of the facility
    CHECK(in(guard, kA, unreachable(f.b, f.service, answer)) == Refusal::kSourceForeign);
    CHECK(in(guard, kA, unreachable(f.a, f.service_other, answer)) == Refusal::kEmbedded);
    CHECK(in(guard, kA, unreachable(f.a, f.service, tcp(f.service, 443, f.b, 40000))) == Refusal::kEmbedded);
    CHECK(in(guard, kA, unreachable(f.a, f.service, tcp(f.service, 22, f.a, 40000))) != Refusal::kNone);
    CHECK(in(guard, kA, unreachable(f.a, f.outside, tcp(f.outside, 443, f.a, 40000))) != Refusal::kNone);
    CHECK(in(guard, kA, unreachable(f.a, f.b, tcp(f.b, 443, f.a, 40000))) == Refusal::kOtherFacility);
    const auto question = tcp(f.a, 40000, f.service, 443);
    CHECK(out(guard, unreachable(f.gateway, f.a, question)) == Refusal::kNone);  // a router on the way
    CHECK(out(guard, unreachable(f.b_other, f.a, question)) == Refusal::kEmbedded);
    CHECK(out(guard, unreachable(f.b, f.a, tcp(f.a, 40000, f.b, 104))) == Refusal::kNone);
    CHECK(out(guard, unreachable(f.gateway, f.b, question)) == Refusal::kEmbedded);
  }
}

TEST_CASE("guard: later fragments follow their first, overlaps are dropped", "[guard]") {
  const config::value::Instant start{std::chrono::seconds(5)};
  for (const auto& f : kFamilies) {
    FragmentTable table;
    const auto whole = udp(f.a, 9, f.service, 5000, 3000);
    const auto first = parsed(fragment(whole, 0, 1024, true));
    auto orphan = parsed(fragment(whole, 1024, 1024, true));
    CHECK(table.complete(0, orphan, start) == Refusal::kUnknownFragment);
    REQUIRE(table.remember(0, first, start) == Refusal::kNone);
    auto last = parsed(fragment(whole, 2048, 960, false));  // out of order is fine
    CHECK(table.complete(0, last, start) == Refusal::kNone);
    CHECK(last.flow.destination_port == 5000);
    auto middle = parsed(fragment(whole, 1024, 1024, true));
    CHECK(table.complete(1, middle, start) == Refusal::kUnknownFragment);  // of another facility
    CHECK(table.complete(0, middle, start) == Refusal::kNone);
    auto again = parsed(fragment(whole, 1024, 1024, true));
    CHECK(table.complete(0, again, start) == Refusal::kUnknownFragment);  // it is whole: nothing belongs to it
    REQUIRE(table.remember(0, first, start) == Refusal::kNone);
    CHECK(table.complete(0, again, start) == Refusal::kNone);
    CHECK(table.complete(0, again, start) == Refusal::kFragmentOverlap);
    CHECK(table.complete(0, last, start) == Refusal::kFragmentOverlap);  // RFC 5722 3: and all that follow
    const auto second = parsed(fragment(whole, 0, 1024, true, 78));
    REQUIRE(table.remember(0, second, start) == Refusal::kNone);
    auto over = parsed(fragment(whole, 512, 1024, true, 78));
    CHECK(table.complete(0, over, start) == Refusal::kFragmentOverlap);
    const auto third = parsed(fragment(whole, 0, 1024, true, 79));
    REQUIRE(table.remember(0, third, start) == Refusal::kNone);
    CHECK(table.remember(0, third, start) == Refusal::kFragmentOverlap);
    const auto fourth = parsed(fragment(whole, 0, 1024, true, 80));
    REQUIRE(table.remember(0, fourth, start) == Refusal::kNone);
    auto late = parsed(fragment(whole, 1024, 1024, true, 80));
    const auto lifetime = late.is_v4() ? FragmentTable::kLifetime : FragmentTable::kLifetimeV6;
    CHECK(table.complete(0, late, start + lifetime) == Refusal::kUnknownFragment);
    REQUIRE(table.remember(0, parsed(fragment(whole, 0, 1024, true, 81)), start) == Refusal::kNone);
    auto end = parsed(fragment(whole, 2048, 960, false, 81)), beyond = parsed(fragment(whole, 1024, 960, false, 81));
    CHECK(table.complete(0, end, start) == Refusal::kNone);
    CHECK(table.complete(0, beyond, start) == Refusal::kFragmentOverlap);  // a second last fragment
  }
}

// The kernel's queue of unfinished datagrams is shared by all: none may fill it.
TEST_CASE("guard: unfinished datagrams of one facility are bounded, and displace nothing", "[guard]") {
  FragmentTable table;
  const config::value::Instant start{std::chrono::seconds(5)};
  const auto whole = udp("10.1.0.7", 9, "10.80.0.10", 5000, 3000);
  REQUIRE(table.remember(2, parsed(fragment(whole, 0, 1024, true, 1)), start) == Refusal::kNone);
  std::size_t passed = 0;
  for (unsigned id = 0; id < 1000; ++id)
    passed += table.remember(0, parsed(fragment(whole, 0, 1024, true, id)), start) == Refusal::kNone;
  CHECK(passed == FragmentTable::kDatagramsPerOwner);
  CHECK(table.remember(0, parsed(fragment(whole, 0, 1024, true, 500)), start) == Refusal::kFragmentLimit);
  auto later = parsed(fragment(whole, 1024, 1984, false, 1));
  CHECK(table.complete(0, later, start) == Refusal::kNone);  // the first are still there, and can be finished
  CHECK(table.remember(0, parsed(fragment(whole, 0, 1024, true, 500)), start) == Refusal::kNone);  // which makes room
  CHECK(table.remember(0, parsed(fragment(whole, 0, 1024, true, 501)), start) == Refusal::kFragmentLimit);
  CHECK(table.complete(2, later, start) == Refusal::kNone);  // another facility sees nothing of it
  const auto given_up = start + FragmentTable::kLifetime;
  CHECK(table.remember(0, parsed(fragment(whole, 0, 1024, true, 501)), given_up - std::chrono::nanoseconds(1)) ==
        Refusal::kFragmentLimit);
  CHECK(table.remember(0, parsed(fragment(whole, 0, 1024, true, 501)), given_up) == Refusal::kNone);
}

TEST_CASE("guard: a last fragment that ends before one already seen is an overlap", "[guard]") {
  FragmentTable table;
  const config::value::Instant now{std::chrono::seconds(5)};
  const auto whole = udp("10.1.0.7", 9, "10.80.0.10", 5000, 4000);
  REQUIRE(table.remember(0, parsed(fragment(whole, 0, 1024, true)), now) == Refusal::kNone);
  const auto complete = [&](std::size_t offset, std::size_t payload, bool more) {
    auto view = parsed(fragment(whole, offset, payload, more));
    return table.complete(0, view, now);
  };
  REQUIRE(complete(2048, 1024, true) == Refusal::kNone);
  CHECK(complete(1024, 512, false) == Refusal::kFragmentOverlap);
  CHECK(complete(3072, 512, false) == Refusal::kFragmentOverlap);  // poisoned
}

TEST_CASE("guard: a fragment that reaches beyond the last one is an overlap", "[guard]") {
  FragmentTable table;
  const config::value::Instant now{std::chrono::seconds(5)};
  const auto whole = udp("10.1.0.7", 9, "10.80.0.10", 5000, 5000);
  const bool is_last = GENERATE(false, true);
  REQUIRE(table.remember(0, parsed(fragment(whole, 0, 1024, true)), now) == Refusal::kNone);
  auto last = parsed(fragment(whole, 2048, 1024, false)), beyond = parsed(fragment(whole, 3072, 1024, !is_last));
  REQUIRE(table.complete(0, last, now) == Refusal::kNone);
  CHECK(table.complete(0, beyond, now) == Refusal::kFragmentOverlap);
}

// The header that each fragment says comes next is its sender's word: what the first says is what was judged.
TEST_CASE("guard: a later fragment of another protocol belongs to no first one", "[guard]") {
  const config::value::Instant now{std::chrono::seconds(5)};
  for (const auto& f : kFamilies) {
    FragmentTable table;
    const auto whole = udp(f.a, 9, f.service, 5000, 2000);
    REQUIRE(table.remember(0, parsed(fragment(whole, 0, 1024, true)), now) == Refusal::kNone);
    auto octets = fragment(whole, 1024, 984, false);
    octets[header_of(octets) == 20 ? 9 : 40] = 6;  // RFC 791 protocol; RFC 8200 4.5 next header of the fragment header
    fix_header(octets);
    auto other = parsed(octets), same = parsed(fragment(whole, 1024, 984, false));
    CHECK(table.complete(0, other, now) == Refusal::kUnknownFragment);
    CHECK(table.complete(0, same, now) == Refusal::kNone);
  }
}

TEST_CASE("guard: small fragments without a last one are bounded by the memory they hold", "[guard]") {
  FragmentTable table;
  const config::value::Instant start{std::chrono::seconds(5)};
  const auto whole = udp("10.1.0.7", 9, "10.80.0.10", 5000, 60'000);
  std::size_t memory = 0, refused = 0;
  for (unsigned id = 0; id < 4; ++id)
    for (std::size_t at = 0; at + 256 < whole.size() - 20; at += 256) {
      auto view = parsed(fragment(whole, at, 256, true, id));
      const auto verdict = at == 0 ? table.remember(0, view, start) : table.complete(0, view, start);
      if (verdict == Refusal::kNone) memory += FragmentTable::memory_of(276);
      refused += verdict == Refusal::kFragmentLimit;
    }
  CHECK(memory <= FragmentTable::kMemoryPerOwner);
  CHECK(memory > FragmentTable::kMemoryPerOwner - FragmentTable::memory_of(276));
  CHECK(refused > 0);
}

TEST_CASE("guard: a plan that contradicts itself is refused", "[guard]") {
  const auto refused = [](auto change) {
    policy::Plan plan = two_facilities();
    change(plan);
    return !Guard::compile(plan);
  };
  CHECK_FALSE(refused([](policy::Plan&) {}));
  CHECK(refused([](policy::Plan& p) { p.facilities[1].networks[0].seen = net("10.1.0.0/25"); }));
  CHECK(refused([](policy::Plan& p) {  // back to where it comes from: nothing else is wrong with it
    auto row = p.permissions[0];
    row.kind = policy::PermissionKind::kExchange, row.until = config::value::WallTime::max();
    row.to_facility = row.from_facility, row.destination = row.source;
    p.permissions.push_back(row);
  }));
  CHECK(refused([](policy::Plan& p) { p.permissions[0].source = net("10.1.0.0/16"); }));
  CHECK(refused([](policy::Plan& p) { p.permissions[0].source = net("100.64.1.0/24"); }));
  CHECK(refused([](policy::Plan& p) { p.permissions[0].destination = net("10.1.0.9/32"); }));
  CHECK(refused([](policy::Plan& p) { p.permissions[0].destination = net("0.0.0.0/0"); }));
  CHECK(refused([](policy::Plan& p) { p.permissions[3].until.reset(); }));
  CHECK(refused([](policy::Plan& p) { p.permissions[3].to_facility = {"a"}; }));
}

TEST_CASE("guard: nothing passes before a plan", "[guard]") {
  const Guard guard;
  CHECK(in(guard, kA, tcp("10.1.0.7", 1, "10.80.0.10", 443)) == Refusal::kSourceForeign);
  CHECK(out(guard, tcp("10.80.0.10", 443, "10.1.0.7", 1)) == Refusal::kUnknownDestination);
}
