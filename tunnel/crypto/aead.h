// ChaCha20-Poly1305 (RFC 8439) with one context reused for every key: on ipsec-mb where the CPU has its instructions,
// on OpenSSL elsewhere. XChaCha20-Poly1305 by libsodium for the cookies.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/crypto/secret.h"

namespace tunnel::crypto {

inline constexpr std::size_t kTagSize = 16;

class AeadEngine;  // packet_engine.h

class Aead {
 public:
  using Key = std::span<const std::uint8_t, 32>;
  explicit Aead(Engine engine = best_engine());
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();

  // In place: `buffer` = plain octets followed by kTagSize octets that receive the tag. The nonce of the WireGuard
  // paper: 32 zero bits, then `counter` little-endian.
  void seal(Key key, std::uint64_t counter, std::span<const std::uint8_t> additional, std::span<std::uint8_t> buffer);
  // In place: the plain octets stand in the front of `buffer`. False: forged; what stands in `buffer` then means
  // nothing.
  [[nodiscard]] bool open(Key key, std::uint64_t counter, std::span<const std::uint8_t> additional,
                          std::span<std::uint8_t> buffer);
  // Overwrites what the last call left of its key in the contexts.
  void forget();
  [[nodiscard]] Engine engine() const { return name_; }  // what was taken

 private:
  Engine name_;
  std::unique_ptr<AeadEngine> engine_;
};

// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). `sealed` holds plain.size() + kTagSize octets.
void xseal(std::span<const std::uint8_t, 32> key, std::span<const std::uint8_t, 24> nonce,
           std::span<const std::uint8_t> additional, std::span<const std::uint8_t> plain,
           std::span<std::uint8_t> sealed);
[[nodiscard]] bool xopen(std::span<const std::uint8_t, 32> key, std::span<const std::uint8_t, 24> nonce,
                         std::span<const std::uint8_t> additional, std::span<const std::uint8_t> sealed,
                         std::span<std::uint8_t> plain);

}  // namespace tunnel::crypto
