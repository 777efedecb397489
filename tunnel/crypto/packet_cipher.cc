// Judges lengths and chooses the engine; the engines do the work.
#include "tunnel/crypto/packet_cipher.h"

#include "tunnel/crypto/packet_engine.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {

Engine best_engine() {
  return ipsec_mb_is_usable() ? Engine::kIpsecMb : Engine::kOpenSsl;
}

std::optional<PacketCipher> PacketCipher::make(const CipherSuite& suite, Octets key_material, Engine engine) {
  if (!is_supported(suite) || key_material.size() != key_sizes(suite).total()) return std::nullopt;
  std::unique_ptr<PacketEngine> made;
  if (engine == Engine::kIpsecMb) made = make_ipsec_mb_engine(suite, key_material);
  const Engine taken = made == nullptr ? Engine::kOpenSsl : engine;
  if (made == nullptr) made = make_openssl_engine(suite, key_material);
  return PacketCipher(suite, taken, std::move(made));
}

PacketCipher::PacketCipher(const CipherSuite& suite, Engine name, std::unique_ptr<PacketEngine> engine)
    : suite_(suite), name_(name), engine_(std::move(engine)) {}
PacketCipher::PacketCipher(PacketCipher&&) noexcept = default;
PacketCipher& PacketCipher::operator=(PacketCipher&&) noexcept = default;
PacketCipher::~PacketCipher() = default;

const CipherSuite& PacketCipher::suite() const {
  return suite_;
}

Engine PacketCipher::engine() const {
  return name_;
}

void PacketCipher::seal(Octets iv, const Associated& associated, std::span<std::uint8_t> text_and_tag) {
  const std::size_t tag = tag_size(suite_);
  wire::require(iv.size() == explicit_iv_size(suite_) && text_and_tag.size() >= tag &&
                text_and_tag.size() <= INT32_MAX);
  const std::span<std::uint8_t> text = text_and_tag.first(text_and_tag.size() - tag);
  wire::require(text.size() % block_size(suite_) == 0);
  engine_->seal(iv, associated, text, text_and_tag.last(tag));
}

bool PacketCipher::open(Octets iv, const Associated& associated, std::span<std::uint8_t> text_and_tag) {
  const std::size_t tag = tag_size(suite_);
  if (iv.size() != explicit_iv_size(suite_) || text_and_tag.size() < tag || text_and_tag.size() > INT32_MAX) {
    return false;
  }
  const std::span<std::uint8_t> text = text_and_tag.first(text_and_tag.size() - tag);
  if (text.size() % block_size(suite_) != 0 || (block_size(suite_) > 1 && text.empty())) return false;
  return engine_->open(iv, associated, text, text_and_tag.last(tag));
}

}  // namespace tunnel::crypto
