// `sekisho verify`: what check finds, and then the proof over all packets (gateway/core/proof.h).
#include <fmt/format.h>

#include <optional>

#include "gateway/core/live_proof.h"
#include "gateway/core/proof.h"
#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/live_views.h"
#include "gateway/os/clock.h"
#include "gateway/os/memory_file.h"

namespace gateway::daemon::cli {
namespace {

using core::Breach;
using core::Proof;
using core::Theorem;

constexpr int kReadTime = 190;  // seconds; netd and tunneld have 90, after the question before
constexpr std::size_t kMostOctets = std::size_t{512} << 20;

Json proof_json(const config::value::Result<Proof, std::string>& proof) {
  if (!proof) return {{"ok", false}, {"error", proof.error()}};
  return to_json(*proof);
}

int print_json(const Judged& judged, const std::optional<config::value::Result<Proof, std::string>>& proof) {
  Json json = check_json(judged);
  json["proof"] = proof ? proof_json(*proof) : Json(nullptr);
  const bool good = judged.good() && proof && *proof && (*proof)->holds();
  json["ok"] = good;
  fmt::print("{}", one_line(json));
  return judged.loaded.unreadable ? kCouldNotRun : good ? kFine : kFindings;
}

void print(const Breach& breach) {
  fmt::print("  {}\n", printable(breach.what));
  if (!breach.line.empty()) fmt::print("    opened by {}\n", printable(breach.line));
  for (const std::string& rule : breach.rules) fmt::print("    accepted by {}\n", printable(rule));
}

void print_theorems(const Proof& proof) {
  for (const Theorem& theorem : proof.theorems) {
    const auto verdict = theorem.holds() ? coloured(Colour::kGreen, "holds") : coloured(Colour::kRed, "fails");
    fmt::print("{:<5} {}: {}\n", theorem.promise, verdict, theorem.statement);
    for (const Breach& breach : theorem.breaches) print(breach);
  }
}

int print_proof(const Proof& proof) {
  print_theorems(proof);
  if (!proof.holds()) {
    fmt::print("{}\n", coloured(Colour::kRed, "not proved: an apply would be refused"));
    return kFindings;
  }
  fmt::print(
      "{} over all packets, IPv4 and IPv6: {}; of {} that one could reach another, {} open and {} closed; {} pass\n",
      coloured(Colour::kGreen, "proved"), counted(proof.facilities, "facility", "facilities"),
      counted(proof.pairs, "way", "ways"), proof.open_pairs, proof.pairs - proof.open_pairs,
      counted(proof.boxes, "range of packets", "ranges of packets"));
  return kFine;
}

// What the gateway read back, out of the file that comes with its answer.
config::value::Result<core::LiveState, std::string> installed(const CommandLine& line, Json& refusal) {
  auto asked = ask(line, {{"verb", "installed"}}, kReadTime);
  if (!asked) return std::unexpected(asked.error());
  if (asked->answer["ok"] != true) return refusal = asked->answer, std::unexpected(std::string());
  const auto file = asked->client.take_file();
  if (!file.valid()) return std::unexpected("the gateway's answer came without what it read");
  const auto octets = os::read_memory_file(file, kMostOctets);
  if (!octets) return std::unexpected(octets.error().to_string());
  auto state = core::decode<core::LiveState>(*octets);
  if (!state) return std::unexpected("the gateway is of another version than this command: restart it");
  return *std::move(state);
}

void print(const core::LiveDifference& difference, const std::vector<core::TableWriter>& writers) {
  const char* does = difference.opens && difference.closes ? "opens and closes"
                     : difference.opens                    ? "opens"
                     : difference.closes                   ? "closes"
                                                           : "differs";
  fmt::print("{} {}: {}\n", difference.layer, coloured(Colour::kRed, does), printable(difference.what));
  if (!difference.says.empty()) fmt::print("    {}\n", printable(difference.says));
  if (const auto* writer = writer_of(difference, writers))
    fmt::print("    the table was last changed by process {} ({})\n", writer->pid, printable(writer->program));
}

int print_live(const core::LiveState& state, const core::LiveVerdict& verdict) {
  if (verdict.nothing_read()) {
    fmt::print(stderr, "nothing is known of what is installed, it could not be read: {}\n",
               printable(verdict.not_proved));
    return kCouldNotRun;
  }
  if (verdict.proof) print_theorems(*verdict.proof);
  for (const auto& each : verdict.differences) print(each, state.kernel.writers);
  if (verdict.left_out > 0) fmt::print("and {} more that may be to blame\n", verdict.left_out);
  for (const auto& note : verdict.notes) fmt::print("note: {}\n", printable(note));
  if (verdict.good()) {
    fmt::print("{}: what is installed is generation {}, and every promise holds of it\n",
               coloured(Colour::kGreen, "proved"), state.generation);
    return kFine;
  }
  if (!verdict.proof) fmt::print("{}: {}\n", coloured(Colour::kRed, "cannot be proved"), printable(verdict.not_proved));
  fmt::print("{}\n", coloured(Colour::kRed, fmt::format("what is installed is not what was applied: {}",
                                                        counted(verdict.differences.size() + verdict.left_out,
                                                                "difference", "differences"))));
  return kFindings;
}

int print_live_json(const core::LiveState& state, const core::LiveVerdict& verdict) {
  Json json{{"version", kControlVersion},
            {"ok", verdict.good()},
            {"generation", state.generation},
            {"differences", Json::array()}};
  for (const auto& each : verdict.differences) json["differences"].push_back(to_json(each, state.kernel.writers));
  json["left_out"] = verdict.left_out;
  json["notes"] = verdict.notes;
  json["proof"] = verdict.proof ? to_json(*verdict.proof) : Json{{"ok", false}, {"error", verdict.not_proved}};
  fmt::print("{}", one_line(json));
  return verdict.nothing_read() ? kCouldNotRun : verdict.good() ? kFine : kFindings;
}

int verify_live(const CommandLine& line) {
  Json refusal;
  const auto state = installed(line, refusal);
  if (!state && !refusal.is_null()) return print_refusal(line, refusal), kCouldNotRun;
  if (!state) return print_not_reached(state.error());
  const auto verdict = core::prove_live(*state);
  return line.json() ? print_live_json(*state, verdict) : print_live(*state, verdict);
}

}  // namespace

int verify(const CommandLine& line) {
  if (line.has("--live")) return verify_live(line);
  const auto judged = read_and_judge(line.config_file());
  std::optional<config::value::Result<Proof, std::string>> proof;
  if (judged.good()) {
    const auto now = os::wall_now();
    proof = core::prove(judged.compiled.plan, policy::declared(judged.loaded.config, now), now);
  }
  if (line.json()) return print_json(judged, proof);
  if (config::has_errors(judged.loaded.diagnostics)) {
    print_diagnostics(judged.loaded, stderr);
    return judged.loaded.unreadable ? print_unreadable("verify") : kFindings;
  }
  for (const auto& finding : judged.findings) fmt::print("promise {}: {}\n", finding.promise, finding.what);
  if (!proof) return kFindings;
  if (!*proof) {
    fmt::print("{}: {}\n", coloured(Colour::kRed, "cannot be proved"), printable(proof->error()));
    return kFindings;
  }
  return print_proof(**proof);
}

}  // namespace gateway::daemon::cli
