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
  // Of an end date: the running plan, before isolation, that it takes ended rows from. It is good for that one alone.
  std::shared_ptr<const policy::Plan> made_of;
  std::vector<std::string> errors;  // not empty: must not run
  std::vector<std::string> warnings;
};

// What the configuration floor cannot know of IKEv2: which names are algorithms, which identities can be sent, and
// whether two of them are one.
[[nodiscard]] std::vector<config::Diagnostic> check_ikev2(const config::GatewayConfig& config);

// Why `plan` must not run as what `config` declares, over all packets: a sentence for each breach, with its packet, the
// line that opens it and the rules that accept it. Empty: proved.
[[nodiscard]] std::vector<std::string> unproved(const policy::Plan& plan, const config::GatewayConfig& config,
                                                config::value::WallTime now);

// A candidate that was judged in everything but the proof over all packets. That takes seconds where there are
// thousands of facilities, so whoever must go on answering has it made elsewhere (gateway/daemon/prover.h): there is no
// way to the candidate but by saying how the proof went.
class Unproved {
 public:
  // As far as it is judged. With errors it is refused already, and needs no proof.
  [[nodiscard]] const Candidate& candidate() const { return candidate_; }
  [[nodiscard]] bool needs_proof() const { return candidate_.errors.empty(); }
  // The proof: what unproved() says of it; of one that is refused already, nothing. May be run in a copy of this
  // process.
  [[nodiscard]] std::vector<std::string> prove() const;
  void refuse(std::vector<std::string> errors);  // for a reason of the caller's
  void note(std::string warning);                // whatever becomes of it
  // `breaches` empty: it was proved.
  [[nodiscard]] Candidate decided(std::vector<std::string> breaches) &&;

 private:
  friend Unproved judge(const config::Loaded& loaded, const std::string& directory, config::value::WallTime now);
  friend Unproved judge_again(const config::GatewayConfig& config, std::shared_ptr<const policy::Plan> running,
                              const std::string& directory, config::value::WallTime now);
  friend Unproved refused(std::vector<std::string> errors);
  Unproved(Candidate candidate, config::value::WallTime now) : candidate_(std::move(candidate)), now_(now) {}

  Candidate candidate_;
  config::value::WallTime now_;
  std::optional<Candidate> otherwise_;  // comes in the place of one with errors, which are its warnings
};

// Compiles, runs the configuration's own tests and the quick check. All findings, not the first. `directory` is that of
// the main file: key files are relative to it.
[[nodiscard]] Unproved judge(const config::Loaded& loaded, const std::string& directory, config::value::WallTime now);

// The same configuration at a later time, because an end date has come. Nothing that fails here may keep an ended
// permission alive: the configuration's own tests are warnings, and of one that does not compile or is not proved comes
// `running` without the ended ones.
[[nodiscard]] Unproved judge_again(const config::GatewayConfig& config, std::shared_ptr<const policy::Plan> running,
                                   const std::string& directory, config::value::WallTime now);

// What never became a configuration; without a reason given it is refused all the same.
[[nodiscard]] Unproved refused(std::vector<std::string> errors);

// Proves it here and now.
[[nodiscard]] Candidate proved_here(Unproved judged);

// `plan` without the permissions that have ended by `now`.
[[nodiscard]] Candidate without_ended(const policy::Plan& plan, std::vector<KeySource> keys,
                                      config::value::WallTime now);

[[nodiscard]] std::vector<KeySource> key_sources(const policy::Plan& plan, const std::string& directory);

// BLAKE2b-256 of the encoded plan, hex. Equal meaning, equal digest.
[[nodiscard]] std::string digest(const policy::Plan& plan);

// One line a difference: "+ permission …", "- facility …", "~ facility …: tunnel". Empty when nothing changes.
[[nodiscard]] std::vector<std::string> describe_difference(const policy::Plan& before, const policy::Plan& after);

// Of the first change of a large gateway there are hundreds of thousands; people and records get this many, and then
// how many more there are.
inline constexpr std::size_t kMostDifferenceLines = 2'000;
void shorten_lines(std::vector<std::string>& lines);

[[nodiscard]] std::string to_string(const policy::Permission& permission);

// The rows of `plan` that `other` does not have under their number just as they are, but for the origin. Of 200,000
// rows an edit of one facility leaves a few. All of them when one of the plans is not in its order.
[[nodiscard]] std::vector<policy::Permission> rows_not_in(const policy::Plan& other, const policy::Plan& plan);

}  // namespace gateway::core
