// Any octets as ESP. The first chooses a suite and what is done: the rest as a packet from anybody (nothing opens), the
// rest as text under a right ICV (whatever comes out is an IP packet of its own length), or the rest as sequence
// numbers, good and forged, against a naive set.
#include <cstdlib>
#include <set>

#include "tests/tunnel/esp_support.h"
#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/esp/udp_framing.h"
#include "tunnel/wire/inner_packet.h"

using namespace esp_support;

namespace {

void must(bool fact) {
  if (!fact) std::abort();
}

void from_anybody(SaPair& pair, Octets packet) {
  const FramedBytes framed = unframe(packet);
  must(framed.bytes.size() <= packet.size());
  if (framed.kind != Framed::kEsp) return;
  for (std::uint8_t i = 0; i < 4; ++i) packet[i] = static_cast<std::uint8_t>(i + 1);  // the SPI of this SA
  must(!pair.in.open(packet).has_value());
  must(pair.in.highest() == 0);
}

void from_peer(SaPair& pair, Octets text) {
  const std::size_t iv = tunnel::crypto::explicit_iv_size(pair.suite);
  text.resize(text.size() / tunnel::crypto::block_size(pair.suite) * tunnel::crypto::block_size(pair.suite));
  const std::size_t size = text.size();
  text.resize(size + tunnel::crypto::tag_size(pair.suite));
  Octets packet = {1, 2, 3, 4, 0, 0, 0, 1};
  packet.resize(kHeaderSize + iv, 7);
  const AssociatedData associated(pair.suite, packet, pair.extended ? std::optional<std::uint32_t>(0) : std::nullopt);
  auto cipher = tunnel::crypto::PacketCipher::make(pair.suite, pair.key);
  cipher->seal(std::span(packet).subspan(kHeaderSize), {associated.before(), associated.after()}, text);
  packet.insert(packet.end(), text.begin(), text.end());
  const auto opened = pair.in.open(packet);
  if (size == 0) return must(!opened.has_value());
  must(pair.in.highest() == 1);
  if (!opened || opened->empty()) return;
  must(opened->data() == packet.data() + kHeaderSize + iv && opened->size() + kTrailerSize <= size);
  const auto facts = tunnel::wire::inner_facts(*opened);
  must(facts && facts->length == opened->size());
}

// Two octets a step: a move of the sender, and how far back the packet lies or whether it is forged.
void numbers(SaPair& pair, std::span<const std::uint8_t> steps) {
  std::set<std::uint64_t> seen;
  std::uint64_t sent = 1, highest = 0;
  for (std::size_t i = 0; i + 1 < steps.size() && i < 512; i += 2) {
    sent += std::uint64_t{steps[i]} << (steps[i + 1] & 7) * 4;
    const std::uint64_t back = std::uint64_t{steps[i + 1]} * 40, number = sent > back + 1 ? sent - back : 1;
    const bool forged = (steps[i] & 0x1f) == 0x1f;
    if (number > UINT32_MAX && !pair.extended) return;
    Octets packet = pair.numbered(number, inner_v4(20));
    if (forged) packet.back() ^= 1;
    const bool fresh = !seen.contains(number) && number + InboundSa::kWindow > highest;
    // Further ahead than this, ESN's high half is guessed wrong.
    const bool reached = !pair.extended || number < highest + (std::uint64_t{1} << 32) - InboundSa::kWindow;
    must((pair.open(packet) == std::nullopt) == (fresh && reached && !forged));
    if (!fresh || !reached || forged) continue;
    seen.insert(number);
    highest = std::max(highest, number);
    must(pair.in.highest() == highest);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  SaPair pair(kSuites[data[0] % std::size(kSuites)], (data[0] & 0x80) != 0);
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  switch (data[0] >> 4 & 3) {
    case 0:
      from_anybody(pair, {rest.begin(), rest.end()});
      break;
    case 1:
      numbers(pair, rest);
      break;
    default:
      from_peer(pair, {rest.begin(), rest.end()});
  }
  return 0;
}
