// Who may make us work (WireGuard 5.3, 5.4.4, 5.4.7): mac1 proves knowledge of a public key, mac2 of an address.
#pragma once

#include <optional>

#include "tunnel/crypto/aead.h"
#include "tunnel/crypto/rng.h"
#include "tunnel/wireguard/constants.h"
#include "tunnel/wireguard/messages.h"

namespace tunnel::wireguard {

using crypto::Mac;

// Keys derived from the public key of whoever receives a message.
struct MacKeys {
  crypto::Hash mac1{};
  crypto::Hash cookie{};
  [[nodiscard]] static MacKeys of(const Key32& receiver);
};

// Our side as receiver of handshake messages.
class CookieChecker {
 public:
  explicit CookieChecker(const Key32& own) : keys_(MacKeys::of(own)) {}
  [[nodiscard]] bool mac1_good(wire::ConstBytes message) const;
  [[nodiscard]] bool mac2_good(wire::ConstBytes message, const wire::SocketAddress& source, Instant now) const;
  // A reply for `message`, which has sender index `receiver`. Draws a new secret every kCookieLifetime.
  [[nodiscard]] CookieReply reply(wire::ConstBytes message, std::uint32_t receiver, const wire::SocketAddress& source,
                                  Instant now, crypto::Rng& rng);

 private:
  [[nodiscard]] Mac cookie_of(const wire::SocketAddress& source) const;
  MacKeys keys_;
  crypto::Secret<32> secret_;
  std::optional<Instant> secret_born_;
};

// What we know of one peer as receiver of our messages.
class CookieJar {
 public:
  explicit CookieJar(const Key32& other) : keys_(MacKeys::of(other)) {}
  // Writes mac1 and mac2 behind what `writer` holds; mac2 is zero without a fresh cookie.
  void append_macs(wire::Writer& writer, Instant now);
  // False: forged, or nothing was asked. One reply for each message we sent.
  [[nodiscard]] bool accept(const CookieReply& reply, Instant now);

 private:
  MacKeys keys_;
  std::optional<Mac> last_mac1_;
  crypto::Secret<16> cookie_;
  std::optional<Instant> cookie_born_;
};

}  // namespace tunnel::wireguard
