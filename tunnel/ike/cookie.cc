// Cookie = version | BLAKE2b(secret, Ni | IPi | SPIi), RFC 7296 2.6's form with a keyed hash.
#include "tunnel/ike/cookie.h"

#include <algorithm>

#include <sodium.h>

#include "tunnel/wire/writer.h"

namespace tunnel::ike {

CookieMint::Cookie CookieMint::make(const Asker& asker, wire::Instant now) {
  renew(now);
  return compute(*current_, asker);
}

bool CookieMint::good(wire::ConstBytes cookie, const Asker& asker, wire::Instant now) const {
  if (cookie.size() != kSize) return false;
  for (const auto* secret : {&current_, &previous_}) {
    if (!*secret || cookie[0] != (*secret)->version || now - (*secret)->born >= 2 * kSecretLifetime) continue;
    if (sodium_memcmp(compute(**secret, asker).data(), cookie.data(), kSize) == 0) return true;
  }
  return false;
}

// RFC 7296 2.6: the secret changes often; cookies of the one before are good for as long again.
void CookieMint::renew(wire::Instant now) {
  if (current_ && now - current_->born < kSecretLifetime) return;
  const auto version = static_cast<std::uint8_t>(current_ ? current_->version + 1 : 0);
  previous_ = std::move(current_);
  current_.emplace();
  current_->version = version;
  current_->born = now;
  rng_.fill(current_->key.fill());
}

CookieMint::Cookie CookieMint::compute(const CookieSecret& secret, const Asker& asker) {
  std::array<std::uint8_t, 8> spi{};
  wire::Writer(spi).u64_be(asker.spi);
  Cookie cookie{secret.version};
  crypto_generichash_state state;
  crypto_generichash_init(&state, secret.key.expose().data(), secret.key.expose().size(), kSize - 1);
  for (const wire::ConstBytes part : {asker.nonce, wire::ConstBytes(asker.address.octets()), wire::ConstBytes(spi)})
    crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, cookie.data() + 1, kSize - 1);
  return cookie;
}

}  // namespace tunnel::ike
