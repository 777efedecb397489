// Making keys. They are written to files and never printed; here only as long as it takes.
#pragma once

#include <string>

#include "config/value/result.h"
#include "gateway/daemon/cli.h"

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

// sekisho key WHAT, by file: cli_keys.cc (generate, public), cli_key_rotate.cc, cli_key_csr.cc.
[[nodiscard]] int key_failed(const std::string& sentence);  // "sekisho key: …" on standard error
int key_rotate(const CommandLine&);
int key_csr(const CommandLine&);

}  // namespace gateway::daemon::cli
