// The receiving half of a CHILD SA (RFC 4303 3.4): replay check, opening, then everything the trailer says is judged.
// The inner source and the selectors are not judged here.
#pragma once

#include "config/value/result.h"
#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/esp/sa.h"
#include "tunnel/wire/outputs.h"
#include "tunnel/wire/replay_window.h"

namespace tunnel::esp {

class InboundSa {
 public:
  static constexpr std::uint64_t kWindow = wire::ReplayWindow::kSize + 1;  // sequence numbers, the highest included

  [[nodiscard]] static std::optional<InboundSa> make(const SaParams& params);

  // `packet`: from SPI to ICV, with this SA's SPI; changed in place. The inner packet, at the length its own header
  // says (RFC 4303 2.7: what follows is TFC padding); empty: an authenticated dummy, nothing to deliver. Else why not:
  // kMalformed, kReplay, kForged, and kInnerMalformed for what a right ICV stood over.
  [[nodiscard]] config::value::Result<wire::Bytes, wire::Drop> open(wire::Bytes packet);

  [[nodiscard]] std::uint32_t spi() const { return spi_; }
  [[nodiscard]] const crypto::CipherSuite& suite() const { return cipher_.suite(); }
  [[nodiscard]] std::uint64_t highest() const { return window_.highest(); }  // sequence number received
  [[nodiscard]] const SaUse& use() const { return use_; }

 private:
  InboundSa(const SaParams& params, crypto::PacketCipher cipher);
  // The whole sequence number of which `low` is on the wire; nothing: none that could be.
  [[nodiscard]] std::optional<std::uint64_t> sequence_of(std::uint32_t low) const;

  crypto::PacketCipher cipher_;
  std::uint32_t spi_;
  bool extended_;
  wire::ReplayWindow window_;
  SaUse use_;
};

}  // namespace tunnel::esp
