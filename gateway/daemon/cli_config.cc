// Verbs that need only the configuration files: check, explain, verify.
#include <fmt/format.h>

#include "gateway/core/candidate.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/host_facts.h"
#include "policy/compile.h"
#include "policy/explain.h"
#include "policy/verify.h"

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

struct Judged {
  config::Loaded loaded;
  policy::CompileResult compiled;  // empty when the configuration has errors
  std::vector<policy::Finding> findings;
  [[nodiscard]] bool good() const { return !config::has_errors(loaded.diagnostics) && findings.empty(); }
};

Judged read_and_judge(const std::string& path, bool with_tests) {
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
  if (with_tests) add(policy::run_tests(judged.loaded.config, judged.compiled.plan, now));
  if (with_tests) add(config::check_host(judged.loaded.config, os::host_facts()));
  judged.findings = policy::verify(judged.compiled.plan);
  return judged;
}

void print_diagnostics(const config::Loaded& loaded, std::FILE* to) {
  for (const auto& each : loaded.diagnostics) fmt::print(to, "{}\n", config::to_text(each, loaded.config.files));
}

int print_check_json(const Judged& judged) {
  Json json{{"version", kControlVersion}, {"ok", judged.good()}, {"files", judged.loaded.config.files}};
  json["unreadable"] = judged.loaded.unreadable;
  json["diagnostics"] = Json::array();
  for (const auto& each : judged.loaded.diagnostics)
    json["diagnostics"].push_back(to_json(each, judged.loaded.config.files));
  json["findings"] = Json::array();
  for (const auto& each : judged.findings) json["findings"].push_back({{"promise", each.promise}, {"what", each.what}});
  fmt::print("{}", one_line(json));
  if (judged.loaded.unreadable) return kCouldNotRun;
  return judged.good() ? kFine : kFindings;
}

// Nothing can be said about what could not be read.
int print_unreadable(const char* verb) {
  fmt::print(stderr, "sekisho {}: not everything could be read{}\n", verb,
             os::is_root() ? "" : fmt::format("; run it as root: sudo sekisho {}", verb));
  return kCouldNotRun;
}

std::string counted(std::size_t number, const char* one, const char* many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

// "karte:tcp/443" -> "karte", "tcp/443"; "[2001:db8::1]:443" likewise. A port without protocol is TCP.
struct Split {
  std::string name, port;  // an empty port: none was given
};

Split split_port(const std::string& word) {
  if (word.starts_with('[')) {
    const auto end = word.find(']');
    if (end == std::string::npos) return {word, ""};
    return {word.substr(1, end - 1), end + 1 < word.size() && word[end + 1] == ':' ? word.substr(end + 2) : ""};
  }
  if (word.starts_with("inside:") || config::value::IpAddress::parse(word)) return {word, ""};
  const auto colon = word.find(':');
  return colon == std::string::npos ? Split{word, ""} : Split{word.substr(0, colon), word.substr(colon + 1)};
}

config::value::Result<policy::Question, std::string> question_of(const std::vector<std::string>& words) {
  auto [to, port] = split_port(words[1]);
  policy::Question question{split_port(words[0]).name, to, std::nullopt, std::nullopt};
  if (port.empty()) return question;
  if (port.find_first_not_of("0123456789") == std::string::npos) port.insert(0, "tcp/");
  question.port = TRY(config::value::ServicePort::parse(port));
  return question;
}

Json to_json(const policy::Answer& answer) {
  Json json{{"source", answer.packet.source.to_string()},
            {"destination", answer.packet.destination.to_string()},
            {"destination_port", answer.packet.destination_port},
            {"allowed", answer.decision.allowed()},
            {"text", policy::to_text(answer.decision)}};
  if (const auto* permission = answer.decision.permission) {
    json["rule"] = permission->rule.number;
    json["origin"] = permission->origin;
    json["name"] = permission->name;
    json["port"] = permission->port.to_string();
  }
  return json;
}

int print_explanation(const policy::Explanation& explanation, bool json) {
  const bool allowed = explanation.problems.empty() && explanation.any_allowed();
  if (json) {
    Json out{{"version", kControlVersion},
             {"allowed", allowed},
             {"all_allowed", explanation.all_allowed()},
             {"problems", explanation.problems},
             {"answers", Json::array()}};
    for (const auto& answer : explanation.answers) out["answers"].push_back(to_json(answer));
    fmt::print("{}", one_line(out));
  } else {
    fmt::print(explanation.problems.empty() ? stdout : stderr, "{}", policy::to_text(explanation));
  }
  if (!explanation.problems.empty()) return kCouldNotRun;
  return allowed ? kFine : kFindings;
}

}  // namespace

int check(const CommandLine& line) {
  const auto judged = read_and_judge(line.words.empty() ? line.config_file() : line.words[0], true);
  if (line.json()) return print_check_json(judged);
  print_diagnostics(judged.loaded, stdout);
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

int explain(const CommandLine& line) {
  const auto judged = read_and_judge(line.config_file(), false);
  if (config::has_errors(judged.loaded.diagnostics)) {
    print_diagnostics(judged.loaded, stderr);
    return judged.loaded.unreadable ? print_unreadable("explain") : kCouldNotRun;
  }
  const auto question = question_of(line.words);
  if (!question) {
    fmt::print(stderr, "sekisho explain: {}\n", question.error());
    return kCouldNotRun;
  }
  return print_explanation(policy::explain(judged.loaded.config, judged.compiled.plan, *question, os::wall_now()),
                           line.json());
}

int verify(const CommandLine& line) {
  const auto judged = read_and_judge(line.config_file(), true);
  if (line.json()) return print_check_json(judged);
  if (config::has_errors(judged.loaded.diagnostics)) {
    print_diagnostics(judged.loaded, stderr);
    return judged.loaded.unreadable ? print_unreadable("verify") : kFindings;
  }
  for (const auto& finding : judged.findings) fmt::print("promise {}: {}\n", finding.promise, finding.what);
  if (!judged.findings.empty()) return kFindings;
  fmt::print("nothing found: P1-P3 hold for each of {} and {}\n",
             counted(judged.compiled.plan.permissions.size(), "permission", "permissions"),
             counted(judged.compiled.plan.routes.size(), "route", "routes"));
  return kFine;
}

}  // namespace gateway::daemon::cli
