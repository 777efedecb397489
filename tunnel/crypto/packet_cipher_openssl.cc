// Key schedules are made once; a packet sets its nonce only.
#include <algorithm>

#include <sodium.h>

#include "tunnel/crypto/hmac.h"
#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/crypto/packet_engine.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using wire::require;

const EVP_CIPHER* fetched(const CipherSuite& suite) {
  static const EVP_CIPHER* const ciphers[] = {
      EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr), EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr),
      EVP_CIPHER_fetch(nullptr, "AES-128-CBC", nullptr), EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr),
      EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr)};
  const std::size_t longer = suite.key_bits == 256;
  if (suite.encryption == Encryption::kAesGcm16) return ciphers[longer];
  return ciphers[suite.encryption == Encryption::kAesCbc ? 2 + longer : 4];
}

openssl::CipherContext keyed(const CipherSuite& suite, const std::uint8_t* key, int encrypts) {
  openssl::CipherContext context(EVP_CIPHER_CTX_new());
  require(context && fetched(suite) != nullptr);
  require(EVP_CipherInit_ex2(context.get(), fetched(suite), key, nullptr, encrypts, nullptr) == 1);
  return context;
}

class Combined final : public PacketEngine {
 public:
  Combined(const CipherSuite& suite, Octets material) : context_(keyed(suite, material.data(), 1)) {
    std::ranges::copy(material.last(kSalt), nonce_.begin());
  }
  ~Combined() override { sodium_memzero(nonce_.data(), nonce_.size()); }

  void seal(Octets iv, const Associated& associated, Text text, Text tag) override {
    begin(iv, associated, 1);
    int written = 0;
    require(text.empty() || EVP_CipherUpdate(context_.get(), text.data(), &written, text.data(), size(text)) == 1);
    require(EVP_CipherFinal_ex(context_.get(), tag.data(), &written) == 1);
    require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, size(tag), tag.data()) == 1);
  }

  bool open(Octets iv, const Associated& associated, Text text, Octets tag) override {
    begin(iv, associated, 0);
    std::array<std::uint8_t, 16> expected{};
    std::ranges::copy(tag, expected.begin());
    require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, size(tag), expected.data()) == 1);
    int written = 0;
    if (!text.empty() && EVP_CipherUpdate(context_.get(), text.data(), &written, text.data(), size(text)) != 1) {
      return false;
    }
    return EVP_CipherFinal_ex(context_.get(), expected.data(), &written) == 1;
  }

 private:
  static int size(Octets octets) { return static_cast<int>(octets.size()); }

  // Both directions share the schedule of these ciphers: without a key OpenSSL keeps it.
  void begin(Octets iv, const Associated& associated, int encrypts) {
    std::ranges::copy(iv, nonce_.begin() + kSalt);
    require(EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, nonce_.data(), encrypts, nullptr) == 1);
    int written = 0;
    const Octets before = associated.before;
    require(before.empty() || EVP_CipherUpdate(context_.get(), nullptr, &written, before.data(), size(before)) == 1);
  }

  openssl::CipherContext context_;
  Nonce nonce_{};
};

HmacHash hash_of(Integrity integrity) {
  if (integrity == Integrity::kHmacSha256_128) return HmacHash::kSha256;
  return integrity == Integrity::kHmacSha384_192 ? HmacHash::kSha384 : HmacHash::kSha512;
}

// RFC 4303 3.3.2.1, 3.4.4.1: encrypt, then authenticate; judge, then decrypt.
class CbcWithHmac final : public PacketEngine {
 public:
  CbcWithHmac(const CipherSuite& suite, Octets material)
      : hmac_(hash_of(suite.integrity), material.last(key_sizes(suite).integrity)),
        encrypting_(keyed(suite, material.data(), 1)),
        decrypting_(keyed(suite, material.data(), 0)),
        hash_size_(key_sizes(suite).integrity) {
    for (auto* context : {encrypting_.get(), decrypting_.get()}) EVP_CIPHER_CTX_set_padding(context, 0);
  }

  void seal(Octets iv, const Associated& associated, Text text, Text tag) override {
    transform(encrypting_.get(), iv, text);
    const auto mac = authenticate(iv, associated, text);
    std::ranges::copy(Octets(mac).first(tag.size()), tag.begin());
  }

  bool open(Octets iv, const Associated& associated, Text text, Octets tag) override {
    const auto mac = authenticate(iv, associated, text);
    if (sodium_memcmp(mac.data(), tag.data(), tag.size()) != 0) return false;
    transform(decrypting_.get(), iv, text);
    return true;
  }

 private:
  using Mac = std::array<std::uint8_t, 64>;

  static void transform(EVP_CIPHER_CTX* context, Octets iv, Text text) {
    if (text.empty()) return;
    int written = 0;
    require(EVP_CipherInit_ex2(context, nullptr, nullptr, iv.data(), -1, nullptr) == 1);
    require(EVP_CipherUpdate(context, text.data(), &written, text.data(), static_cast<int>(text.size())) == 1);
    require(static_cast<std::size_t>(written) == text.size());
  }
  Mac authenticate(Octets iv, const Associated& associated, Octets text) {
    Mac mac{};
    hmac_.compute({associated.before, iv, text, associated.after}, Text(mac).first(hash_size_));
    return mac;
  }

  Hmac hmac_;
  openssl::CipherContext encrypting_, decrypting_;
  std::size_t hash_size_;
};

}  // namespace

std::unique_ptr<PacketEngine> make_openssl_engine(const CipherSuite& suite,
                                                  std::span<const std::uint8_t> key_material) {
  if (suite.encryption == Encryption::kAesCbc) return std::make_unique<CbcWithHmac>(suite, key_material);
  return std::make_unique<Combined>(suite, key_material);
}

}  // namespace tunnel::crypto
