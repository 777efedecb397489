#include "gateway/daemon/cli_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "config/moment.h"
#include "gateway/core/candidate.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/isolation_file.h"
#include "gateway/daemon/isolation_views.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/host_facts.h"
#include "gateway/os/record_files.h"
#include "policy/explain.h"

namespace gateway::daemon::cli {
namespace {

// What stops a reload once a date has passed that the configuration names.
std::vector<std::string> refusals_at(const std::string& path, config::WallTime at) {
  std::vector<std::string> out;
  const auto loaded = os::load_configuration(path, at, os::KeyFiles::kLeave);
  for (const auto& each : loaded.diagnostics)
    if (each.severity == config::Severity::kError) out.push_back(config::to_text(each, loaded.config.files));
  return out;
}

}  // namespace

Judged read_and_judge(const std::string& path) {
  Judged judged;
  const auto now = os::wall_now();
  judged.loaded = os::load_configuration(path, now);
  auto& diagnostics = judged.loaded.diagnostics;
  if (config::has_errors(diagnostics)) return judged;
  judged.compiled = policy::compile(judged.loaded.config, now);
  const auto add = [&diagnostics](const auto& more) {
    diagnostics.insert(diagnostics.end(), more.begin(), more.end());
  };
  add(judged.compiled.diagnostics);
  add(core::check_ikev2(judged.loaded.config));
  add(policy::run_tests(judged.loaded.config, judged.compiled.plan, now));
  add(config::check_host(judged.loaded.config, os::host_facts()));
  judged.findings = policy::verify(judged.compiled.plan);
  return judged;
}

void print_diagnostics(const config::Loaded& loaded, std::FILE* to) {
  for (const auto& each : loaded.diagnostics) fmt::print(to, "{}\n", config::to_text(each, loaded.config.files));
}

int print_unreadable(const char* verb) {
  fmt::print(stderr, "sekisho {}: not everything could be read{}\n", verb,
             os::is_root() ? "" : fmt::format("; run it as root: sudo sekisho {}", verb));
  return kCouldNotRun;
}

std::string counted(std::size_t number, const char* one, const char* many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

namespace {

// By the orders in the state folder. Who may not read them is told so, and is answered without.
void isolate(const CommandLine& line, config::WallTime now, AskedAt& asked) {
  auto kept = read_isolation(line.state_directory());
  if (!kept && kept.error().number == EACCES) {
    asked.isolated.push_back("not known to you: " + kept.error().to_string());
    return;
  }
  const auto isolation = kept ? *kept : everything_isolated(kept.error().to_string(), now);
  asked.known = policy::isolate(std::move(asked.known), isolation);
  asked.then = policy::isolate(std::move(asked.then), isolation);
  for (const auto& facility : asked.then.facilities)
    for (const auto* order : policy::holding(isolation, facility))
      asked.isolated.push_back(isolation_sentence(facility.name.text, *order, os::record_time()));
}

}  // namespace

config::value::Result<AskedAt, int> read_at(const CommandLine& line, const char* verb) {
  const auto now = os::wall_now();
  auto at = now;
  if (line.has("--at")) {
    const auto moment = config::Moment::parse(line.value("--at"));
    if (!moment) {
      fmt::print(stderr, "sekisho {}: --at: {}\n", verb, moment.error());
      return std::unexpected(kCouldNotRun);
    }
    at = moment->at;
  }
  const auto known = std::min(now, at);
  const auto loaded = os::load_configuration(line.config_file(), known, os::KeyFiles::kLeave);
  if (config::has_errors(loaded.diagnostics)) {
    print_diagnostics(loaded, stderr);
    return std::unexpected(loaded.unreadable ? print_unreadable(verb) : kCouldNotRun);
  }
  AskedAt asked{
      loaded.config, at, policy::compile(loaded.config, known).plan, policy::compile(loaded.config, at).plan, {}, {}};
  if (!policy::verify(asked.known).empty()) {
    fmt::print(stderr, "sekisho {}: the plan breaks a promise; 'sekisho check' says which\n", verb);
    return std::unexpected(kCouldNotRun);
  }
  isolate(line, now, asked);
  if (at > now) asked.notes = refusals_at(line.config_file(), at);
  return asked;
}

void print_notes(const AskedAt& asked) {
  for (const auto& note : asked.notes)
    fmt::print("note: a reload at that time would be refused: {}\n", printable_lines(note));
}

}  // namespace gateway::daemon::cli
