// Every group goes through EVP_PKEY: OpenSSL's named groups bring the generator, the private length and the checks.
#include "tunnel/crypto/key_exchange.h"

#include <algorithm>
#include <array>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/param_build.h>

#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using Octets = std::span<const std::uint8_t>;
using wire::require;

enum class Kind : std::uint8_t { kModp, kEcp, kMontgomery };

struct Properties {
  Group group;
  Kind kind;
  const char* type;  // OpenSSL's names
  const char* name;
  std::size_t public_size, shared_size;
};

constexpr std::array kGroups{
    Properties{Group::kModp2048, Kind::kModp, "DH", "modp_2048", 256, 256},
    Properties{Group::kModp3072, Kind::kModp, "DH", "modp_3072", 384, 384},
    Properties{Group::kModp4096, Kind::kModp, "DH", "modp_4096", 512, 512},
    Properties{Group::kEcp256, Kind::kEcp, "EC", "P-256", 64, 32},
    Properties{Group::kEcp384, Kind::kEcp, "EC", "P-384", 96, 48},
    Properties{Group::kEcp521, Kind::kEcp, "EC", "P-521", 132, 66},
    Properties{Group::kCurve25519, Kind::kMontgomery, "X25519", nullptr, 32, 32},
};

const Properties* find(Group group) {
  const auto* const found = std::ranges::find(kGroups, group, &Properties::group);
  return found == kGroups.end() ? nullptr : found;
}

openssl::KeyContext context_of(const Properties& properties) {
  return openssl::KeyContext(EVP_PKEY_CTX_new_from_name(nullptr, properties.type, nullptr));
}

openssl::Key generate_key(const Properties& properties) {
  const openssl::KeyContext context = context_of(properties);
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1) return nullptr;
  if (properties.name != nullptr && EVP_PKEY_CTX_set_group_name(context.get(), properties.name) != 1) return nullptr;
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_generate(context.get(), &key) != 1) return nullptr;
  return openssl::Key(key);
}

// RFC 5903 7: x | y; OpenSSL's form has 4 (uncompressed) in front.
SecretOctets encoded(const Properties& properties, Octets public_value) {
  const std::size_t form = properties.kind == Kind::kEcp ? 1 : 0;
  SecretOctets octets(form + public_value.size());
  if (form == 1) octets.fill()[0] = 4;
  std::ranges::copy(public_value, octets.fill().subspan(form).begin());
  return octets;
}

std::vector<std::uint8_t> public_of(const Properties& properties, EVP_PKEY* key) {
  unsigned char* octets = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(key, &octets);
  require(octets != nullptr && size >= properties.public_size);
  std::vector<std::uint8_t> value(octets + size - properties.public_size, octets + size);
  OPENSSL_free(octets);
  return value;
}

using Number = std::unique_ptr<BIGNUM, openssl::Free<BN_clear_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, openssl::Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, openssl::Free<OSSL_PARAM_free>>;

openssl::Key key_of_numbers(const Properties& properties, Octets private_value, Octets public_value) {
  const Number secret(BN_bin2bn(private_value.data(), static_cast<int>(private_value.size()), nullptr));
  const Number modp(BN_bin2bn(public_value.data(), static_cast<int>(public_value.size()), nullptr));
  const SecretOctets point = encoded(properties, public_value);
  const Builder builder(OSSL_PARAM_BLD_new());
  require(secret && modp && builder);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, properties.name, 0);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get());
  if (properties.kind == Kind::kModp) {
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, modp.get());
  } else {
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.expose().data(), point.size());
  }
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const openssl::KeyContext context = context_of(properties);
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1) return nullptr;
  return openssl::Key(key);
}

bool belongs_together(EVP_PKEY* key) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context && EVP_PKEY_pairwise_check(context.get()) == 1;
}

// RFC 6989 2.1: 1 < y < p-1 (these groups are safe primes). 2.3: both coordinates below p, the point on the curve.
// OpenSSL's quick check is exactly this; its full one would add an exponentiation. Its derivation refuses the same
// values by their result, today: asked for here so that nothing hangs on that.
openssl::Key peer_key(const Properties& properties, EVP_PKEY* own, Octets public_value) {
  if (public_value.size() != properties.public_size) return nullptr;
  openssl::Key peer(EVP_PKEY_new());
  require(peer != nullptr);
  if (properties.kind == Kind::kMontgomery) {
    peer.reset(EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, public_value.data(), public_value.size()));
    return peer;  // low order: the derivation refuses the all-zero result (RFC 8031 3.2, RFC 7748 6.1)
  }
  const SecretOctets octets = encoded(properties, public_value);
  if (EVP_PKEY_copy_parameters(peer.get(), own) != 1) return nullptr;
  if (EVP_PKEY_set1_encoded_public_key(peer.get(), octets.expose().data(), octets.size()) != 1) return nullptr;
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr));
  if (!context || EVP_PKEY_public_check_quick(context.get()) != 1) return nullptr;
  return peer;
}

}  // namespace

struct KeyExchange::State {
  const Properties* properties;
  openssl::Key key;
  std::vector<std::uint8_t> public_value;
};

std::size_t public_value_size(Group group) {
  const Properties* const properties = find(group);
  return properties == nullptr ? 0 : properties->public_size;
}

std::optional<KeyExchange> KeyExchange::generate(Group group) {
  const Properties* const properties = find(group);
  if (properties == nullptr) return std::nullopt;
  openssl::Key key = generate_key(*properties);
  if (key == nullptr) return std::nullopt;
  auto value = public_of(*properties, key.get());
  return KeyExchange(std::make_unique<State>(properties, std::move(key), std::move(value)));
}

std::optional<KeyExchange> KeyExchange::restore(Group group, Octets private_value, Octets public_value) {
  const Properties* const properties = find(group);
  if (properties == nullptr || public_value.size() != properties->public_size) return std::nullopt;
  openssl::Key key(properties->kind == Kind::kMontgomery
                       ? EVP_PKEY_new_raw_private_key_ex(nullptr, properties->type, nullptr, private_value.data(),
                                                         private_value.size())
                       : key_of_numbers(*properties, private_value, public_value).release());
  if (key == nullptr || !belongs_together(key.get())) return std::nullopt;
  auto value = public_of(*properties, key.get());
  if (!std::ranges::equal(value, public_value)) return std::nullopt;
  return KeyExchange(std::make_unique<State>(properties, std::move(key), std::move(value)));
}

KeyExchange::KeyExchange(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyExchange::KeyExchange(KeyExchange&&) noexcept = default;
KeyExchange& KeyExchange::operator=(KeyExchange&&) noexcept = default;
KeyExchange::~KeyExchange() = default;  // OpenSSL wipes private values when it frees them

Group KeyExchange::group() const {
  return state_->properties->group;
}
Octets KeyExchange::public_value() const {
  return state_->public_value;
}

std::optional<SecretOctets> KeyExchange::shared_secret(Octets other) const {
  const Properties& properties = *state_->properties;
  const openssl::Key peer = peer_key(properties, state_->key.get(), other);
  if (peer == nullptr) return std::nullopt;
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, state_->key.get(), nullptr));
  if (!context || EVP_PKEY_derive_init(context.get()) != 1) return std::nullopt;
  // RFC 7296 2.14: as long as the modulus, zeros in front where needed.
  if (properties.kind == Kind::kModp && EVP_PKEY_CTX_set_dh_pad(context.get(), 1) != 1) return std::nullopt;
  if (EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) != 1) return std::nullopt;
  SecretOctets secret(properties.shared_size);
  std::size_t size = secret.size();
  if (EVP_PKEY_derive(context.get(), secret.fill().data(), &size) != 1 || size != secret.size()) return std::nullopt;
  return secret;
}

}  // namespace tunnel::crypto
