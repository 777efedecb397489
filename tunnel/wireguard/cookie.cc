// WireGuard 5.4.4 (macs) and 5.4.7 (cookie reply).
#include "tunnel/wireguard/cookie.h"

#include <string_view>

namespace tunnel::wireguard {
namespace {

constexpr std::size_t kMacSize = 16;

crypto::Hash labelled(std::string_view label, const Key32& key) {
  return crypto::blake2s({{reinterpret_cast<const std::uint8_t*>(label.data()), label.size()}, key});
}

// `from_end`: octets of the message that the mac does not cover, its own first.
bool mac_good(wire::ConstBytes key, wire::ConstBytes message, std::size_t from_end) {
  const std::size_t covered = message.size() - from_end;
  const Mac expected = crypto::blake2s_mac(key, message.first(covered));
  return sodium_memcmp(expected.data(), message.subspan(covered, kMacSize).data(), kMacSize) == 0;
}

}  // namespace

MacKeys MacKeys::of(const Key32& receiver) {
  return {labelled("mac1----", receiver), labelled("cookie--", receiver)};
}

bool CookieChecker::mac1_good(wire::ConstBytes message) const {
  return mac_good(keys_.mac1, message, kMacsSize);
}

bool CookieChecker::mac2_good(wire::ConstBytes message, const wire::SocketAddress& source, Instant now) const {
  if (!secret_born_ || now - *secret_born_ >= kCookieLifetime) return false;
  return mac_good(cookie_of(source), message, kMacSize);
}

CookieReply CookieChecker::reply(wire::ConstBytes message, std::uint32_t receiver, const wire::SocketAddress& source,
                                 Instant now, crypto::Rng& rng) {
  if (!secret_born_ || now - *secret_born_ >= kCookieLifetime) {
    rng.fill(secret_.fill());
    secret_born_ = now;
  }
  CookieReply made;
  made.receiver = receiver;
  rng.fill(made.nonce);
  const auto mac1 = message.subspan(message.size() - kMacsSize, kMacSize);
  crypto::xseal(keys_.cookie, made.nonce, mac1, cookie_of(source), made.sealed_cookie);
  return made;
}

Mac CookieChecker::cookie_of(const wire::SocketAddress& source) const {
  std::array<std::uint8_t, 18> buffer{};
  wire::Writer writer(buffer);
  writer.octets(source.address.octets());
  writer.u8(static_cast<std::uint8_t>(source.port >> 8));
  writer.u8(static_cast<std::uint8_t>(source.port));
  return crypto::blake2s_mac(secret_.expose(), writer.written());
}

void CookieJar::append_macs(wire::Writer& writer, Instant now) {
  last_mac1_ = crypto::blake2s_mac(keys_.mac1, writer.written());
  writer.octets(*last_mac1_);
  // WireGuard 5.4.4: a cookie older than 120 s is not used; we stop a little earlier for the way.
  const bool fresh = cookie_born_ && now - *cookie_born_ < kCookieLifetime - kCookieLatency;
  if (!fresh) return writer.zeros(kMacSize);
  writer.octets(crypto::blake2s_mac(cookie_.expose(), writer.written()));
}

bool CookieJar::accept(const CookieReply& reply, Instant now) {
  if (!last_mac1_) return false;
  crypto::Secret<16> cookie;
  if (!crypto::xopen(keys_.cookie, reply.nonce, *last_mac1_, reply.sealed_cookie, cookie.fill())) return false;
  cookie_ = std::move(cookie);
  cookie_born_ = now;
  last_mac1_.reset();
  return true;
}

}  // namespace tunnel::wireguard
