// text -> GatewayConfig. Pure: the caller reads the files, following `include` through `IncludeSource`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/gateway_config.h"

namespace config {

struct SourceFile {
  std::string path;  // as shown in diagnostics
  std::string text;
};

struct Loaded {
  GatewayConfig config;                                          // complete only when no diagnostic is an error
  std::vector<Diagnostic> diagnostics;                           // sorted by file, line, column
  std::vector<std::pair<std::string, std::string>> credentials;  // the shell: file of certificates or lists, its digest
  std::vector<SourceFile> sources;  // the shell: what was read, so that it can be kept beside the plan
  bool unreadable = false;          // the shell: a file could not be read, so nothing can be said about it
};

// The main file as it was parsed, before the others are known. Never null; load() uses it up.
struct ParsedMain;
using MainDocument = std::shared_ptr<ParsedMain>;
[[nodiscard]] MainDocument parse_main(const SourceFile& main);

// Its `include` patterns, so that the shell knows what to read. Never fails: a broken file has none.
[[nodiscard]] std::vector<std::string> include_patterns(const MainDocument& main);

// files[0] is the main file, the others what its includes named, in order. `now` judges end dates.
// `empty_includes`: patterns that named no file; a warning each.
[[nodiscard]] Loaded load(const std::vector<SourceFile>& files, WallTime now,
                          const std::vector<std::string>& empty_includes = {});
// The same, with `main` parsed of files[0]; it holds nothing afterwards.
[[nodiscard]] Loaded load(const std::vector<SourceFile>& files, MainDocument main, WallTime now,
                          const std::vector<std::string>& empty_includes = {});

// What this machine has of what the configuration names; looked at by the shell.
struct HostFacts {
  std::vector<std::string> interfaces;
  std::vector<IpAddress> addresses;
  std::vector<std::string> without_link{};  // of the interfaces: down, or nothing at the other end
};

// The interfaces of the plan in force; empty: none runs.
struct RunningOn {
  std::string outside, inside;
};

// Interfaces and outside addresses that are not there: warnings, for they may come later, or this is another machine.
[[nodiscard]] std::vector<Diagnostic> check_host(const GatewayConfig& config, const HostFacts& facts,
                                                 const RunningOn& running = {});

// What the shell saw of a referenced key file. `fingerprint` = BLAKE2b-256 of the decoded key, empty when unreadable.
struct KeyFileFact {
  enum class State : std::uint8_t { kGood, kMissing, kUnreadable, kOpenToOthers, kMalformed, kWeak };
  std::string path;  // as written in the configuration
  State state = State::kMissing;
  std::string fingerprint;
  std::string public_key;  // base64, of a WireGuard private key
  std::string detail;      // "mode 0644", errno text
};

// Certificates and revocation lists (public) and the gateway's signing key (secret), PEM: as written, and where.
struct CredentialFile {
  enum class Kind : std::uint8_t { kCertificates, kRevocationList, kSigningKey };
  std::string path, key_path;
  Kind kind = Kind::kCertificates;
  Position at;
};
// Those some facility needs; a path that several name stands once.
[[nodiscard]] std::vector<CredentialFile> credential_files(const GatewayConfig& config);

// Every key file the configuration refers to, once each.
[[nodiscard]] std::vector<std::string> referenced_key_files(const GatewayConfig& config);

// Missing, too open, malformed, or shared by two facilities (both named).
[[nodiscard]] std::vector<Diagnostic> check_key_files(const GatewayConfig& config,
                                                      const std::vector<KeyFileFact>& facts);

}  // namespace config
