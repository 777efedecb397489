// What stands behind a PacketCipher: one implementation an engine. Internal to this folder's .cc files; the lengths are
// already judged by PacketCipher.
#pragma once

#include <array>

#include "tunnel/crypto/packet_cipher.h"

namespace tunnel::crypto {

class PacketEngine {
 public:
  using Octets = std::span<const std::uint8_t>;
  using Text = std::span<std::uint8_t>;
  virtual ~PacketEngine() = default;
  virtual void seal(Octets iv, const Associated& associated, Text text, Text tag) = 0;
  [[nodiscard]] virtual bool open(Octets iv, const Associated& associated, Text text, Octets tag) = 0;
};

// RFC 4106 4, RFC 7634 2: salt | explicit IV.
using Nonce = std::array<std::uint8_t, 12>;
inline constexpr std::size_t kSalt = 4;

// What stands behind an Aead: ChaCha20-Poly1305 with key and nonce of each call.
class AeadEngine {
 public:
  using Key = std::span<const std::uint8_t, 32>;
  using Octets = std::span<const std::uint8_t>;
  using Text = std::span<std::uint8_t>;
  virtual ~AeadEngine() = default;
  virtual void seal(Key key, const Nonce& nonce, Octets additional, Text text, Text tag) = 0;
  [[nodiscard]] virtual bool open(Key key, const Nonce& nonce, Octets additional, Text text, Octets tag) = 0;
  virtual void forget() = 0;
};
[[nodiscard]] std::unique_ptr<AeadEngine> make_openssl_aead();
// Nothing: not usable here.
[[nodiscard]] std::unique_ptr<AeadEngine> make_ipsec_mb_aead();

// `key_material` has the right length. Nothing: this engine does not have the suite.
[[nodiscard]] std::unique_ptr<PacketEngine> make_openssl_engine(const CipherSuite& suite,
                                                                std::span<const std::uint8_t> key_material);
[[nodiscard]] std::unique_ptr<PacketEngine> make_ipsec_mb_engine(const CipherSuite& suite,
                                                                 std::span<const std::uint8_t> key_material);
// The CPU has the instructions, the library's own test and our known answers came out right.
[[nodiscard]] bool ipsec_mb_is_usable();

}  // namespace tunnel::crypto
