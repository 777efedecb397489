// Real sockets on loopback: batches, both ends, source address selection and the ECN bits, IPv4 and IPv6.
#include "gateway/os/udp_socket.h"

#include <poll.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "gateway/os/outside_socket.h"
#include "tests/gateway/network_namespace.h"
#include "tests/gateway/patience.h"

using config::value::SocketAddress;
using gateway::os::UdpSocket;

namespace {

UdpSocket open_on(const std::string& text, std::uint16_t index) {
  const auto address = config::value::IpAddress::parse(text);
  REQUIRE(address);
  auto descriptor = gateway::os::bind_outside({*address, 0});
  REQUIRE(descriptor);
  const auto bound = gateway::os::bound_address(descriptor->number());
  REQUIRE(bound);
  return UdpSocket(*std::move(descriptor), *bound, index);
}

std::vector<tunnel::wire::OuterDatagram> receive(UdpSocket& socket) {
  REQUIRE(gateway::tests::readable(socket.descriptor()));
  const auto got = socket.receive();
  return {got.begin(), got.end()};
}

}  // namespace

TEST_CASE("udp socket: a batch arrives in order with both ends and ECN", "[udp_socket]") {
  for (const char* where : {"127.0.0.1", "::1"}) {
    UdpSocket from = open_on(where, 3), to = open_on(where, 4);
    std::vector<std::array<std::uint8_t, 2>> payloads(150);
    std::vector<tunnel::wire::Transmit> batch;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      payloads[i] = {static_cast<std::uint8_t>(i), 7};
      batch.push_back({{to.bound(), from.bound().address, 3}, payloads[i], static_cast<std::uint8_t>(i % 4)});
    }
    REQUIRE(from.send(batch) == batch.size());
    std::size_t seen = 0;
    while (seen < batch.size())
      for (const auto& datagram : receive(to)) {
        REQUIRE(datagram.bytes.size() == 2);
        CHECK(datagram.bytes[0] == seen);
        CHECK(datagram.ecn == seen % 4);
        CHECK(datagram.path.remote == from.bound());
        CHECK(datagram.path.local == to.bound().address);
        CHECK(datagram.path.socket == 4);
        ++seen;
      }
    CHECK(to.receive().empty());
    CHECK(to.counters().received == 150);
  }
}

TEST_CASE("udp socket: the answer leaves from the address that was asked", "[udp_socket]") {
  UdpSocket any = open_on("0.0.0.0", 0), peer = open_on("127.0.0.1", 1);
  const std::array<std::uint8_t, 1> payload{9};
  const SocketAddress second{*config::value::IpAddress::parse("127.0.0.2"), any.bound().port};
  const tunnel::wire::Transmit ask{{second, peer.bound().address, 1}, payload, 0};
  REQUIRE(peer.send({&ask, 1}) == 1);
  const auto asked = receive(any);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].path.local == second.address);
  const tunnel::wire::Transmit answer{asked[0].path, payload, 0};
  REQUIRE(any.send({&answer, 1}) == 1);
  const auto answered = receive(peer);
  REQUIRE(answered.size() == 1);
  CHECK(answered[0].path.remote == second);
}

TEST_CASE("udp socket: what cannot leave or does not fit is counted, the rest goes on", "[udp_socket]") {
  UdpSocket from = open_on("127.0.0.1", 0), to = open_on("127.0.0.1", 1);
  const std::array<std::uint8_t, 1> payload{9};
  const std::vector<std::uint8_t> too_long(UdpSocket::kLargest + 1);
  const SocketAddress nowhere{*config::value::IpAddress::parse("255.255.255.255"), 9};  // broadcast: EACCES
  const std::vector<tunnel::wire::Transmit> batch{{{nowhere, from.bound().address, 0}, payload, 0},
                                                  {{to.bound(), from.bound().address, 0}, too_long, 0},
                                                  {{to.bound(), from.bound().address, 0}, payload, 0}};
  REQUIRE(from.send(batch) == batch.size());
  CHECK(from.counters().send_failed == 1);
  std::size_t got = 0;
  for (int tries = 0; tries < 10 && got == 0; ++tries) got = receive(to).size();
  CHECK(got == 1);
  CHECK(to.counters().truncated == 1);
}

// RFC 4303 2: protocol 50 without UDP. The kernel gives IPv4 packets with their header, IPv6 ones without.
TEST_CASE("udp socket: protocol 50 comes without its IP header and with port 0", "[udp_socket]") {
  for (const char* where : {"127.0.0.1", "::1"}) {
    const auto address = *config::value::IpAddress::parse(where);
    auto descriptor = gateway::os::bind_outside_esp(address);
    if (!descriptor) FAIL(descriptor.error().to_string());
    const auto bound = gateway::os::bound_address(descriptor->number());
    REQUIRE(bound == SocketAddress{address, 0});
    UdpSocket socket(*std::move(descriptor), *bound, 5);
    const std::array<std::uint8_t, 12> packet{0, 0, 1, 2, 0, 0, 0, 1, 9, 8, 7, 6};
    const std::vector<tunnel::wire::Transmit> batch{{{{address, 0}, address, 5}, packet, 2}};
    REQUIRE(socket.send(batch) == 1);
    const auto got = receive(socket);
    REQUIRE(got.size() == 1);
    CHECK(std::ranges::equal(got[0].bytes, packet));
    CHECK(got[0].ecn == 2);
    CHECK(got[0].path.remote == SocketAddress{address, 0});
    CHECK(got[0].path.local == address);
  }
}

// RFC 5927 7: a forged "fragmentation needed" must not shrink what leaves for a peer.
TEST_CASE("udp socket: no outside socket learns a path MTU", "[udp_socket]") {
  for (const char* where : {"127.0.0.1", "::1"}) {
    const auto address = *config::value::IpAddress::parse(where);
    const auto udp = gateway::os::bind_outside({address, 0}), esp = gateway::os::bind_outside_esp(address);
    REQUIRE((udp && esp));
    for (const int descriptor : {udp->number(), esp->number()}) {
      int discovery = -1;
      socklen_t size = sizeof discovery;
      if (address.is_v4()) {
        REQUIRE(getsockopt(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &discovery, &size) == 0);
        CHECK(discovery == IP_PMTUDISC_OMIT);
      } else {
        REQUIRE(getsockopt(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discovery, &size) == 0);
        CHECK(discovery == IPV6_PMTUDISC_OMIT);
      }
    }
  }
}

TEST_CASE("udp socket: what is neither UDP nor protocol 50 has no outside address", "[udp_socket]") {
  CHECK_FALSE(gateway::os::bound_address(0).has_value());
  const gateway::os::FileDescriptor stream(::socket(AF_INET, SOCK_STREAM, 0));
  CHECK_FALSE(gateway::os::bound_address(stream.number()).has_value());
  const gateway::os::FileDescriptor other(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  REQUIRE(other.valid());
  CHECK_FALSE(gateway::os::bound_address(other.number()).has_value());
}

TEST_CASE("udp socket: equal datagrams of one peer leave as one, and arrive as they were", "[udp_socket]") {
  for (const char* where : {"127.0.0.1", "::1"})
    for (const auto& [segment, gro] : {std::pair{true, true}, {false, true}, {true, false}, {false, false}}) {
      UdpSocket from = open_on(where, 3), to = open_on(where, 4);
      CHECK((from.offloads().segment && to.offloads().gro));  // every kernel that Debian 12 runs on has them
      from.use({segment, true}), to.use({true, gro});
      CHECK(from.offloads().segment == segment);
      CHECK(to.offloads().gro == gro);
      // lengths with every kind of border: a run, its short end, a longer one after it, a mark in between, one alone
      std::vector<std::vector<std::uint8_t>> payloads;
      std::vector<std::uint8_t> marks;
      const auto add = [&](std::size_t count, std::size_t size, std::uint8_t mark) {
        for (std::size_t i = 0; i < count; ++i) {
          payloads.emplace_back(size, static_cast<std::uint8_t>(payloads.size()));
          marks.push_back(mark);
        }
      };
      add(100, 1400, 0), add(1, 200, 0), add(3, 1400, 0), add(2, 1400, 1), add(1, 1401, 1), add(2, 8, 1),
          add(70, 20, 0);
      std::vector<tunnel::wire::Transmit> batch;
      for (std::size_t i = 0; i < payloads.size(); ++i)
        batch.push_back({{to.bound(), from.bound().address, 3}, payloads[i], marks[i]});
      REQUIRE(from.send(batch) == batch.size());
      std::size_t seen = 0;
      while (seen < payloads.size())
        for (const auto& datagram : receive(to)) {
          REQUIRE(seen < payloads.size());
          CHECK(std::ranges::equal(datagram.bytes, payloads[seen]));
          CHECK(datagram.ecn == marks[seen]);
          CHECK(datagram.path.remote == from.bound());
          ++seen;
        }
      CHECK(to.receive().empty());
      CHECK(from.counters().sent == payloads.size());
      CHECK((from.counters().segmented > 150) == segment);
      CHECK((to.counters().coalesced > 0) == (segment && gro));
      CHECK(to.counters().received == payloads.size());
    }
}

TEST_CASE("udp socket: a source that is not ours does not end sending several as one", "[udp_socket]") {
  UdpSocket from = open_on("::", 0), to = open_on("::1", 1);
  if (!from.offloads().segment) return;
  const std::array<std::uint8_t, 100> payload{9};
  const auto foreign = *config::value::IpAddress::parse("2001:db8::77");  // EINVAL; of IPv4 it would be ENETUNREACH
  std::vector<tunnel::wire::Transmit> batch(4, {{to.bound(), foreign, 0}, payload, 0});
  CHECK(from.send(batch) == batch.size());
  CHECK(from.counters().send_failed == batch.size());
  CHECK(from.offloads().segment);
  for (auto& transmit : batch) transmit.path.local = {};
  CHECK(from.send(batch) == batch.size());
  CHECK(from.counters().segmented == batch.size());
}

// udp(7): UDP_SEGMENT is refused where one datagram is longer than the way takes unfragmented.
TEST_CASE("udp socket: to a peer behind a narrow way datagrams go singly, and to the others still several in one",
          "[udp_socket]") {
  const gateway::tests::NetworkNamespace alone;
  REQUIRE(gateway::tests::stranger("ip link set lo mtu 1280") == 0);
  UdpSocket from = open_on("127.0.0.1", 3), to = open_on("0.0.0.0", 4);
  const std::vector<std::uint8_t> longer(1400, 1), shorter(1000, 2);
  const auto send = [&](const std::vector<std::uint8_t>& payload, const char* address) {
    const SocketAddress remote{*config::value::IpAddress::parse(address), to.bound().port};
    const std::vector<tunnel::wire::Transmit> batch(8, {{remote, from.bound().address, 3}, payload, 0});
    const auto segmented = from.counters().segmented;
    CHECK(from.send(batch) == 8);
    std::size_t seen = 0;
    while (seen < 8)
      for (const auto& datagram : receive(to)) CHECK((++seen, std::ranges::equal(datagram.bytes, payload)));
    return from.counters().segmented - segmented;
  };
  CHECK(send(shorter, "127.0.0.1") == 8);
  CHECK(send(longer, "127.0.0.1") == 0);
  CHECK(send(shorter, "127.0.0.1") == 0);  // remembered
  CHECK(send(shorter, "127.0.0.2") == 8);
  CHECK(from.counters().send_failed == 0);
  CHECK(from.offloads().segment);
}
