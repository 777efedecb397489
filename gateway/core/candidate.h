// A configuration, judged: the plan it compiles to, or why it cannot run; and the readable difference of two plans.
// Pure; the shell reads the files (gateway/os/config_files.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/load.h"
#include "gateway/core/messages.h"
#include "policy/plan.h"

namespace gateway::core {

// Files of certificates and revocation lists, each with the digest of what stood in it.
using Credentials = std::vector<std::pair<std::string, std::string>>;

struct Candidate {
  std::shared_ptr<const config::GatewayConfig> config;  // null: only the plan was kept (last-good)
  policy::Plan plan;
  std::vector<KeySource> keys;
  std::optional<config::value::WallTime> next_change;  // earliest end date in the plan
  Credentials credentials;
  std::shared_ptr<const std::vector<config::SourceFile>> sources;  // null: no files were read
  std::vector<std::string> errors;                                 // not empty: must not run
  std::vector<std::string> warnings;
};

// What the configuration floor cannot know of IKEv2: which names are algorithms, which identities can be sent, and
// whether two of them are one.
[[nodiscard]] std::vector<config::Diagnostic> check_ikev2(const config::GatewayConfig& config);

// Why `plan` must not run as what `config` declares, over all packets: a sentence for each breach, with its packet, the
// line that opens it and the rules that accept it. Empty: proved.
[[nodiscard]] std::vector<std::string> unproved(const policy::Plan& plan, const config::GatewayConfig& config,
                                                config::value::WallTime now);

// Permissions of a plan that is proved whenever it is made: about 2,000 facilities, a second of one processor. While
// accessd proves it answers nobody, and the watchdog takes one that is silent for 5 s. Larger plans are checked row by
// row, with a warning that says so.
inline constexpr std::size_t kMostProvedRows = 100'000;

// Compiles, runs the configuration's own tests and the quick check, and proves the plan (proof.h). All findings, not
// the first. `directory` is that of the main file: key files are relative to it.
[[nodiscard]] Candidate judge(const config::Loaded& loaded, const std::string& directory, config::value::WallTime now);

// The same configuration at a later time, because an end date has come. Nothing that fails here may keep an ended
// permission alive: the configuration's own tests are warnings, and of one that does not compile or is not proved comes
// `running` without the ended ones.
[[nodiscard]] Candidate judge_again(const config::GatewayConfig& config, const policy::Plan& running,
                                    const std::string& directory, config::value::WallTime now);

// `plan` without the permissions that have ended by `now`.
[[nodiscard]] Candidate without_ended(const policy::Plan& plan, std::vector<KeySource> keys,
                                      config::value::WallTime now);

[[nodiscard]] std::vector<KeySource> key_sources(const policy::Plan& plan, const std::string& directory);

// BLAKE2b-256 of the encoded plan, hex. Equal meaning, equal digest.
[[nodiscard]] std::string digest(const policy::Plan& plan);

// One line a difference: "+ permission …", "- facility …", "~ facility …: tunnel". Empty when nothing changes.
[[nodiscard]] std::vector<std::string> describe_difference(const policy::Plan& before, const policy::Plan& after);

[[nodiscard]] std::string to_string(const policy::Permission& permission);

}  // namespace gateway::core
