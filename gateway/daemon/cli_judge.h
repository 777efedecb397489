// Reading and judging the configuration, for the verbs that need nothing else; `--at` for those that ask about a time.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "config/value/result.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "policy/compile.h"
#include "policy/verify.h"

namespace gateway::daemon::cli {

struct Judged {
  config::Loaded loaded;
  policy::CompileResult compiled;  // empty when the configuration has errors
  std::vector<policy::Finding> findings;
  [[nodiscard]] bool good() const { return !config::has_errors(loaded.diagnostics) && findings.empty(); }
};

// With the configuration's own tests, its key files, and what this machine has of what it names.
[[nodiscard]] Judged read_and_judge(const std::string& path);

// As `check --json` prints it.
[[nodiscard]] Json check_json(const Judged& judged);
void print_diagnostics(const config::Loaded& loaded, std::FILE* to);
[[nodiscard]] int print_unreadable(const char* verb);  // nothing can be said about what could not be read
[[nodiscard]] std::string counted(std::size_t number, const char* one, const char* many);

// A configuration as it stands, and what it means at a time.
struct AskedAt {
  config::GatewayConfig config;
  config::WallTime at;
  policy::Plan known;                 // with what has ended by `at`, so that it can be named
  policy::Plan then;                  // as the gateway would have it at `at`
  std::vector<std::string> isolated;  // a sentence for each facility that is, as the gateway keeps it; of both plans
  std::vector<std::string> notes;     // what a reload at that time would be refused for
};

// `--at TIME`, else now; what is isolated now is isolated in both plans. Key files are not opened. The error: exit
// status, after what is wrong was printed.
[[nodiscard]] config::value::Result<AskedAt, int> read_at(const CommandLine& line, const char* verb);
void print_notes(const AskedAt& asked);

}  // namespace gateway::daemon::cli
