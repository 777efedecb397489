// The sending half of a CHILD SA: tunnel mode, one inner packet to one ESP packet (RFC 4303 3.3). No TFC padding, no
// fragmentation of what is sealed, no selectors: those are judged before.
#pragma once

#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/crypto/rng.h"
#include "tunnel/esp/sa.h"

namespace tunnel::esp {

class OutboundSa {
 public:
  // Nothing when the suite is not supported, the key has a wrong length or the SPI is a reserved one (0..255, RFC 4303
  // 2.1). `sent`: sequence numbers already used, for an SA taken over from another process.
  [[nodiscard]] static std::optional<OutboundSa> make(const SaParams& params, std::uint64_t sent = 0);

  enum class Outcome : std::uint8_t {
    kSealed,
    kExhausted,  // every sequence number was used: nothing leaves on this SA any more (RFC 4303 3.3.3)
    kNotInner,   // neither IPv4 nor IPv6
  };
  // `packet`: sealed_size(suite(), inner.size()) octets, written from SPI to ICV when sealed. `inner` may
  // stand in it where the text goes (text_offset): then it is sealed in place. `rng` is asked for the
  // IV of CBC only (RFC 3602 3: unpredictable).
  [[nodiscard]] Outcome seal(wire::ConstBytes inner, wire::Bytes packet, crypto::Rng& rng);

  [[nodiscard]] std::uint32_t spi() const { return spi_; }
  [[nodiscard]] const crypto::CipherSuite& suite() const { return cipher_.suite(); }
  [[nodiscard]] std::uint64_t sent() const { return sequence_; }  // the last sequence number used
  // For rekeying in time.
  [[nodiscard]] std::uint64_t left() const { return last_ - sequence_; }
  [[nodiscard]] const SaUse& use() const { return use_; }

 private:
  OutboundSa(const SaParams& params, std::uint64_t sent, crypto::PacketCipher cipher);
  crypto::PacketCipher cipher_;
  std::uint32_t spi_;
  bool extended_;
  std::uint64_t sequence_, last_;
  SaUse use_;
};

}  // namespace tunnel::esp
