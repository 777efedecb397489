// The Encrypted payload SK and the Encrypted Fragment payload SKF (RFC 7296 3.14, RFC 5282, RFC 7383 2.5): seal what a
// Chain wrote, open what came. What stands inside is parsed only after the integrity check.
#pragma once

#include <array>
#include <optional>

#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/crypto/rng.h"
#include "tunnel/ike/message.h"

namespace tunnel::ike {

inline constexpr std::size_t kFragmentHeaderSize = 4;

struct FragmentHeader {
  std::uint16_t number = 1;  // 1 to total
  std::uint16_t total = 1;
  friend constexpr bool operator==(const FragmentHeader&, const FragmentHeader&) = default;
};

// Payloads as parse_inner takes them.
struct Content {
  PayloadType first = PayloadType::kNone;
  wire::ConstBytes octets;
};

// What one end of an IKE SA seals with. One object per key: two counters under one key would repeat an IV.
struct SendingCipher {
  crypto::PacketCipher cipher;
  std::uint64_t sealed = 0;
};

// Octets of the whole message around `content_size` octets of content.
[[nodiscard]] std::size_t sealed_size(const crypto::CipherSuite& suite, std::size_t content_size, bool fragment);

// Writes the whole message: header (next payload and length are filled in), SK or with `fragment` SKF. The IV is a
// counter in combined modes (RFC 5282 3.1) and random for CBC.
wire::ConstBytes seal(wire::Writer& writer, Header header, const Content& content,
                      const std::optional<FragmentHeader>& fragment, SendingCipher& sender, crypto::Rng& rng);

struct Opened {
  Content content;                         // in the datagram
  std::optional<FragmentHeader> fragment;  // of SKF: content.first means something in number 1 only
};

// In place; `payloads` are those of parse_message of the same datagram. Exactly one payload, SK or SKF: anything beside
// it is refused. Whatever fails before or at the integrity check leaves no trace but the error; the datagram's octets
// then mean nothing.
[[nodiscard]] Result<Opened, ParseFailure> open(wire::Bytes datagram, const Payloads& payloads,
                                                crypto::PacketCipher& cipher);
// The fragment header of an SKF that was not opened yet (not authenticated): to drop a useless one before the work.
[[nodiscard]] std::optional<FragmentHeader> peek_fragment(const Payloads& payloads);

}  // namespace tunnel::ike
