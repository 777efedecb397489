// What both directions of an ESP SA share (RFC 4303 2): parameters, sizes on the wire, what was counted.
#pragma once

#include <cstdint>
#include <optional>

#include "tunnel/crypto/suite.h"
#include "tunnel/wire/packet.h"

namespace tunnel::esp {

struct SaParams {
  std::uint32_t spi = 0;
  crypto::CipherSuite suite;
  wire::ConstBytes key;   // crypto::key_sizes(suite).total() octets; read, not kept
  bool extended = false;  // ESN, 64-bit sequence numbers (RFC 4303 2.2.1)
};

// For lifetimes (RFC 4301 4.4.2.1): octets the algorithms worked on, padding and trailer included.
struct SaUse {
  std::uint64_t packets = 0, bytes = 0;
};

// RFC 4303 2.6: the next headers of tunnel mode, and "no next header" of a dummy packet.
inline constexpr std::uint8_t kIpv4 = 4, kIpv6 = 41, kDummy = 59;

inline constexpr std::uint32_t kReservedSpis = 256;  // RFC 4303 2.1: 0..255 are never an SA's
inline constexpr std::size_t kHeaderSize = 8;        // SPI, sequence number
inline constexpr std::size_t kTrailerSize = 2;       // pad length, next header

// RFC 4303 2.4: padded to the cipher's block and to 4 octets.
[[nodiscard]] std::size_t alignment(const crypto::CipherSuite& suite);
// Octets of the packet before its text: header and explicit IV.
[[nodiscard]] std::size_t text_offset(const crypto::CipherSuite& suite);
// Octets from the SPI to the ICV of the packet that carries `inner` octets.
[[nodiscard]] std::size_t sealed_size(const crypto::CipherSuite& suite, std::size_t inner);
// The longest inner packet whose ESP packet has at most `room` octets; 0: none.
[[nodiscard]] std::size_t largest_inner(const crypto::CipherSuite& suite, std::size_t room);

// What is authenticated beside the text. The header is the packet's own; ESN's high half is not on the wire: combined
// modes take it between SPI and low half (RFC 4106 5, RFC 7634 2.1), HMAC at the end (RFC 4303 2.2.1).
class AssociatedData {
 public:
  AssociatedData(const crypto::CipherSuite& suite, wire::ConstBytes header, std::optional<std::uint32_t> high);
  [[nodiscard]] wire::ConstBytes before() const { return {octets_, before_}; }
  [[nodiscard]] wire::ConstBytes after() const { return {octets_ + before_, after_}; }

 private:
  std::uint8_t octets_[kHeaderSize + 4] = {};
  std::size_t before_ = kHeaderSize, after_ = 0;
};

}  // namespace tunnel::esp
