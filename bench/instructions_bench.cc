// One part of a packet's way, COUNT times with always the same packets: `bench/instructions` counts what the processor
// executes. Nothing is timed here.
//   bench_instructions PART OCTETS COUNT   PART: parse cut join esp-seal esp-both wireguard-seal wireguard-both
//                                          ike-cookie
// `both` seals and opens again. A packet has OCTETS; cut and join work on forty at a time, COUNT in all. ike-cookie: a
// stranger's first message of IKEv2 in a flood of them, answered with a cookie; OCTETS means nothing there.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gateway/core/checksum.h"
#include "gateway/core/coalescer.h"
#include "gateway/core/cutter.h"
#include "tests/sim/ike_nodes.h"
#include "tunnel/crypto/aead.h"
#include "tunnel/esp/inbound_sa.h"
#include "tunnel/esp/outbound_sa.h"

namespace {

using namespace gateway::core;
using Octets = std::vector<std::uint8_t>;
constexpr std::size_t kHeaders = 40, kTogether = 40;  // octets; packets of one super-packet

class FixedRng : public tunnel::crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override { std::ranges::fill(out, ++value_); }

 private:
  std::uint8_t value_ = 0;
};

// A TCP segment over IPv4 with good checksums.
Octets segment(std::size_t octets, std::uint32_t sequence) {
  Octets packet(octets, 0x55);
  const std::array<std::uint8_t, kHeaders> header{0x45, 0, 0,  0,  0,    0,    0x40, 0, 64, 6,  0, 0, 10, 1,
                                                  0,    5, 10, 80, 0,    10,   1,    0, 20, 81, 0, 0, 0,  0,
                                                  0,    0, 0,  1,  0x50, 0x10, 0x20, 0, 0,  0,  0, 0};
  std::ranges::copy(header, packet.begin());
  store16(packet, 2, static_cast<std::uint16_t>(octets));
  store32(packet, 24, sequence);
  store16(packet, 10, finish_sum(ones_sum(std::span(packet).first(20))));
  const std::span<const std::uint8_t> all(packet);
  const auto length = static_cast<std::uint32_t>(octets - 20);
  const std::uint32_t pseudo = pseudo_sum(all.subspan(12, 4), all.subspan(16, 4), kProtocolTcp, length);
  store16(packet, 36, finish_sum(ones_sum(all.subspan(20), pseudo)));
  return packet;
}

void require(bool good) {
  if (!good) std::abort();
}

void parse(std::size_t octets, std::size_t count) {
  const Octets packet = segment(octets, 1);
  for (std::size_t i = 0; i < count; ++i) require(parse_inner(packet).has_value());
}

void cut_all(std::size_t octets, std::size_t count) {
  const std::size_t payload = octets - kHeaders;
  const Octets packet = segment(kHeaders + kTogether * payload, 1);
  tunnel::wire::Segmentation how;
  how.kind = tunnel::wire::Segmentation::Kind::kTcpV4;
  how.segment_size = static_cast<std::uint16_t>(payload);
  const auto view = parse_inner(packet);
  require(view.has_value());
  tunnel::wire::Arena arena;
  std::vector<tunnel::wire::Bytes> out;
  for (std::size_t done = 0; done < count; done += kTogether, arena.clear(), out.clear())
    require(cut(*view, packet, how, arena, out) == Refusal::kNone && out.size() == kTogether);
}

void join_all(std::size_t octets, std::size_t count) {
  const std::size_t payload = octets - kHeaders;
  std::vector<Octets> fresh;
  for (std::size_t i = 0; i < kTogether; ++i)
    fresh.push_back(segment(octets, static_cast<std::uint32_t>(1 + i * payload)));
  std::vector<Octets> packets = fresh;
  std::vector<tunnel::wire::Bytes> batch(packets.begin(), packets.end());
  Coalescer coalescer;
  for (std::size_t done = 0; done < count; done += kTogether) {
    std::copy_n(fresh[0].begin(), kHeaders, packets[0].begin());  // joining changed the first one's header
    require(coalescer.join(batch, {true, true}).size() == 1);
  }
}

void esp(std::size_t octets, std::size_t count, bool open) {
  const Octets key(36, 7), inner = segment(octets, 1);
  const tunnel::crypto::CipherSuite suite{tunnel::crypto::Encryption::kAesGcm16, 256, tunnel::crypto::Integrity::kNone};
  const tunnel::esp::SaParams params{0x1000, suite, key, true};
  auto out = tunnel::esp::OutboundSa::make(params);
  auto in = tunnel::esp::InboundSa::make(params);
  require(out && in);
  Octets packet(tunnel::esp::sealed_size(suite, inner.size()));
  FixedRng rng;
  for (std::size_t i = 0; i < count; ++i) {
    require(out->seal(inner, packet, rng) == tunnel::esp::OutboundSa::Outcome::kSealed);
    if (open) require(in->open(packet).has_value());
  }
}

void wireguard(std::size_t octets, std::size_t count, bool open) {
  tunnel::crypto::Aead aead;
  std::array<std::uint8_t, 32> key{1};
  Octets packet(octets + tunnel::crypto::kTagSize);
  for (std::size_t i = 0; i < count; ++i) {
    aead.seal(key, i, {}, packet);
    if (open) require(aead.open(key, i, {}, packet));
  }
}

void ike_cookie(std::size_t, std::size_t count) {
  ike_sim::Pair pair;
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.a.set_peer(pair.b_at_a, pair.now);
  const auto sent = pair.a.take_sent();
  require(sent.size() == 1);
  Octets message = sent[0].bytes;
  tunnel::wire::Outputs out;
  for (std::size_t i = 0; i < count; ++i, out.clear()) {
    store32(message, 0, static_cast<std::uint32_t>(i + 1));  // SPIi
    pair.b.endpoint->receive({{sent[0].from, pair.b.address, 0}, message, 0}, pair.now, out);
    require(out.transmits.size() == 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  using Part = std::function<void(std::size_t, std::size_t)>;
  const std::map<std::string, Part> parts{
      {"parse", parse},
      {"cut", cut_all},
      {"join", join_all},
      {"esp-seal", [](std::size_t octets, std::size_t count) { esp(octets, count, false); }},
      {"esp-both", [](std::size_t octets, std::size_t count) { esp(octets, count, true); }},
      {"wireguard-seal", [](std::size_t octets, std::size_t count) { wireguard(octets, count, false); }},
      {"ike-cookie", ike_cookie},
      {"wireguard-both", [](std::size_t octets, std::size_t count) { wireguard(octets, count, true); }}};
  const auto part = argc == 4 ? parts.find(argv[1]) : parts.end();
  const std::size_t octets = argc == 4 ? std::strtoul(argv[2], nullptr, 10) : 0;
  if (part == parts.end() || octets <= kHeaders || octets > 1500)
    return std::fputs("bench_instructions PART OCTETS COUNT\n", stderr), 2;
  part->second(octets, std::strtoul(argv[3], nullptr, 10));
}
