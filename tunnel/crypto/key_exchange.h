// Ephemeral Diffie-Hellman of IKEv2 through OpenSSL: MODP (RFC 3526), ECP (RFC 5903), Curve25519 (RFC 8031). Public
// values of the peer are checked (RFC 6989) before they are used; a refused one gives nothing.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tunnel/crypto/secret_octets.h"
#include "tunnel/crypto/suite.h"

namespace tunnel::crypto {

[[nodiscard]] std::size_t public_value_size(Group group);  // octets in the KE payload; ECP: x | y

// A fresh pair; used for one exchange, wiped with the object. OpenSSL draws the private value from its own generator:
// tests that must repeat do not compare public values.
class KeyExchange {
 public:
  [[nodiscard]] static std::optional<KeyExchange> generate(Group group);
  // A pair known beforehand (published vectors). Nothing when the two do not belong together.
  [[nodiscard]] static std::optional<KeyExchange> restore(Group group, std::span<const std::uint8_t> private_value,
                                                          std::span<const std::uint8_t> public_value);
  KeyExchange(KeyExchange&&) noexcept;
  KeyExchange& operator=(KeyExchange&&) noexcept;
  ~KeyExchange();

  [[nodiscard]] Group group() const;
  [[nodiscard]] std::span<const std::uint8_t> public_value() const;
  // g^ir at full length, with leading zeros (RFC 7296 2.14); ECP: the x coordinate (RFC 5903 7). Nothing when `other`
  // has a wrong length, is no point of the curve, or is of low order.
  [[nodiscard]] std::optional<SecretOctets> shared_secret(std::span<const std::uint8_t> other) const;

 private:
  struct State;
  explicit KeyExchange(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tunnel::crypto
