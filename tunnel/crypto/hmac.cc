// One prepared context for each hash, copied: fetching algorithms by name costs more than a short HMAC.
#include "tunnel/crypto/hmac.h"

#include <array>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using wire::require;

openssl::MacContext prepared(const char* hash) {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  openssl::MacContext context(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  std::array<char, 16> name{};
  for (std::size_t i = 0; hash[i] != 0; ++i) name[i] = hash[i];
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                   OSSL_PARAM_construct_end()};
  require(context && EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
  return context;
}

const EVP_MAC_CTX* prepared(HmacHash hash) {
  static const std::array contexts{prepared("SHA256"), prepared("SHA384"), prepared("SHA512")};
  return contexts.at(static_cast<std::size_t>(hash)).get();
}

}  // namespace

Hmac::Hmac(HmacHash hash, std::span<const std::uint8_t> key) : context_(EVP_MAC_CTX_dup(prepared(hash))) {
  static constexpr std::uint8_t kEmptyKey = 0;  // a null pointer would mean "the key from before"
  require(context_ && EVP_MAC_init(context_.get(), key.empty() ? &kEmptyKey : key.data(), key.size(), nullptr) == 1);
}

void Hmac::compute(std::initializer_list<std::span<const std::uint8_t>> parts, std::span<std::uint8_t> out) {
  require(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1);
  for (const auto part : parts) {
    if (!part.empty()) require(EVP_MAC_update(context_.get(), part.data(), part.size()) == 1);
  }
  std::size_t written = 0;
  require(EVP_MAC_final(context_.get(), out.data(), &written, out.size()) == 1 && written == out.size());
}

}  // namespace tunnel::crypto
