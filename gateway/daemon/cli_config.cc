// Judging the configuration files: check, and what verify says as well.
#include <fmt/format.h>

#include "config/moment.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/uses_file.h"
#include "gateway/os/clock.h"
#include "policy/line_use.h"

namespace gateway::daemon::cli {
namespace {

using config::Diagnostic;

Json place(const config::Position& at, const std::vector<std::string>& files) {
  return {{"file", at.file < files.size() ? files[at.file] : ""}, {"line", at.line}, {"column", at.column}};
}

Json to_json(const Diagnostic& diagnostic, const std::vector<std::string>& files) {
  Json json = place(diagnostic.at, files);
  json["severity"] = diagnostic.severity == config::Severity::kError ? "error" : "warning";
  json["key_path"] = diagnostic.key_path;
  json["message"] = diagnostic.message;
  json["hint"] = diagnostic.hint;
  json["also"] = Json::array();
  for (const auto& also : diagnostic.also) {
    Json other = place(also.at, files);
    other["key_path"] = also.key_path;
    json["also"].push_back(std::move(other));
  }
  return json;
}

// Warnings of permissions that nobody has used for long, where a gateway on this machine has watched them; what cannot
// be said of that, as a sentence.
std::string add_unused(const CommandLine& line, Judged& judged) {
  const auto days = judged.loaded.config.gateway.unused_after_days;
  if (days == 0 || !judged.good()) return {};
  const auto uses = read_uses(line.state_directory());
  if (!uses) return "which permissions are not used is not known: " + uses.error();
  if (!*uses) return {};
  const auto now = os::wall_now();
  const auto found = policy::unused(policy::line_uses(judged.compiled.plan, **uses), days, now);
  for (auto& each : policy::to_warnings(judged.loaded.config, found, days, now))
    judged.loaded.diagnostics.push_back(std::move(each));
  if (found.too_new == 0) return {};
  return fmt::format("{} not used yet, but not watched for {} days either{}: nothing is said of them",
                     counted(found.too_new, "permission is", "permissions are"), days,
                     found.watched ? " (the oldest since " + config::day_text(*found.watched) + ")" : "");
}

}  // namespace

Json check_json(const Judged& judged) {
  Json json{{"version", kControlVersion}, {"ok", judged.good()}, {"files", judged.loaded.config.files}};
  json["unreadable"] = judged.loaded.unreadable;
  json["diagnostics"] = Json::array();
  for (const auto& each : judged.loaded.diagnostics)
    json["diagnostics"].push_back(to_json(each, judged.loaded.config.files));
  json["findings"] = Json::array();
  for (const auto& each : judged.findings) json["findings"].push_back({{"promise", each.promise}, {"what", each.what}});
  return json;
}

int check(const CommandLine& line) {
  auto judged = read_and_judge(line.words.empty() ? line.config_file() : line.words[0]);
  const auto note = add_unused(line, judged);
  if (line.json()) {
    auto json = check_json(judged);
    json["notes"] = note.empty() ? Json::array() : Json::array({note});
    fmt::print("{}", one_line(json));
    return judged.loaded.unreadable ? kCouldNotRun : judged.good() ? kFine : kFindings;
  }
  print_diagnostics(judged.loaded, stdout);
  if (!note.empty()) fmt::print("note: {}\n", printable(note));
  for (const auto& finding : judged.findings) fmt::print("promise {}: {}\n", finding.promise, finding.what);
  if (judged.loaded.unreadable) return print_unreadable("check");
  if (!judged.good()) {
    fmt::print("{}\n", coloured(Colour::kRed, "not good: a reload would be refused"));
    return kFindings;
  }
  const auto& config = judged.loaded.config;
  fmt::print("{}: {}, {}, {}, {} passed\n", coloured(Colour::kGreen, "good"),
             counted(config.facilities.size(), "facility", "facilities"),
             counted(config.services.size(), "service", "services"),
             counted(judged.compiled.plan.permissions.size(), "permission", "permissions"),
             counted(config.tests.size(), "test", "tests"));
  return kFine;
}

}  // namespace gateway::daemon::cli
