// One direction of one SA: the key schedule made once, then seal or open packet after packet in place (ESP, RFC 4303;
// the SK payload of IKEv2, RFC 7296 3.14 and RFC 5282). AES-GCM and ChaCha20-Poly1305 run on ipsec-mb where the CPU has
// its instructions and on OpenSSL elsewhere; CBC with HMAC on OpenSSL. No padding here: the caller's `text` is whole.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "tunnel/crypto/suite.h"

namespace tunnel::crypto {

class PacketEngine;  // packet_engine.h

enum class Engine : std::uint8_t { kOpenSsl, kIpsecMb };
// Probed once; what PacketCipher::make takes when it is not told otherwise.
[[nodiscard]] Engine best_engine();

// What is authenticated beside the text. Combined modes use `before` alone (their caller puts ESN's high half into it,
// RFC 4106 5); HMAC covers before | iv | text | after (RFC 4303 2.2.1: the high half comes last).
struct Associated {
  std::span<const std::uint8_t> before;
  std::span<const std::uint8_t> after;
};

class PacketCipher {
 public:
  using Octets = std::span<const std::uint8_t>;
  // `key_material`: key_sizes(suite).total() octets. Nothing when the suite is not supported or the length is wrong.
  [[nodiscard]] static std::optional<PacketCipher> make(const CipherSuite& suite, Octets key_material,
                                                        Engine engine = best_engine());
  PacketCipher(PacketCipher&&) noexcept;
  PacketCipher& operator=(PacketCipher&&) noexcept;
  ~PacketCipher();  // the schedule is wiped

  // In place: `text_and_tag` = text, then tag_size octets that receive the tag. `iv`: explicit_iv_size octets, never
  // the same twice under one key in a combined mode, unpredictable for CBC.
  void seal(Octets iv, const Associated& associated, std::span<std::uint8_t> text_and_tag);
  // False: forged, or too short for tag and block. The text then means nothing.
  [[nodiscard]] bool open(Octets iv, const Associated& associated, std::span<std::uint8_t> text_and_tag);
  [[nodiscard]] const CipherSuite& suite() const;
  [[nodiscard]] Engine engine() const;  // what was taken: OpenSSL where the other does not have the suite

 private:
  PacketCipher(const CipherSuite& suite, Engine name, std::unique_ptr<PacketEngine> engine);
  CipherSuite suite_;
  Engine name_;
  std::unique_ptr<PacketEngine> engine_;
};

}  // namespace tunnel::crypto
