// sekisho key generate FILE, sekisho key public FILE; and which words and options `key` has.
#include "gateway/daemon/cli_keys.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/config_files.h"
#include "gateway/os/signing_key.h"
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

std::string not_created(const os::OsError& error, const std::string& path) {
  return error.number == EEXIST ? path + " is there already and is not overwritten" : error.to_string();
}

// For certificates. Its public half stands in the request that `key csr` makes of it.
int generate_signing(const CommandLine& line, const std::string& path) {
  const auto kind = line.value("--kind");
  const auto kinds = os::signing_key_kinds();
  if (std::ranges::find(kinds, kind) == kinds.end()) {
    std::string all = "wireguard";
    for (const auto each : kinds) all += ", " + std::string(each);
    return key_failed("'" + kind + "' is no kind of key; there are " + all);
  }
  const auto pem = os::make_signing_key(kind);
  if (!pem) return key_failed(pem.error().to_string());
  const std::string_view text(reinterpret_cast<const char*>(pem->expose().data()), pem->size());
  if (auto made = os::create_file(path, text, 0600); !made) return key_failed(not_created(made.error(), path));
  if (line.json())
    fmt::print("{}", one_line({{"version", kControlVersion}, {"file", path}, {"kind", kind}}));
  else
    fmt::print("private key written to {}\nnow: sekisho key csr {} --subject \"CN=..., O=..., C=JP\" --out FILE\n",
               path, path);
  return kFine;
}

int key_generate(const CommandLine& line) {
  const auto& path = line.words[1];
  if (line.value("--kind", "wireguard") != "wireguard") return generate_signing(line, path);
  const auto pair = make_key_pair();
  if (auto made = os::create_file(path, pair.secret.text + "\n", 0600); !made)
    return key_failed(not_created(made.error(), path));
  if (!line.json()) fmt::print("private key written to {}\npublic key: ", path);
  return print_key(line, path, pair.open);
}

int key_public(const CommandLine& line) {
  const auto open = public_key_of(line.words[1]);
  return open ? print_key(line, line.words[1], *open) : key_failed(open.error());
}

struct What {
  std::string_view name, missing;
  int (*run)(const CommandLine&);
};
constexpr std::array<What, 4> kWhats{
    {{"generate", "a FILE is missing: keys are written to files, never shown", key_generate},
     {"public", "a FILE is missing: the private key whose public key is asked for", key_public},
     {"csr", "a FILE is missing: the private key the certificate is asked for", key_csr},
     {"rotate", "a FACILITY is missing: whose preshared key is to be another", key_rotate}}};

struct Belongs {
  std::string_view option, what;
};
constexpr std::array<Belongs, 7> kBelongs{{{"--kind", "generate"},
                                           {"--swap", "rotate"},
                                           {"--back", "rotate"},
                                           {"--ppk", "rotate"},
                                           {"--subject", "csr"},
                                           {"--san", "csr"},
                                           {"--out", "csr"}}};

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

int key_failed(const std::string& sentence) {
  fmt::print(stderr, "sekisho key: {}\n", printable_lines(sentence));
  return kCouldNotRun;
}

int key(const CommandLine& line) {
  if (sodium_init() < 0) return key_failed("libsodium did not start");
  const auto& word = line.words[0];
  const auto* const what = std::ranges::find(kWhats, std::string_view(word), &What::name);
  if (what == kWhats.end()) {
    std::vector<std::string_view> names;
    for (const auto& each : kWhats) names.push_back(each.name);
    const auto near = nearest(word, names);
    return key_failed("'" + word + "' is not generate, public, csr or rotate" +
                      (near.empty() ? "" : "; did you mean '" + near + "'"));
  }
  if (line.words.size() < 2) return key_failed(std::string(what->missing));
  for (const auto& [option, owner] : kBelongs)
    if (line.has(std::string(option)) && owner != word)
      return key_failed(std::string(option) + " belongs to 'sekisho key " + std::string(owner) + "'");
  return what->run(line);
}

}  // namespace gateway::daemon::cli
