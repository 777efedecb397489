// What a replay found, for a person and as JSON.
#include <fmt/format.h>

#include <algorithm>

#include "config/moment.h"
#include "gateway/audit/flow_table.h"
#include "gateway/daemon/cli_replay.h"
#include "gateway/daemon/cli_text.h"

namespace gateway::daemon::cli {
namespace {

using audit::ReplayEffect;
using audit::ReplayFinding;

constexpr std::size_t kShownOfFacility = 20;  // --json has all

const char* effect_name(ReplayEffect effect) {
  switch (effect) {
    case ReplayEffect::kStops:
      return "stops";
    case ReplayEffect::kEnds:
      return "ends";
    case ReplayEffect::kOpens:
      return "opens";
  }
  return "unknown";
}

const char* effect_words(const ReplayFinding& finding) {
  if (finding.effect == ReplayEffect::kStops) return "would stop";
  if (finding.effect == ReplayEffect::kEnds) return "will have ended";
  return finding.passed ? "would pass again" : "would newly pass";
}

const std::string& facility_of(const ReplayFinding& finding) {
  return finding.from_facility.empty() ? finding.to_facility : finding.from_facility;
}

std::string title_of(const Replayed& replayed, const std::string& facility) {
  const auto found = replayed.titles.find(facility);
  return found == replayed.titles.end() ? std::string() : found->second;
}

std::string titled(const Replayed& replayed, const std::string& facility) {
  if (facility.empty()) return "inside";
  const auto title = title_of(replayed, facility);
  return title.empty() ? facility : facility + " (" + title + ")";
}

// "karte 電子カルテ参照" of a service that the candidate has.
std::string name_of(const Replayed& replayed, const std::string& name) {
  for (const auto& service : replayed.asked.config.services)
    if (service.name.text == name && !service.title.empty()) return name + " " + service.title;
  return name;
}

std::string address_text(const config::IpAddress& seen, const config::IpAddress& real) {
  return seen.to_string() + (seen == real ? "" : " (" + real.to_string() + ")");
}

std::string port_text(const ReplayFinding& finding) {
  const auto protocol = audit::protocol_name(finding.protocol);
  const bool ports = finding.protocol == 6 || finding.protocol == 17;
  return ports ? protocol + "/" + std::to_string(finding.destination_port) : protocol;
}

std::string says(const ReplayFinding& finding) {
  return finding.why_unknown.empty() ? policy::to_text(finding.decision) : finding.why_unknown;
}

void print_finding(const Replayed& replayed, const ReplayFinding& finding, std::FILE* to) {
  const auto colour = finding.effect == ReplayEffect::kOpens ? Colour::kYellow : Colour::kRed;
  const auto what =
      counted(finding.count, finding.passed ? "flow" : "refused packet", finding.passed ? "flows" : "refused packets");
  fmt::print(to, "  {}: {} -> {} {} to {}\n", coloured(colour, effect_words(finding)),
             address_text(finding.source, finding.source_real),
             address_text(finding.destination, finding.destination_real), port_text(finding),
             printable(finding.name.empty() ? titled(replayed, finding.to_facility) : name_of(replayed, finding.name)));
  fmt::print(to, "    {}, last {}; {} {}\n", what, config::moment_text(finding.last),
             finding.passed ? "passed by" : "refused:", printable(finding.then));
  fmt::print(to, "    {}\n", printable(says(finding)));
}

void print_findings(const Replayed& replayed, std::FILE* to) {
  const auto& findings = replayed.result.findings;
  for (std::size_t i = 0; i < findings.size();) {
    const auto& facility = facility_of(findings[i]);
    fmt::print(to, "{}\n", printable(titled(replayed, facility)));
    std::size_t shown = 0, end = i;
    for (; end < findings.size() && facility_of(findings[end]) == facility; ++end)
      if (shown < kShownOfFacility) print_finding(replayed, findings[end], to), ++shown;
    if (end - i > shown) fmt::print(to, "  and {} more (--json has them)\n", end - i - shown);
    i = end;
  }
  for (const auto& [facility, rest] : replayed.result.rest)
    fmt::print(to, "{}: further {} flows would stop, {} will have ended, {} would newly pass; too many to list\n",
               printable(facility), rest.stops, rest.ends, rest.opens);
}

// What is not in the answer, each a sentence.
std::vector<std::string> limits_of(const Replayed& replayed) {
  const auto& result = replayed.result;
  std::vector<std::string> out;
  if (!result.first && result.unreadable == 0)
    out.push_back("there are no records of that time");
  else if (!replayed.reaches_back() && result.first)
    out.push_back("the records reach back only to " + config::moment_text(*result.first));
  if (result.unreadable > 0)
    out.push_back(counted(result.unreadable, "record could not be read", "records could not be read"));
  if (result.missing > 0)
    out.push_back(counted(result.missing, "record is missing", "records are missing") +
                  " between the first and the last that was read (a file that was moved away?)");
  if (result.flows_summed > 0)
    out.push_back(counted(result.flows_summed, "flow was", "flows were") +
                  " only summed (flow.summary): more than its facility's allowance, or no room");
  if (result.records_lost > 0)
    out.push_back(counted(result.records_lost, "record", "records") + " could not be written then");
  if (result.events_lost > 0)
    out.push_back(counted(result.events_lost, "time", "times") + " events of the kernel were lost (events.lost)");
  if (result.refused > 0 || result.refused_packets > 0)
    out.push_back(fmt::format("refused packets are on record as samples: {} of {}",
                              result.refused + result.no_question + result.says_too_little, result.refused_packets));
  if (result.says_too_little > 0)
    out.push_back(counted(result.says_too_little, "refused packet's record says", "refused packets' records say") +
                  " too little to ask again (fragments, damaged packets)");
  if (!replayed.running_unknown.empty()) out.push_back(replayed.running_unknown);
  if (!replayed.not_asked.empty())
    out.push_back("flows that began before and go on are not in it: " + replayed.not_asked);
  if (replayed.open_left_out > 0)
    out.push_back(counted(replayed.open_left_out, "open flow", "open flows") +
                  " could not be asked: the gateway has more than it tells; a longer time span leaves fewer");
  return out;
}

}  // namespace

void print_replay(const CommandLine& line, const Replayed& replayed, std::FILE* to) {
  const auto& result = replayed.result;
  const auto& span = replayed.span;
  fmt::print(to, "replay of {} since {} through {}{}\n", line.value("--replay"), config::moment_text(span.from),
             printable(line.words.empty() ? line.config_file() : line.words[0]),
             span.at == span.now ? "" : ", decided for " + config::moment_text(span.at));
  print_findings(replayed, to);
  fmt::print(
      to, "flows that passed: {}, of which {} would stop and {} will have ended; {} are stopped by what runs already\n",
      result.flows, result.stops, result.ends, result.stopped_already);
  fmt::print(to, "refused packets (samples): {}, of which {} pass in what runs already\nwould newly pass: {}\n",
             result.refused, result.open_already, result.opens);
  for (const auto& limit : limits_of(replayed)) fmt::print(to, "note: {}\n", printable(limit));
  for (const auto& example : result.unreadable_examples) fmt::print(to, "  {}\n", printable(example));
  for (const auto& sentence : replayed.asked.isolated) fmt::print(to, "isolated: {}\n", printable(sentence));
  for (const auto& note : replayed.asked.notes)
    fmt::print(to, "note: a reload at that time would be refused: {}\n", printable_lines(note));
}

namespace {

Json to_json(const Replayed& replayed, const ReplayFinding& finding) {
  Json json{{"effect", effect_name(finding.effect)},
            {"passed", finding.passed},
            {"facility", facility_of(finding)},
            {"title", title_of(replayed, facility_of(finding))},
            {"from", finding.from_facility},
            {"to", finding.to_facility},
            {"name", finding.name},
            {"source", finding.source.to_string()},
            {"source_real", finding.source_real.to_string()},
            {"destination", finding.destination.to_string()},
            {"destination_real", finding.destination_real.to_string()},
            {"protocol", audit::protocol_name(finding.protocol)},
            {"destination_port", finding.destination_port},
            {"count", finding.count},
            {"first", config::moment_text(finding.first)},
            {"last", config::moment_text(finding.last)},
            {finding.passed ? "rule_origin" : "reason", finding.then},
            {"text", says(finding)}};
  const auto* permission = finding.why_unknown.empty() ? finding.decision.permission : nullptr;
  json["rule"] = permission == nullptr ? Json() : Json(permission->rule.number);
  json["origin"] = permission == nullptr ? Json() : Json(permission->origin);
  json["until"] = permission == nullptr || !permission->until ? Json() : Json(config::moment_text(*permission->until));
  return json;
}

}  // namespace

Json replay_json(const Replayed& replayed) {
  const auto& result = replayed.result;
  Json json{{"version", kControlVersion},
            {"from", config::moment_text(replayed.span.from)},
            {"at", config::moment_text(replayed.span.at)},
            {"quiet", replayed.quiet()},
            {"flows", result.flows},
            {"refused", result.refused},
            {"stops", result.stops},
            {"ends", result.ends},
            {"opens", result.opens},
            {"unchanged", result.unchanged},
            {"stopped_already", result.stopped_already},
            {"open_already", result.open_already}};
  json["records"] = {{"read", result.records},
                     {"octets", replayed.octets},
                     {"first", result.first ? Json(config::moment_text(*result.first)) : Json()},
                     {"reaches_back", replayed.reaches_back()},
                     {"unreadable", result.unreadable},
                     {"unreadable_examples", result.unreadable_examples},
                     {"missing", result.missing},
                     {"lost", result.records_lost},
                     {"events_lost", result.events_lost},
                     {"flows_summed", result.flows_summed},
                     {"refused_packets", result.refused_packets},
                     {"no_question", result.no_question},
                     {"says_too_little", result.says_too_little}};
  json["running_known"] = replayed.running.has_value();
  json["gateway_asked"] = replayed.not_asked.empty();
  json["open_left_out"] = replayed.open_left_out;
  json["limits"] = limits_of(replayed);
  json["isolated"] = replayed.asked.isolated;
  json["notes"] = replayed.asked.notes;
  json["findings"] = Json::array();
  for (const auto& finding : result.findings) json["findings"].push_back(to_json(replayed, finding));
  json["not_listed"] = Json::array();
  for (const auto& [facility, rest] : result.rest)
    json["not_listed"].push_back(
        {{"facility", facility}, {"stops", rest.stops}, {"ends", rest.ends}, {"opens", rest.opens}});
  return json;
}

}  // namespace gateway::daemon::cli
