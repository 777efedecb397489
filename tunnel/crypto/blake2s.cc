// BLAKE2s through OpenSSL EVP. The algorithm objects are fetched once; a failing call is our own mistake and aborts.
#include "tunnel/crypto/blake2s.h"

#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

constexpr std::size_t kBlock = 64;  // RFC 7693 2.1: block octets of BLAKE2s

using wire::require;

const EVP_MD* digest() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr);
  require(fetched != nullptr);
  return fetched;
}

EVP_MAC* keyed() {
  static EVP_MAC* const fetched = EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr);
  require(fetched != nullptr);
  return fetched;
}

void hash_into(std::initializer_list<Octets> head, std::initializer_list<Octets> tail, std::uint8_t* out) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  require(context && EVP_DigestInit_ex2(context.get(), digest(), nullptr) == 1);
  for (const auto& parts : {head, tail}) {
    for (const Octets part : parts) require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  require(EVP_DigestFinal_ex(context.get(), out, nullptr) == 1);
}

}  // namespace

Hash blake2s(std::initializer_list<Octets> parts) {
  Hash out;
  hash_into(parts, {}, out.data());
  return out;
}

Mac blake2s_mac(Octets key, Octets message) {
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(keyed()), &EVP_MAC_CTX_free);
  Mac out;
  std::size_t size = out.size();
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  require(context && EVP_MAC_init(context.get(), key.data(), key.size(), params) == 1);
  require(EVP_MAC_update(context.get(), message.data(), message.size()) == 1);
  std::size_t written = 0;
  require(EVP_MAC_final(context.get(), out.data(), &written, out.size()) == 1 && written == out.size());
  return out;
}

// RFC 2104 2.
void hmac_blake2s(Octets key, std::initializer_list<Octets> parts, std::span<std::uint8_t, 32> out) {
  require(key.size() <= kBlock);
  std::array<std::uint8_t, kBlock> pad{};
  std::ranges::copy(key, pad.begin());
  for (std::uint8_t& octet : pad) octet ^= 0x36;
  Hash inner;
  hash_into({pad}, parts, inner.data());
  for (std::uint8_t& octet : pad) octet ^= 0x36 ^ 0x5c;
  hash_into({pad}, {inner}, out.data());
  sodium_memzero(pad.data(), pad.size());
  sodium_memzero(inner.data(), inner.size());
}

namespace {

// WireGuard 5.4: T0 = HMAC(key, input); Tn = HMAC(T0, Tn-1 || n).
struct Expander {
  Secret<32> t0;
  Expander(Octets chaining_key, Octets input) { hmac_blake2s(chaining_key, {input}, t0.fill()); }
  Secret<32> next(Octets previous, std::uint8_t number) const {
    Secret<32> t;
    hmac_blake2s(t0.expose(), {previous, Octets(&number, 1)}, t.fill());
    return t;
  }
};

}  // namespace

Secret<32> kdf1(Octets chaining_key, Octets input) {
  return Expander(chaining_key, input).next({}, 1);
}

DerivedTwo kdf2(Octets chaining_key, Octets input) {
  const Expander expander(chaining_key, input);
  Secret<32> first = expander.next({}, 1);
  Secret<32> second = expander.next(first.expose(), 2);
  return {std::move(first), std::move(second)};
}

DerivedThree kdf3(Octets chaining_key, Octets input) {
  const Expander expander(chaining_key, input);
  Secret<32> first = expander.next({}, 1);
  Secret<32> second = expander.next(first.expose(), 2);
  Secret<32> third = expander.next(second.expose(), 3);
  return {std::move(first), std::move(second), std::move(third)};
}

}  // namespace tunnel::crypto
