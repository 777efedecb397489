// What may be said of a key file: key_file.h judges it; only a fingerprint and, of a private key, the public key leave.
#include <sodium.h>

#include <array>

#include "gateway/os/config_files.h"
#include "gateway/os/key_file.h"

namespace gateway::os {
namespace {

using Key = tunnel::crypto::Secret<32>;

std::string hex_fingerprint(const Key& key) {
  std::array<unsigned char, 32> hash{};
  crypto_generichash(hash.data(), hash.size(), key.expose().data(), 32, nullptr, 0);
  std::array<char, 65> hex{};
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  return hex.data();
}

std::string public_key_text(const Key& key) {
  std::array<unsigned char, 32> point{};
  if (crypto_scalarmult_base(point.data(), key.expose().data()) != 0) return {};
  std::array<char, 45> text{};
  sodium_bin2base64(text.data(), text.size(), point.data(), point.size(), sodium_base64_VARIANT_ORIGINAL);
  return text.data();
}

}  // namespace

config::KeyFileFact inspect_key_file(const std::string& path, const std::string& shown, KeyKind kind) {
  const auto judged = judge_key_file(path);
  config::KeyFileFact fact;
  fact.path = shown;
  fact.state = judged.state;
  fact.detail = judged.detail;
  if (!judged.key) return fact;
  fact.fingerprint = hex_fingerprint(*judged.key);
  if (kind == KeyKind::kPrivate) fact.public_key = public_key_text(*judged.key);
  return fact;
}

}  // namespace gateway::os
