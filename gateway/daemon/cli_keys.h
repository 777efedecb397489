// Making keys. They are written to files and never printed; here only as long as it takes.
#pragma once

#include <string>

#include "config/value/result.h"

namespace gateway::daemon::cli {

// Base64 of 32 octets; wiped by the owner with sodium_memzero.
class KeyText {
 public:
  KeyText() = default;
  KeyText(KeyText&&) noexcept = default;
  KeyText& operator=(KeyText&&) noexcept = default;
  ~KeyText();
  std::string text;
};

struct KeyPair {
  KeyText secret;
  std::string open;
};
[[nodiscard]] KeyPair make_key_pair();  // X25519, clamped (RFC 7748 5)
[[nodiscard]] KeyText make_preshared_key();

// The public key of a private key file, or why there is none, as a sentence.
[[nodiscard]] config::value::Result<std::string, std::string> public_key_of(const std::string& path);

}  // namespace gateway::daemon::cli
