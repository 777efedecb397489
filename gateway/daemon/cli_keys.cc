// sekisho key generate FILE, sekisho key public FILE
#include "gateway/daemon/cli_keys.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "gateway/os/config_files.h"
#include "gateway/os/state_files.h"

namespace gateway::daemon::cli {
namespace {

using Key = std::array<unsigned char, 32>;

std::string base64_of(const Key& key) {
  std::string text(sodium_base64_ENCODED_LEN(sizeof(Key), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the terminating zero
  return text;
}

int print_key(const CommandLine& line, const std::string& path, const std::string& open) {
  if (line.json())
    fmt::print("{}", one_line({{"version", kControlVersion}, {"file", path}, {"public_key", open}}));
  else
    fmt::print("{}\n", open);
  return kFine;
}

int failed(const std::string& sentence) {
  fmt::print(stderr, "sekisho key: {}\n", sentence);
  return kCouldNotRun;
}

}  // namespace

KeyText::~KeyText() {
  sodium_memzero(text.data(), text.size());
}

KeyPair make_key_pair() {
  Key secret{}, open{};
  randombytes_buf(secret.data(), secret.size());
  secret[0] &= 248, secret[31] = static_cast<unsigned char>((secret[31] & 127) | 64);
  crypto_scalarmult_base(open.data(), secret.data());
  KeyPair pair;
  pair.secret.text = base64_of(secret);
  pair.open = base64_of(open);
  sodium_memzero(secret.data(), secret.size());
  return pair;
}

KeyText make_preshared_key() {
  Key key{};
  randombytes_buf(key.data(), key.size());
  KeyText text;
  text.text = base64_of(key);
  sodium_memzero(key.data(), key.size());
  return text;
}

config::value::Result<std::string, std::string> public_key_of(const std::string& path) {
  const auto fact = os::inspect_key_file(path, path, os::KeyKind::kPrivate);
  using State = config::KeyFileFact::State;
  switch (fact.state) {
    case State::kGood:
      return fact.public_key;
    case State::kMissing:
      return std::unexpected(path + " does not exist; 'sekisho key generate " + path + "' makes it");
    case State::kUnreadable:
      return std::unexpected(path + " cannot be read: " + fact.detail);
    case State::kOpenToOthers:
      return std::unexpected(path + " is open to others (" + fact.detail + "): chmod 0600 " + path);
    case State::kMalformed:
      return std::unexpected(path + " does not hold a key: 32 octets in base64 are expected");
    case State::kWeak:
      return std::unexpected(path + " holds a weak key; make a new one");
  }
  return std::unexpected(path + ": unknown state");
}

int key(const CommandLine& line) {
  if (sodium_init() < 0) return failed("libsodium did not start");
  const auto& what = line.words[0];
  if (what != "generate" && what != "public") return failed("'" + what + "' is neither 'generate' nor 'public'");
  if (line.words.size() < 2) return failed("a FILE is missing: keys are written to files, never shown");
  const auto& path = line.words[1];
  if (what == "generate") {
    const auto pair = make_key_pair();
    if (auto made = os::create_file(path, pair.secret.text + "\n", 0600); !made)
      return failed(made.error().number == EEXIST ? path + " is there already and is not overwritten"
                                                  : made.error().to_string());
    if (!line.json()) fmt::print("private key written to {}\npublic key: ", path);
    return print_key(line, path, pair.open);
  }
  const auto open = public_key_of(path);
  return open ? print_key(line, path, *open) : failed(open.error());
}

}  // namespace gateway::daemon::cli
