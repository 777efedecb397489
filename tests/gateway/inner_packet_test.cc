// Everything irregular is refused with its reason; what is regular passes unchanged. IPv4 and IPv6.
#include "tests/gateway/data_plane_packets.h"

using namespace packets;
using gateway::core::Fragment;
using gateway::core::parse_inner;
using gateway::core::Refusal;

namespace {

Refusal refusal_of(const Octets& packet) {
  const auto view = parse_inner(packet);
  return view ? Refusal::kNone : view.error();
}

struct Family {
  const char *host, *service;
};
const Family kFamilies[] = {{"10.1.0.7", "10.80.0.10"}, {"fd00:1::7", "fd00:80::10"}};

// `octets` of IPv4 options between header and transport.
Octets with_options(Octets packet, const Octets& options) {
  packet[0] = static_cast<std::uint8_t>(0x40 | (5 + options.size() / 4));
  packet.insert(packet.begin() + 20, options.begin(), options.end());
  put16(packet, 2, static_cast<unsigned>(packet.size()));
  fix_header(packet);
  return packet;
}

// An IPv6 extension header `kind` before the transport.
Octets with_extension(Octets packet, std::uint8_t kind) {
  const Octets extension = {packet[6], 0, 0, 0, 0, 0, 0, 0};
  packet[6] = kind;
  packet.insert(packet.begin() + 40, extension.begin(), extension.end());
  put16(packet, 4, static_cast<unsigned>(packet.size() - 40));
  return packet;
}

}  // namespace

TEST_CASE("inner packet: regular packets pass", "[inner_packet]") {
  for (const auto& [host, service] : kFamilies) {
    const auto view = parsed(tcp(host, 40000, service, 443, 0x02));
    CHECK(view.flow.source == ip(host));
    CHECK(view.flow.destination == ip(service));
    CHECK(view.flow.destination_port == 443);
    CHECK(view.flow.tcp_flags == 0x02);
    CHECK(refusal_of(udp(host, 1, service, 2)) == Refusal::kNone);
    CHECK(refusal_of(echo_request(host, service)) == Refusal::kNone);
    const auto error = parsed(unreachable(host, service, udp(service, 5, host, 6)));
    REQUIRE(error.quoted);
    CHECK(error.quoted->source == ip(service));
    CHECK(error.quoted->destination_port == 6);
  }
}

TEST_CASE("inner packet: padding behind the packet is not part of it", "[inner_packet]") {
  auto packet = udp("10.1.0.7", 1, "10.80.0.10", 2);
  const auto length = packet.size();
  packet.resize(length + 7);
  CHECK(parsed(packet).total_length == length);
}

TEST_CASE("inner packet: bad version, lengths and hop limit", "[inner_packet]") {
  CHECK(refusal_of({}) == Refusal::kTruncated);
  for (const auto& [host, service] : kFamilies) {
    const auto good = tcp(host, 40000, service, 443);
    auto bad = good;
    for (unsigned version : {0u, 5u, 7u, 15u}) {
      bad[0] = static_cast<std::uint8_t>(version << 4 | 5);
      CHECK(refusal_of(bad) == Refusal::kVersion);
    }
    for (std::size_t length = 1; length < good.size(); ++length)
      CHECK(refusal_of(Octets(good.begin(), good.begin() + static_cast<long>(length))) != Refusal::kNone);
    bad = good;
    put16(bad, good[0] >> 4 == 4 ? 2 : 4, static_cast<unsigned>(good.size() + 1));
    fix_header(bad);
    CHECK(refusal_of(bad) == Refusal::kTotalLength);
    bad = good;
    bad[good[0] >> 4 == 4 ? 8 : 7] = 0;
    fix_header(bad);
    CHECK(refusal_of(bad) == Refusal::kHopLimit);
  }
  auto bad = tcp("10.1.0.7", 1, "10.80.0.10", 443);
  bad[0] = 0x44;
  CHECK(refusal_of(bad) == Refusal::kHeaderLength);
  bad[0] = 0x45, bad[10] ^= 1;
  CHECK(refusal_of(bad) == Refusal::kHeaderChecksum);
}

// RFC 7126: loose and strict source route, record route, timestamp, router alert, even no-operation.
TEST_CASE("inner packet: every IPv4 option is refused", "[inner_packet]") {
  const auto good = tcp("10.1.0.7", 1, "10.80.0.10", 443);
  for (const std::uint8_t kind : Octets{0x83, 0x89, 0x07, 0x44, 0x94, 0x01})
    CHECK(refusal_of(with_options(good, {kind, 7, 4, 100, 64, 1, 5, 0})) == Refusal::kOptions);
}

// RFC 5095: routing header type 0, and every other header that is not a transport.
TEST_CASE("inner packet: every IPv6 extension header but Fragment is refused", "[inner_packet]") {
  const auto good = tcp("fd00:1::7", 1, "fd00:80::10", 443);
  for (const std::uint8_t kind : Octets{0, 43, 51, 60, 135, 139, 140, 253, 254})
    CHECK(refusal_of(with_extension(good, kind)) == Refusal::kOptions);
}

TEST_CASE("inner packet: addresses that are not one host's", "[inner_packet]") {
  for (const char* bad : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
                          "255.255.255.255"}) {
    CHECK(refusal_of(udp(bad, 1, "10.80.0.10", 2)) == Refusal::kAddress);
    CHECK(refusal_of(udp("10.1.0.7", 1, bad, 2)) == Refusal::kAddress);
  }
  for (const char* bad : {"::", "::1", "ff02::1", "ff0e::5", "fe80::1", "::ffff:10.1.0.7", "::10.1.0.7"}) {
    CHECK(refusal_of(udp(bad, 1, "fd00:80::10", 2)) == Refusal::kAddress);
    CHECK(refusal_of(udp("fd00:1::7", 1, bad, 2)) == Refusal::kAddress);
  }
  CHECK(refusal_of(tcp("10.1.0.7", 443, "10.1.0.7", 443)) == Refusal::kAddress);
}

TEST_CASE("inner packet: ICMP redirects and discovery are refused", "[inner_packet]") {
  for (const std::uint8_t type : Octets{4, 5, 9, 10, 13, 17, 30})
    CHECK(refusal_of(icmp("10.1.0.7", "10.80.0.10", type)) == Refusal::kIcmpKind);
  for (const std::uint8_t type : Octets{130, 133, 134, 135, 136, 137, 138, 143})
    CHECK(refusal_of(icmp("fd00:1::7", "fd00:80::10", type)) == Refusal::kIcmpKind);
}

TEST_CASE("inner packet: an ICMP error quotes a flow between two hosts", "[inner_packet]") {
  for (const auto& [source, destination] :
       std::vector<std::pair<std::string, std::string>>{{"10.80.0.10", "224.0.0.1"},
                                                        {"224.0.0.1", "10.1.0.7"},
                                                        {"0.0.0.0", "10.1.0.7"},
                                                        {"10.80.0.10", "127.0.0.1"}}) {
    INFO(source << " -> " << destination);
    CHECK(refusal_of(unreachable("10.1.0.7", "10.80.0.10", udp(source, 5, destination, 6))) == Refusal::kEmbedded);
  }
  for (const auto& [source, destination] : std::vector<std::pair<std::string, std::string>>{
           {"fd00:80::10", "ff02::1"}, {"ff02::1", "fd00:1::7"}, {"::", "fd00:1::7"}, {"fd00:80::10", "::1"}}) {
    INFO(source << " -> " << destination);
    CHECK(refusal_of(unreachable("fd00:1::7", "fd00:80::10", udp(source, 5, destination, 6))) == Refusal::kEmbedded);
  }
}

TEST_CASE("inner packet: an ICMP error must quote a whole header, and no error", "[inner_packet]") {
  for (const auto& [host, service] : kFamilies) {
    const auto quoted = udp(service, 5, host, 6);
    const auto header = static_cast<long>(header_of(quoted));
    for (long length = 0; length < header + 8; ++length)
      CHECK(refusal_of(unreachable(host, service, Octets(quoted.begin(), quoted.begin() + length))) ==
            Refusal::kEmbedded);
    CHECK(refusal_of(unreachable(host, service, Octets(quoted.begin(), quoted.begin() + header + 8))) ==
          Refusal::kNone);
    CHECK(refusal_of(unreachable(host, service, unreachable(service, host, quoted))) == Refusal::kEmbedded);
  }
}

// What it quotes might end in a later fragment, and that one is not looked into.
TEST_CASE("inner packet: an ICMP error in fragments is refused", "[inner_packet]") {
  for (const auto& [host, service] : kFamilies) {
    const auto whole = unreachable(host, service, udp(service, 5, host, 6, 1200));
    REQUIRE(refusal_of(whole) == Refusal::kNone);
    CHECK(refusal_of(fragment(whole, 0, 1024, true)) == Refusal::kEmbedded);
  }
}

// RFC 1858, RFC 3128, RFC 5722, RFC 8021.
TEST_CASE("inner packet: fragments that hide or overwrite the transport header", "[inner_packet]") {
  for (const auto& [host, service] : kFamilies) {
    const auto whole = tcp(host, 40000, service, 443, 0x10, {}, 2000);
    CHECK(parsed(fragment(whole, 0, 1024, true)).fragment == Fragment::kFirst);
    CHECK(parsed(fragment(whole, 1024, 996, false)).fragment == Fragment::kLater);
    CHECK(refusal_of(fragment(whole, 0, 8, true)) == Refusal::kTinyFragment);
    CHECK(refusal_of(fragment(whole, 0, 16, true)) == Refusal::kTinyFragment);
    CHECK(refusal_of(fragment(whole, 0, 248, true)) == Refusal::kTinyFragment);
    CHECK(refusal_of(fragment(whole, 8, 1024, true)) == Refusal::kTinyFragment);
    CHECK(refusal_of(fragment(whole, 1024, 300, true)) == Refusal::kFragmentForm);  // not a multiple of 8
    CHECK(refusal_of(fragment(whole, 1024, 0, false)) == Refusal::kFragmentForm);
    auto last = fragment(whole, 1024, 512, false);  // ping of death: ends beyond 65535
    put16(last, header_of(whole) == 20 ? 6 : 42, header_of(whole) == 20 ? 0x1fff : 0xfff8);
    fix_header(last);
    CHECK(refusal_of(last) == Refusal::kFragmentForm);
  }
  auto atomic = fragment(tcp("fd00:1::7", 1, "fd00:80::10", 443), 0, 20, false);
  CHECK(refusal_of(atomic) == Refusal::kFragmentForm);
}

TEST_CASE("inner packet: transport headers that do not fit", "[inner_packet]") {
  for (const auto& [host, service] : kFamilies) {
    auto bad = tcp(host, 1, service, 443);
    bad[header_of(bad) + 12] = 0x60;
    CHECK(refusal_of(bad) == Refusal::kTransportHeader);
    bad[header_of(bad) + 12] = 0x40;
    CHECK(refusal_of(bad) == Refusal::kTransportHeader);
    auto long_udp = udp(host, 1, service, 2);
    put16(long_udp, header_of(long_udp) + 4, 100);
    CHECK(refusal_of(long_udp) == Refusal::kTransportHeader);
  }
}
