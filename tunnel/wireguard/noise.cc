// WireGuard 5.4.2 and 5.4.3 share these operations.
#include "tunnel/wireguard/noise.h"

#include <string_view>

namespace tunnel::wireguard {
namespace {

// WireGuard 5.4: CONSTRUCTION and IDENTIFIER.
constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";

wire::ConstBytes octets_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Noise Noise::begin(const Key32& responder) {
  Noise noise;
  noise.hash_ = crypto::blake2s({octets_of(kConstruction)});
  std::ranges::copy(noise.hash_, noise.chaining_key_.fill().begin());
  noise.mix_hash(octets_of(kIdentifier));
  noise.mix_hash(responder);
  return noise;
}

Noise Noise::duplicate() const {
  Noise copy;
  copy.chaining_key_ = chaining_key_.duplicate();
  copy.key_ = key_.duplicate();
  copy.hash_ = hash_;
  return copy;
}

void Noise::mix_hash(wire::ConstBytes octets) {
  hash_ = crypto::blake2s({hash_, octets});
}

void Noise::mix_ephemeral(const Key32& open) {
  chaining_key_ = crypto::kdf1(chaining_key_.expose(), open);
  mix_hash(open);
}

void Noise::mix_dh(std::span<const std::uint8_t, 32> shared) {
  chaining_key_ = crypto::kdf1(chaining_key_.expose(), shared);
}

void Noise::mix_dh_and_key(std::span<const std::uint8_t, 32> shared) {
  crypto::DerivedTwo derived = crypto::kdf2(chaining_key_.expose(), shared);
  chaining_key_ = std::move(derived.first);
  key_ = std::move(derived.second);
}

void Noise::mix_psk(std::span<const std::uint8_t, 32> psk) {
  crypto::DerivedThree derived = crypto::kdf3(chaining_key_.expose(), psk);
  chaining_key_ = std::move(derived.first);
  mix_hash(derived.second.expose());
  key_ = std::move(derived.third);
}

void Noise::mix_psk_output(std::span<const std::uint8_t, 96> output) {
  chaining_key_ = crypto::Secret<32>(output.subspan<0, 32>());
  mix_hash(output.subspan<32, 32>());
  key_ = crypto::Secret<32>(output.subspan<64, 32>());
}

void Noise::seal(crypto::Aead& aead, wire::ConstBytes plain, wire::Bytes sealed) {
  std::ranges::copy(plain, sealed.begin());
  aead.seal(key_.expose(), 0, hash_, sealed.first(plain.size() + crypto::kTagSize));
  mix_hash(sealed.first(plain.size() + crypto::kTagSize));
}

bool Noise::open(crypto::Aead& aead, wire::ConstBytes sealed, wire::Bytes plain) {
  std::array<std::uint8_t, 64> buffer{};  // the largest field is the sealed public key, 48 octets
  if (sealed.size() > buffer.size() || sealed.size() != plain.size() + crypto::kTagSize) return false;
  std::ranges::copy(sealed, buffer.begin());
  if (!aead.open(key_.expose(), 0, hash_, wire::Bytes(buffer).first(sealed.size()))) return false;
  std::ranges::copy(wire::ConstBytes(buffer).first(plain.size()), plain.begin());
  mix_hash(sealed);
  return true;
}

// WireGuard 5.4.5.
SessionKeys Noise::split() const {
  crypto::DerivedTwo derived = crypto::kdf2(chaining_key_.expose(), {});
  return {std::move(derived.first), std::move(derived.second)};
}

}  // namespace tunnel::wireguard
