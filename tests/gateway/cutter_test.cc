// A super-packet cut: every octet of payload once and in order, headers that say so, checksums that hold.
#include "gateway/core/cutter.h"

#include <algorithm>

#include "gateway/core/checksum.h"
#include "tests/gateway/data_plane_packets.h"

using namespace packets;
using gateway::core::Refusal;
using tunnel::wire::Segmentation;

namespace {

struct Super {
  Octets bytes;
  Segmentation segmentation;
};

// Flags FIN, PSH, ACK and CWR; 12 octets of options, as timestamps are.
Super tcp_super(bool v4, std::size_t payload, std::uint16_t segment) {
  Octets tcp(32 + payload);
  put16(tcp, 0, 40000), put16(tcp, 2, 104);
  put16(tcp, 4, 0xffff), put16(tcp, 6, 0xff00);  // the sequence number wraps within
  tcp[12] = 8 << 4, tcp[13] = 0x80 | 0x10 | 0x08 | 0x01;
  for (std::size_t i = 20; i < 32; ++i) tcp[i] = 1;
  for (std::size_t i = 0; i < payload; ++i) tcp[32 + i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  const Octets packet =
      v4 ? ip_packet(ip("10.1.0.7"), ip("10.80.0.10"), 6, tcp) : ip_packet(ip("fd00:1::7"), ip("fd00:80::10"), 6, tcp);
  return {packet, {v4 ? Segmentation::Kind::kTcpV4 : Segmentation::Kind::kTcpV6, 0, segment, 0, 0, true}};
}

Super udp_super(bool v4, std::size_t payload, std::uint16_t segment) {
  Octets udp(8 + payload);
  put16(udp, 0, 5000), put16(udp, 2, 5001), put16(udp, 4, static_cast<unsigned>(udp.size()));
  for (std::size_t i = 0; i < payload; ++i) udp[8 + i] = static_cast<std::uint8_t>(i * 3 + i / 256);
  const Octets packet = v4 ? ip_packet(ip("10.1.0.7"), ip("10.80.0.10"), 17, udp)
                           : ip_packet(ip("fd00:1::7"), ip("fd00:80::10"), 17, udp);
  return {packet, {Segmentation::Kind::kUdp, 0, segment, 0, 0, true}};
}

struct Cut {
  Refusal refusal = Refusal::kNone;
  std::vector<Octets> packets;
};

Cut cut(const Super& super) {
  const auto view = gateway::core::parse_inner(super.bytes);
  REQUIRE(view);
  tunnel::wire::Arena arena;
  std::vector<tunnel::wire::Bytes> pieces;
  Cut done;
  done.refusal = gateway::core::cut(*view, super.bytes, super.segmentation, arena, pieces);
  for (const auto piece : pieces) done.packets.emplace_back(piece.begin(), piece.end());
  return done;
}

// As it would be computed from scratch by the test's own code.
bool sums_hold(const Octets& packet) {
  Octets fixed = packet;
  fix_transport(fixed), fix_header(fixed);
  return fixed == packet;
}

}  // namespace

TEST_CASE("cutter: TCP in both families, every kind of tail", "[cutter]") {
  for (const bool v4 : {true, false})
    for (const std::size_t payload : {1u, 1399u, 1400u, 1401u, 2800u, 64'000u})
      for (const std::uint16_t segment : {std::uint16_t{1400}, std::uint16_t{536}}) {
        const Super super = tcp_super(v4, payload, segment);
        const Cut done = cut(super);
        const std::size_t headers = (v4 ? 20 : 40) + 32;
        REQUIRE(done.refusal == Refusal::kNone);
        REQUIRE(done.packets.size() == (payload + segment - 1) / segment);
        Octets joined;
        for (std::size_t i = 0; i < done.packets.size(); ++i) {
          const Octets& packet = done.packets[i];
          const bool last = i + 1 == done.packets.size();
          const auto view = gateway::core::parse_inner(packet);
          REQUIRE(view);
          CHECK(view->total_length == packet.size());
          CHECK(packet.size() - headers == (last ? payload - i * segment : segment));
          CHECK(sums_hold(packet));
          const std::size_t tcp = headers - 32;
          CHECK(gateway::core::load32(packet, tcp + 4) == static_cast<std::uint32_t>(0xffffff00u + joined.size()));
          CHECK((packet[tcp + 13] & 0x80) == (i == 0 ? 0x80 : 0));  // CWR: the first
          CHECK((packet[tcp + 13] & 0x09) == (last ? 0x09 : 0));    // PSH and FIN: the last
          CHECK((packet[tcp + 13] & 0x10) == 0x10);
          if (v4) CHECK(gateway::core::load16(packet, 4) == gateway::core::load16(super.bytes, 4) + i);
          joined.insert(joined.end(), packet.begin() + static_cast<long>(headers), packet.end());
        }
        CHECK(joined == Octets(super.bytes.begin() + static_cast<long>(headers), super.bytes.end()));
      }
}

TEST_CASE("cutter: UDP datagrams with lengths and checksums of their own", "[cutter]") {
  for (const bool v4 : {true, false}) {
    const Super super = udp_super(v4, 5000, 1200);
    const Cut done = cut(super);
    REQUIRE(done.packets.size() == 5);
    Octets joined;
    const std::size_t headers = (v4 ? 20 : 40) + 8;
    for (const Octets& packet : done.packets) {
      CHECK(sums_hold(packet));
      CHECK(gateway::core::load16(packet, headers - 4) == packet.size() - headers + 8);
      joined.insert(joined.end(), packet.begin() + static_cast<long>(headers), packet.end());
    }
    CHECK(joined == Octets(super.bytes.begin() + static_cast<long>(headers), super.bytes.end()));
  }
}

TEST_CASE("cutter: what the virtio header says must fit the packet", "[cutter]") {
  Super super = tcp_super(true, 3000, 1000);
  CHECK(cut(super).refusal == Refusal::kNone);
  for (const auto kind : {Segmentation::Kind::kTcpV6, Segmentation::Kind::kUdp, Segmentation::Kind::kNone}) {
    super.segmentation.kind = kind;
    CHECK(cut(super).refusal == Refusal::kSuperPacket);
    CHECK(cut(super).packets.empty());
  }
  super.segmentation.kind = Segmentation::Kind::kTcpV4;
  super.segmentation.segment_size = 0;
  CHECK(cut(super).refusal == Refusal::kSuperPacket);
  super.segmentation.segment_size = 2;  // 1,500 packets of one
  CHECK(cut(super).refusal == Refusal::kSuperPacket);
  super.segmentation.segment_size = 3;
  CHECK(cut(super).packets.size() == 1000);
}

TEST_CASE("cutter: how long the largest packet will be is known before", "[cutter]") {
  const Super super = tcp_super(true, 3000, 1000);
  const auto view = gateway::core::parse_inner(super.bytes);
  REQUIRE(view);
  CHECK(gateway::core::largest_segment(*view, super.bytes, super.segmentation) == 20 + 32 + 1000);
  const Super small = tcp_super(true, 300, 1000);
  CHECK(gateway::core::largest_segment(*gateway::core::parse_inner(small.bytes), small.bytes, small.segmentation) ==
        352);
}

TEST_CASE("checksum: long sums are those of short ones, at every length and start", "[cutter]") {
  Octets octets(300);
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<std::uint8_t>(i * 151 + 200);
  for (std::size_t from = 0; from < 9; ++from)
    for (std::size_t length = 0; length + from <= octets.size(); ++length) {
      const Octets part(octets.begin() + static_cast<long>(from), octets.begin() + static_cast<long>(from + length));
      CHECK(gateway::core::finish_sum(gateway::core::ones_sum(std::span(octets).subspan(from, length))) ==
            sum_of(part));
    }
}
