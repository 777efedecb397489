// For the coalescer's test and fuzz target: a batch of inner packets from a few octets, and whether what was joined is
// those packets, each once, octet for octet, and in order within every flow.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "gateway/core/checksum.h"
#include "gateway/core/coalescer.h"
#include "gateway/core/cutter.h"

namespace joined {

using Octets = std::vector<std::uint8_t>;

// One packet: five octets say flow, length, flags and what is unusual.
class Batch {
 public:
  static constexpr std::size_t kRecord = 5;

  void add(std::span<const std::uint8_t, kRecord> r) {
    const bool v4 = (r[0] & 1) != 0, tcp = (r[0] & 2) != 0;
    const std::size_t flow = r[0] >> 2 & 3;
    const std::size_t payload = std::size_t{r[1]} * 5 % 1400, at = v4 ? 20 : 40;
    const std::size_t options = tcp && (r[2] & 1) != 0 ? 12 : 0, transport = tcp ? 20 + options : 8;
    Octets packet(at + transport + payload);
    for (std::size_t i = 0; i < payload; ++i)
      packet[at + transport + i] = static_cast<std::uint8_t>(i * 31 + packets_.size());
    if (v4) {
      packet[0] = 0x45, packet[1] = r[3] & 3, packet[8] = 64, packet[9] = tcp ? 6 : 17;
      gateway::core::store16(packet, 2, static_cast<std::uint16_t>(packet.size()));
      gateway::core::store16(packet, 4, (r[3] & 4) != 0 ? r[4] : identification_++);
      gateway::core::store16(packet, 6, (r[3] & 8) != 0 ? 0 : 0x4000);
      packet[12] = 10, packet[13] = 1, packet[15] = static_cast<std::uint8_t>(flow), packet[16] = 10, packet[19] = 9;
    } else {
      packet[0] = 0x60, packet[3] = r[3] & 1, packet[6] = tcp ? 6 : 17, packet[7] = 64;
      gateway::core::store16(packet, 4, static_cast<std::uint16_t>(packet.size() - 40));
      packet[8] = packet[24] = 0xfd, packet[23] = static_cast<std::uint8_t>(flow + 1), packet[39] = 9;
    }
    packet[at] = 100, packet[at + 3] = 80;
    if (tcp) {
      std::uint32_t& next = sequence_[{v4, flow}];
      if ((r[2] & 2) != 0) next += r[4];  // a hole
      gateway::core::store32(packet, at + 4, next);
      next += static_cast<std::uint32_t>(payload);
      packet[at + 12] = static_cast<std::uint8_t>(transport / 4 << 4);
      packet[at + 13] = (r[2] & 4) != 0 ? r[4] : (r[2] & 8) != 0 ? 0x18 : 0x10;
      packet[at + 15] = r[2] >> 6;  // window
      std::fill_n(packet.begin() + static_cast<long>(at + 20), options, std::uint8_t{1});
    } else {
      gateway::core::store16(packet, at + 4, static_cast<std::uint16_t>(8 + payload));
    }
    if (v4)
      gateway::core::store16(packet, 10,
                             gateway::core::finish_sum(gateway::core::ones_sum(std::span(packet).first(20))));
    const std::size_t field = at + (tcp ? 16 : 6), from = v4 ? 12 : 8, half = v4 ? 4 : 16;
    const auto covered = std::span(packet).subspan(at);
    const std::uint32_t pseudo =
        gateway::core::pseudo_sum(std::span(packet).subspan(from, half), std::span(packet).subspan(from + half, half),
                                  tcp ? 6 : 17, static_cast<std::uint32_t>(covered.size()));
    gateway::core::store16(packet, field, gateway::core::finish_sum(gateway::core::ones_sum(covered, pseudo)));
    if ((r[3] & 16) != 0) packet.back() ^= 1;  // its checksum is wrong
    packets_.push_back(std::move(packet));
  }
  [[nodiscard]] const std::vector<Octets>& packets() const { return packets_; }

 private:
  std::map<std::pair<bool, std::size_t>, std::uint32_t> sequence_;
  std::uint16_t identification_ = 0;
  std::vector<Octets> packets_;
};

// What a device behind the TUN would see of one write. Empty: it could not be cut.
inline std::vector<Octets> apart(const gateway::core::TunWrite& write) {
  Octets whole;
  for (const auto piece : write.pieces) whole.insert(whole.end(), piece.begin(), piece.end());
  if (write.segmentation.kind == tunnel::wire::Segmentation::Kind::kNone) return {whole};
  const auto view = gateway::core::parse_inner(whole);
  if (!view || view->total_length != whole.size()) return {};
  tunnel::wire::Arena arena;
  std::vector<tunnel::wire::Bytes> cut;
  if (gateway::core::cut(*view, whole, write.segmentation, arena, cut) != gateway::core::Refusal::kNone) return {};
  std::vector<Octets> out;
  for (const auto piece : cut) out.emplace_back(piece.begin(), piece.end());
  return out;
}

// RFC 6864: the identification of a packet that must not be fragmented says nothing, and is not kept.
inline Octets without_identification(Octets packet) {
  if (packet[0] >> 4 == 4 && (packet[6] & 0x40) != 0)
    std::fill_n(packet.begin() + 4, 2, 0), std::fill_n(packet.begin() + 10, 2, 0);
  return packet;
}

inline Octets flow_of(const Octets& packet) {
  const bool v4 = packet[0] >> 4 == 4;
  Octets flow(packet.begin() + (v4 ? 12 : 8), packet.begin() + (v4 ? 24 : 44));
  flow.push_back(v4 ? packet[9] : packet[6]);
  return flow;
}

inline std::map<Octets, std::vector<Octets>> by_flow(const std::vector<Octets>& packets) {
  std::map<Octets, std::vector<Octets>> flows;
  for (const Octets& packet : packets) flows[flow_of(packet)].push_back(without_identification(packet));
  return flows;
}

struct Outcome {
  bool same = false;
  std::size_t writes = 0;
};

inline Outcome join(gateway::core::Coalescer& coalescer, const std::vector<Octets>& packets,
                    gateway::core::Joins joins) {
  std::vector<Octets> copies = packets;
  const std::vector<tunnel::wire::Bytes> batch(copies.begin(), copies.end());
  std::vector<Octets> seen;
  const auto writes = coalescer.join(batch, joins);
  for (const auto& write : writes) {
    const auto some = apart(write);
    if (some.empty() || some.size() != write.pieces.size()) return {false, writes.size()};
    seen.insert(seen.end(), some.begin(), some.end());
  }
  return {by_flow(seen) == by_flow(packets), writes.size()};
}

}  // namespace joined
