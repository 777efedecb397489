#include "tunnel/crypto/aead.h"

#include <array>

#include <openssl/evp.h>

#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/crypto/packet_engine.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

constexpr std::array<std::uint8_t, 32> kZeroKey{};

using wire::require;

const EVP_CIPHER* cipher() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  require(fetched != nullptr);
  return fetched;
}

// Two contexts live as long as the object; only key and nonce are set per packet, nothing is allocated.
class OpensslAead final : public AeadEngine {
 public:
  OpensslAead() : sealing_(EVP_CIPHER_CTX_new()), opening_(EVP_CIPHER_CTX_new()) {
    require(sealing_ && EVP_EncryptInit_ex2(sealing_.get(), cipher(), nullptr, nullptr, nullptr) == 1);
    require(opening_ && EVP_DecryptInit_ex2(opening_.get(), cipher(), nullptr, nullptr, nullptr) == 1);
  }

  void seal(Key key, const Nonce& nonce, Octets additional, Text text, Text tag) override {
    EVP_CIPHER_CTX* const context = sealing_.get();
    const int size = static_cast<int>(text.size()), more = static_cast<int>(additional.size());
    int written = 0;
    require(EVP_EncryptInit_ex2(context, nullptr, key.data(), nonce.data(), nullptr) == 1);
    require(more == 0 || EVP_EncryptUpdate(context, nullptr, &written, additional.data(), more) == 1);
    require(size == 0 || EVP_EncryptUpdate(context, text.data(), &written, text.data(), size) == 1);
    require(EVP_EncryptFinal_ex(context, text.data() + size, &written) == 1);
    require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data()) == 1);
  }

  bool open(Key key, const Nonce& nonce, Octets additional, Text text, Octets tag) override {
    EVP_CIPHER_CTX* const context = opening_.get();
    const int size = static_cast<int>(text.size()), more = static_cast<int>(additional.size());
    int written = 0;
    require(EVP_DecryptInit_ex2(context, nullptr, key.data(), nonce.data(), nullptr) == 1);
    require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, const_cast<std::uint8_t*>(tag.data())) == 1);
    require(more == 0 || EVP_DecryptUpdate(context, nullptr, &written, additional.data(), more) == 1);
    if (size > 0 && EVP_DecryptUpdate(context, text.data(), &written, text.data(), size) != 1) return false;
    return EVP_DecryptFinal_ex(context, text.data() + size, &written) == 1;
  }

  void forget() override {
    require(EVP_EncryptInit_ex2(sealing_.get(), nullptr, kZeroKey.data(), nullptr, nullptr) == 1);
    require(EVP_DecryptInit_ex2(opening_.get(), nullptr, kZeroKey.data(), nullptr, nullptr) == 1);
  }

 private:
  openssl::CipherContext sealing_, opening_;
};

Nonce nonce_of(std::uint64_t counter) {
  Nonce nonce{};
  for (std::size_t i = 4; i < nonce.size(); ++i, counter >>= 8) nonce[i] = static_cast<std::uint8_t>(counter);
  return nonce;
}

}  // namespace

std::unique_ptr<AeadEngine> make_openssl_aead() {
  return std::make_unique<OpensslAead>();
}

Aead::Aead(Engine engine) : name_(engine), engine_(engine == Engine::kIpsecMb ? make_ipsec_mb_aead() : nullptr) {
  if (engine_ == nullptr) name_ = Engine::kOpenSsl, engine_ = make_openssl_aead();
}
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() {
  if (engine_ != nullptr) forget();
}

void Aead::seal(Key key, std::uint64_t counter, std::span<const std::uint8_t> additional,
                std::span<std::uint8_t> buffer) {
  require(buffer.size() >= kTagSize && buffer.size() <= INT32_MAX);
  engine_->seal(key, nonce_of(counter), additional, buffer.first(buffer.size() - kTagSize), buffer.last(kTagSize));
}

bool Aead::open(Key key, std::uint64_t counter, std::span<const std::uint8_t> additional,
                std::span<std::uint8_t> buffer) {
  if (buffer.size() < kTagSize || buffer.size() > INT32_MAX) return false;
  return engine_->open(key, nonce_of(counter), additional, buffer.first(buffer.size() - kTagSize),
                       buffer.last(kTagSize));
}

void Aead::forget() {
  engine_->forget();
}

void xseal(std::span<const std::uint8_t, 32> key, std::span<const std::uint8_t, 24> nonce,
           std::span<const std::uint8_t> additional, std::span<const std::uint8_t> plain,
           std::span<std::uint8_t> sealed) {
  require(sealed.size() == plain.size() + kTagSize);
  require(crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.data(), nullptr, plain.data(), plain.size(),
                                                     additional.data(), additional.size(), nullptr, nonce.data(),
                                                     key.data()) == 0);
}

bool xopen(std::span<const std::uint8_t, 32> key, std::span<const std::uint8_t, 24> nonce,
           std::span<const std::uint8_t> additional, std::span<const std::uint8_t> sealed,
           std::span<std::uint8_t> plain) {
  if (sealed.size() != plain.size() + kTagSize) return false;
  return crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                                    additional.data(), additional.size(), nonce.data(),
                                                    key.data()) == 0;
}

}  // namespace tunnel::crypto
