// Two contexts live as long as the object; only key and nonce are set per packet, nothing is allocated.
#include "tunnel/crypto/aead.h"

#include <array>

#include <openssl/evp.h>

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

std::array<std::uint8_t, 12> nonce_of(std::uint64_t counter) {
  std::array<std::uint8_t, 12> nonce{};
  for (std::size_t i = 4; i < nonce.size(); ++i, counter >>= 8) nonce[i] = static_cast<std::uint8_t>(counter);
  return nonce;
}

}  // namespace

void Aead::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

Aead::Aead() : sealing_(EVP_CIPHER_CTX_new()), opening_(EVP_CIPHER_CTX_new()) {
  require(sealing_ && EVP_EncryptInit_ex2(sealing_.get(), cipher(), nullptr, nullptr, nullptr) == 1);
  require(opening_ && EVP_DecryptInit_ex2(opening_.get(), cipher(), nullptr, nullptr, nullptr) == 1);
}

void Aead::seal(Key key, std::uint64_t counter, std::span<const std::uint8_t> additional,
                std::span<std::uint8_t> buffer) {
  require(buffer.size() >= kTagSize && buffer.size() <= INT32_MAX);
  const int size = static_cast<int>(buffer.size() - kTagSize);
  EVP_CIPHER_CTX* const context = sealing_.get();
  int written = 0;
  require(EVP_EncryptInit_ex2(context, nullptr, key.data(), nonce_of(counter).data(), nullptr) == 1);
  if (!additional.empty()) {
    require(EVP_EncryptUpdate(context, nullptr, &written, additional.data(), static_cast<int>(additional.size())) == 1);
  }
  require(size == 0 || EVP_EncryptUpdate(context, buffer.data(), &written, buffer.data(), size) == 1);
  require(EVP_EncryptFinal_ex(context, buffer.data() + size, &written) == 1);
  require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, buffer.data() + size) == 1);
}

bool Aead::open(Key key, std::uint64_t counter, std::span<const std::uint8_t> additional,
                std::span<std::uint8_t> buffer) {
  if (buffer.size() < kTagSize || buffer.size() > INT32_MAX) return false;
  const int size = static_cast<int>(buffer.size() - kTagSize);
  EVP_CIPHER_CTX* const context = opening_.get();
  int written = 0;
  require(EVP_DecryptInit_ex2(context, nullptr, key.data(), nonce_of(counter).data(), nullptr) == 1);
  require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, buffer.data() + size) == 1);
  if (!additional.empty()) {
    require(EVP_DecryptUpdate(context, nullptr, &written, additional.data(), static_cast<int>(additional.size())) == 1);
  }
  if (size > 0 && EVP_DecryptUpdate(context, buffer.data(), &written, buffer.data(), size) != 1) return false;
  return EVP_DecryptFinal_ex(context, buffer.data() + size, &written) == 1;
}

void Aead::forget() {
  require(EVP_EncryptInit_ex2(sealing_.get(), nullptr, kZeroKey.data(), nullptr, nullptr) == 1);
  require(EVP_DecryptInit_ex2(opening_.get(), nullptr, kZeroKey.data(), nullptr, nullptr) == 1);
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
