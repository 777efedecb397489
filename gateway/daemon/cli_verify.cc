// `sekisho verify`: what check finds, and then the proof over all packets (gateway/core/proof.h).
#include <fmt/format.h>

#include <optional>

#include "gateway/core/proof.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/clock.h"

namespace gateway::daemon::cli {
namespace {

using core::Breach;
using core::Proof;
using core::Theorem;

Json to_json(const Breach& breach) {
  Json json{{"what", breach.what}, {"line", breach.line}, {"rules", breach.rules}, {"packet", nullptr}};
  if (breach.packet)
    json["packet"] = {{"source", breach.packet->source.to_string()},
                      {"destination", breach.packet->destination.to_string()},
                      {"protocol", breach.packet->protocol},
                      {"port", breach.packet->port}};
  return json;
}

Json to_json(const config::value::Result<Proof, std::string>& proof) {
  if (!proof) return {{"ok", false}, {"error", proof.error()}};
  Json json{{"ok", proof->holds()},  {"facilities", proof->facilities},
            {"pairs", proof->pairs}, {"open_pairs", proof->open_pairs},
            {"boxes", proof->boxes}, {"theorems", Json::array()}};
  for (const Theorem& theorem : proof->theorems) {
    Json one{{"promise", theorem.promise},
             {"statement", theorem.statement},
             {"holds", theorem.holds()},
             {"breaches", Json::array()}};
    for (const Breach& breach : theorem.breaches) one["breaches"].push_back(to_json(breach));
    json["theorems"].push_back(std::move(one));
  }
  return json;
}

int print_json(const Judged& judged, const std::optional<config::value::Result<Proof, std::string>>& proof) {
  Json json = check_json(judged);
  json["proof"] = proof ? to_json(*proof) : Json(nullptr);
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

int print_proof(const Proof& proof) {
  for (const Theorem& theorem : proof.theorems) {
    const auto verdict = theorem.holds() ? coloured(Colour::kGreen, "holds") : coloured(Colour::kRed, "fails");
    fmt::print("{:<5} {}: {}\n", theorem.promise, verdict, theorem.statement);
    for (const Breach& breach : theorem.breaches) print(breach);
  }
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

}  // namespace

int verify(const CommandLine& line) {
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
