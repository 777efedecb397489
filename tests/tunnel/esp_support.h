// SAs and inner packets for the tests of ESP.
#pragma once

#include <string>
#include <vector>

#include "tunnel/crypto/rng.h"
#include "tunnel/esp/inbound_sa.h"
#include "tunnel/esp/outbound_sa.h"

namespace esp_support {

using namespace tunnel::esp;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Integrity;
using tunnel::wire::Drop;
using Octets = std::vector<std::uint8_t>;

inline constexpr std::uint32_t kSpi = 0x01020304;

inline constexpr CipherSuite kSuites[] = {
    {Encryption::kAesGcm16, 128, Integrity::kNone},         {Encryption::kAesGcm16, 256, Integrity::kNone},
    {Encryption::kChaCha20Poly1305, 256, Integrity::kNone}, {Encryption::kAesCbc, 128, Integrity::kHmacSha256_128},
    {Encryption::kAesCbc, 256, Integrity::kHmacSha256_128}, {Encryption::kAesCbc, 256, Integrity::kHmacSha384_192},
    {Encryption::kAesCbc, 256, Integrity::kHmacSha512_256},
};

class CountingRng : public tunnel::crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out)
      octet = static_cast<std::uint8_t>(state_ = state_ * 6364136223846793005u + 1442695u);
  }

 private:
  std::uint64_t state_ = 1;
};

inline Octets key_of(const CipherSuite& suite, std::uint8_t seed = 1) {
  Octets key(tunnel::crypto::key_sizes(suite).total());
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i * 3 + seed);
  return key;
}

// An inner packet of `size` octets, 20 at least (40 for IPv6), with the length in its header.
inline Octets inner_v4(std::size_t size) {
  Octets packet(size, 0x5a);
  packet[0] = 0x45;
  packet[2] = static_cast<std::uint8_t>(size >> 8), packet[3] = static_cast<std::uint8_t>(size);
  return packet;
}
inline Octets inner_v6(std::size_t size) {
  Octets packet(size, 0x66);
  packet[0] = 0x60;
  packet[4] = static_cast<std::uint8_t>((size - 40) >> 8), packet[5] = static_cast<std::uint8_t>(size - 40);
  return packet;
}

struct SaPair {
  explicit SaPair(const CipherSuite& cipher = kSuites[1], bool esn = false)
      : suite(cipher), extended(esn), key(key_of(cipher)), in(*InboundSa::make(params())), out(sender(0)) {}

  [[nodiscard]] SaParams params() const { return {kSpi, suite, key, extended}; }
  // A sender that has used `sent` sequence numbers already.
  [[nodiscard]] OutboundSa sender(std::uint64_t sent) const { return std::move(*OutboundSa::make(params(), sent)); }
  Octets seal_with(OutboundSa& sa, const Octets& inner) {
    Octets packet(sealed_size(suite, inner.size()));
    if (sa.seal(inner, packet, rng) != OutboundSa::Outcome::kSealed) packet.clear();
    return packet;
  }
  Octets seal(const Octets& inner) { return seal_with(out, inner); }
  // The packet with this sequence number.
  Octets numbered(std::uint64_t sequence, const Octets& inner = inner_v4(40)) {
    OutboundSa sa = sender(sequence - 1);
    return seal_with(sa, inner);
  }
  // What came out; the drop reason when nothing did.
  std::optional<Drop> open(Octets packet, Octets* inner = nullptr) {
    const auto opened = in.open(packet);
    if (!opened) return opened.error();
    if (inner != nullptr) inner->assign(opened->begin(), opened->end());
    return std::nullopt;
  }
  std::optional<Drop> receive(std::uint64_t sequence) { return open(numbered(sequence)); }

  CipherSuite suite;
  bool extended;
  Octets key;
  InboundSa in;
  OutboundSa out;
  CountingRng rng;
};

}  // namespace esp_support
