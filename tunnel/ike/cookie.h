// Cookies of IKE_SA_INIT (RFC 7296 2.6): whoever asks proves that answers reach it before we keep or compute anything.
// When they are demanded is admission.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "tunnel/crypto/rng.h"
#include "tunnel/crypto/secret.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

struct CookieSecret {
  std::uint8_t version = 0;
  crypto::Secret<32> key;
  wire::Instant born{};
};

class CookieMint {
 public:
  static constexpr std::size_t kSize = 17;  // version, then 16 octets of a keyed hash
  static constexpr wire::Duration kSecretLifetime = std::chrono::seconds(60);
  using Cookie = std::array<std::uint8_t, kSize>;

  struct Asker {
    wire::IpAddress address;
    std::uint64_t spi = 0;   // SPIi
    wire::ConstBytes nonce;  // Ni
  };

  explicit CookieMint(crypto::Rng& rng) : rng_(rng) {}
  [[nodiscard]] Cookie make(const Asker& asker, wire::Instant now);
  // Made by us for this asker, under the present secret or the one before it.
  [[nodiscard]] bool good(wire::ConstBytes cookie, const Asker& asker, wire::Instant now) const;

 private:
  void renew(wire::Instant now);
  static Cookie compute(const CookieSecret& secret, const Asker& asker);
  crypto::Rng& rng_;
  std::optional<CookieSecret> current_, previous_;
};

}  // namespace tunnel::ike
