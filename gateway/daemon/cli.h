// The command line `sekisho VERB` (design 10): a table of verbs, their options and their texts. Exit: 0 fine, 1
// findings, differences or denied, 2 could not run. Errors say what, where, and what would be right. Secrets are never
// shown.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"

namespace gateway::daemon::cli {

inline constexpr int kFine = 0, kFindings = 1, kCouldNotRun = 2;

struct Option {
  std::string_view name;   // "--comment"
  std::string_view value;  // "TEXT"; empty: a switch
  std::string_view text;
  bool repeatable = false;
};

struct CommandLine {
  std::vector<std::string> words;                           // after the verb, without options
  std::map<std::string, std::vector<std::string>> options;  // "--comment" -> values; a switch has one empty value

  [[nodiscard]] bool has(const std::string& option) const { return options.contains(option); }
  [[nodiscard]] std::string value(const std::string& option, const std::string& otherwise = "") const {
    const auto found = options.find(option);
    return found == options.end() ? otherwise : found->second.back();
  }
  [[nodiscard]] std::vector<std::string> values(const std::string& option) const {
    const auto found = options.find(option);
    return found == options.end() ? std::vector<std::string>() : found->second;
  }
  [[nodiscard]] bool json() const { return has("--json"); }
  [[nodiscard]] std::string config_file() const { return value("--config", "/etc/sekisho/sekisho.json"); }
  [[nodiscard]] std::string state_directory() const { return value("--state", "/var/lib/sekisho"); }
  [[nodiscard]] std::string runtime_directory() const { return value("--runtime", "/run/sekisho"); }
};

struct Verb {
  std::string_view name;
  std::string_view words;    // "FROM TO[:PORT]"
  std::string_view summary;  // one line
  std::size_t least_words = 0, most_words = 0;
  std::span<const Option> options;  // besides --config, --runtime, --state, --json, --help
  int (*run)(const CommandLine&);
};

[[nodiscard]] std::span<const Verb> verbs();

// The error is a sentence for a person.
[[nodiscard]] config::value::Result<CommandLine, std::string> parse(const Verb& verb,
                                                                    std::span<const std::string> arguments);
[[nodiscard]] std::string help();
[[nodiscard]] std::string help(const Verb& verb);
// "did you mean": the nearest of `names`, or empty.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string_view> names);

[[nodiscard]] int run(std::span<const std::string> arguments);

// The verbs, by file: cli_config.cc, cli_verify.cc, cli_explain.cc, cli_matrix.cc, cli_gateway.cc, cli_change.cc,
// cli_replay.cc, cli_show.cc, cli_keys.cc, cli_isolation.cc, cli_facility.cc, cli_router.cc, cli_doctor.cc.
int check(const CommandLine&);
int explain(const CommandLine&);
int matrix(const CommandLine&);
int verify(const CommandLine&);
int run_foreground(const CommandLine&);
int reload(const CommandLine&);
int apply(const CommandLine&);
int diff(const CommandLine&);
int confirm(const CommandLine&);
int rollback(const CommandLine&);
int history(const CommandLine&);
int status(const CommandLine&);
int show(const CommandLine&);
int isolate(const CommandLine&);
int rejoin(const CommandLine&);
int key(const CommandLine&);
int facility(const CommandLine&);
int doctor(const CommandLine&);

}  // namespace gateway::daemon::cli
