// Intel's ipsec-mb by its direct calls: one packet, in place, no queue. Other processors than x86-64 have no such
// library (CMakeLists.txt); there this engine says that it is not usable.
#include <algorithm>

#include <sodium.h>

#include "tunnel/crypto/packet_engine.h"
#ifdef SEKISHO_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

namespace tunnel::crypto {
#ifdef SEKISHO_IPSEC_MB
namespace {

using Tag = std::array<std::uint8_t, 16>;

// Made once and only read afterwards: the direct calls keep their state in the caller's contexts.
IMB_MGR* probe_library() {
  constexpr std::uint64_t kNeeded = IMB_CPUFLAGS_AVX2 | IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
  IMB_MGR* const manager = alloc_mb_mgr(0);
  if (manager == nullptr) return nullptr;
  IMB_ARCH chosen = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager, &chosen);
  if (imb_get_errno(manager) == 0 && chosen >= IMB_ARCH_AVX2 && (manager->features & kNeeded) == kNeeded) {
    return manager;
  }
  free_mb_mgr(manager);
  return nullptr;
}

IMB_MGR* library() {
  static IMB_MGR* const manager = probe_library();
  return manager;
}

class Gcm final : public PacketEngine {
 public:
  Gcm(const CipherSuite& suite, Octets material) {
    const bool longer = suite.key_bits == 256;
    seal_ = longer ? library()->gcm256_enc : library()->gcm128_enc;
    open_ = longer ? library()->gcm256_dec : library()->gcm128_dec;
    (longer ? library()->gcm256_pre : library()->gcm128_pre)(material.data(), &key_);
    std::ranges::copy(material.last(kSalt), nonce_.begin());
  }
  ~Gcm() override {
    sodium_memzero(&key_, sizeof key_);
    sodium_memzero(&context_, sizeof context_);
    sodium_memzero(nonce_.data(), nonce_.size());
  }

  void seal(Octets iv, const Associated& associated, Text text, Text tag) override {
    std::ranges::copy(iv, nonce_.begin() + kSalt);
    const Octets before = associated.before;
    seal_(&key_, &context_, text.data(), text.data(), text.size(), nonce_.data(), before.data(), before.size(),
          tag.data(), tag.size());
  }

  bool open(Octets iv, const Associated& associated, Text text, Octets tag) override {
    std::ranges::copy(iv, nonce_.begin() + kSalt);
    const Octets before = associated.before;
    Tag computed;
    open_(&key_, &context_, text.data(), text.data(), text.size(), nonce_.data(), before.data(), before.size(),
          computed.data(), computed.size());
    return sodium_memcmp(computed.data(), tag.data(), computed.size()) == 0;
  }

 private:
  alignas(64) gcm_key_data key_;  // the header asks for it only where LINUX is defined, the code always does
  gcm_context_data context_;
  aes_gcm_enc_dec_t seal_, open_;
  Nonce nonce_{};
};

class ChaCha20Poly1305 final : public PacketEngine {
 public:
  explicit ChaCha20Poly1305(Octets material) {
    std::ranges::copy(material.first(key_.size()), key_.begin());
    std::ranges::copy(material.last(kSalt), nonce_.begin());
  }
  ~ChaCha20Poly1305() override {
    sodium_memzero(key_.data(), key_.size());
    sodium_memzero(&context_, sizeof context_);
    sodium_memzero(nonce_.data(), nonce_.size());
  }

  void seal(Octets iv, const Associated& associated, Text text, Text tag) override {
    begin(iv, associated);
    IMB_CHACHA20_POLY1305_ENC_UPDATE(library(), key_.data(), &context_, text.data(), text.data(), text.size());
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(library(), &context_, tag.data(), tag.size());
  }

  bool open(Octets iv, const Associated& associated, Text text, Octets tag) override {
    begin(iv, associated);
    Tag computed;
    IMB_CHACHA20_POLY1305_DEC_UPDATE(library(), key_.data(), &context_, text.data(), text.data(), text.size());
    IMB_CHACHA20_POLY1305_DEC_FINALIZE(library(), &context_, computed.data(), computed.size());
    return sodium_memcmp(computed.data(), tag.data(), computed.size()) == 0;
  }

 private:
  void begin(Octets iv, const Associated& associated) {
    std::ranges::copy(iv, nonce_.begin() + kSalt);
    IMB_CHACHA20_POLY1305_INIT(library(), key_.data(), &context_, nonce_.data(), associated.before.data(),
                               associated.before.size());
  }
  std::array<std::uint8_t, 32> key_;
  chacha20_poly1305_context_data context_;
  Nonce nonce_{};
};

class IpsecMbAead final : public AeadEngine {
 public:
  void seal(Key key, const Nonce& nonce, Octets additional, Text text, Text tag) override {
    IMB_CHACHA20_POLY1305_INIT(library(), key.data(), &context_, nonce.data(), additional.data(), additional.size());
    if (!text.empty())
      IMB_CHACHA20_POLY1305_ENC_UPDATE(library(), key.data(), &context_, text.data(), text.data(), text.size());
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(library(), &context_, tag.data(), tag.size());
  }

  bool open(Key key, const Nonce& nonce, Octets additional, Text text, Octets tag) override {
    IMB_CHACHA20_POLY1305_INIT(library(), key.data(), &context_, nonce.data(), additional.data(), additional.size());
    if (!text.empty())
      IMB_CHACHA20_POLY1305_DEC_UPDATE(library(), key.data(), &context_, text.data(), text.data(), text.size());
    Tag computed;
    IMB_CHACHA20_POLY1305_DEC_FINALIZE(library(), &context_, computed.data(), computed.size());
    return sodium_memcmp(computed.data(), tag.data(), computed.size()) == 0;
  }

  void forget() override { sodium_memzero(&context_, sizeof context_); }

 private:
  chacha20_poly1305_context_data context_{};
};

std::unique_ptr<PacketEngine> make(const CipherSuite& suite, std::span<const std::uint8_t> material) {
  if (suite.encryption == Encryption::kAesGcm16) return std::make_unique<Gcm>(suite, material);
  if (suite.encryption == Encryption::kChaCha20Poly1305) return std::make_unique<ChaCha20Poly1305>(material);
  return nullptr;
}

// The library's own test does not reach every cipher and width: ours compares with OpenSSL, over lengths that use the
// wide loops and their rests.
bool agrees_with_openssl(const CipherSuite& suite) {
  std::array<std::uint8_t, 36> material;
  for (std::size_t i = 0; i < material.size(); ++i) material[i] = static_cast<std::uint8_t>(i * 7 + 1);
  const auto used = std::span(material).first(key_sizes(suite).total());
  const auto ours = make(suite, used), other = make_openssl_engine(suite, used);
  const std::array<std::uint8_t, 8> iv{1, 2, 3, 4, 5, 6, 7, 8}, additional{8, 7, 6, 5, 4, 3, 2, 1};
  for (const std::size_t size : {std::size_t{4}, std::size_t{60}, std::size_t{1437}}) {
    std::array<std::uint8_t, 1437> a{}, b{};
    Tag tag_a, tag_b;
    ours->seal(iv, {additional, {}}, std::span(a).first(size), tag_a);
    other->seal(iv, {additional, {}}, std::span(b).first(size), tag_b);
    if (a != b || tag_a != tag_b || !ours->open(iv, {additional, {}}, std::span(b).first(size), tag_b)) return false;
    tag_a[15] ^= 1;
    if (ours->open(iv, {additional, {}}, std::span(a).first(size), tag_a)) return false;
  }
  return true;
}

}  // namespace

bool ipsec_mb_is_usable() {
  static const bool usable = library() != nullptr &&
                             agrees_with_openssl({Encryption::kAesGcm16, 128, Integrity::kNone}) &&
                             agrees_with_openssl({Encryption::kAesGcm16, 256, Integrity::kNone}) &&
                             agrees_with_openssl({Encryption::kChaCha20Poly1305, 256, Integrity::kNone});
  return usable;
}

std::unique_ptr<PacketEngine> make_ipsec_mb_engine(const CipherSuite& suite,
                                                   std::span<const std::uint8_t> key_material) {
  return ipsec_mb_is_usable() ? make(suite, key_material) : nullptr;
}

std::unique_ptr<AeadEngine> make_ipsec_mb_aead() {
  return ipsec_mb_is_usable() ? std::make_unique<IpsecMbAead>() : nullptr;
}

#else

bool ipsec_mb_is_usable() {
  return false;
}

std::unique_ptr<PacketEngine> make_ipsec_mb_engine(const CipherSuite&, std::span<const std::uint8_t>) {
  return nullptr;
}

std::unique_ptr<AeadEngine> make_ipsec_mb_aead() {
  return nullptr;
}

#endif
}  // namespace tunnel::crypto
