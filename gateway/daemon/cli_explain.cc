// sekisho explain FROM TO[:PORT] [--at TIME]: what policy says, by which line, and what each layer makes of it. Asked
// of the running gateway, which has everything in memory; of a file with --config, with --at, or where none runs.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/explain_view.h"

namespace gateway::daemon::cli {
namespace {

constexpr int kAnswerSeconds = 10;

std::string text_of(const Json& side) {
  const auto asked = text_at(side, "asked"), name = text_at(side, "name"), title = text_at(side, "title");
  std::string text = asked;
  if (!name.empty() && asked.find(name) == std::string::npos) text += " (" + name + ")";
  return printable(title.empty() ? text : text + " " + title);
}

void print_answer(const Json& answer) {
  fmt::print("{}\n", printable(text_at(answer, "sentence")));
  for (const auto& layer : answer["layers"]) {
    const auto facility = text_at(layer, "facility");
    fmt::print("  {:<9} {} {}\n", text_at(layer, "layer"), layer["passes"] == true ? "passes " : "refuses",
               printable((facility.empty() ? "" : facility + ": ") + text_at(layer, "says")));
  }
}

void print_text(const Json& found) {
  const auto problems = lines_at(found, "problems");
  for (const auto& problem : problems) fmt::print(stderr, "{}\n", printable(problem));
  if (!problems.empty()) return;
  const auto generation = text_at(found, "generation");
  fmt::print("{} -> {}, at {}{}\n", text_of(found["from"]), text_of(found["to"]), text_at(found, "at"),
             generation.empty() ? "" : ", as generation " + generation + " runs");
  for (const auto& answer : found["answers"]) print_answer(answer);
  if (found["layers_agree"] != true)
    fmt::print("policy and layers do not agree: a fault of the gateway, please report it (SECURITY.md)\n");
  for (const auto& sentence : lines_at(found, "isolated")) fmt::print("isolated: {}\n", printable(sentence));
  for (const auto& note : lines_at(found, "notes"))
    fmt::print("note: a reload at that time would be refused: {}\n", printable_lines(note));
}

int print(const CommandLine& line, Json found) {
  found["version"] = kControlVersion;
  if (line.json())
    fmt::print("{}", one_line(found));
  else
    print_text(found);
  if (!lines_at(found, "problems").empty()) return kCouldNotRun;
  return found["allowed"] == true ? kFine : kFindings;
}

bool is_explanation(const Json& found) {
  return found.is_object() && found.contains("answers") && found["answers"].is_array() && found.contains("allowed") &&
         found.contains("layers_agree") && found.contains("from") && found.contains("to") &&
         std::ranges::all_of(found["answers"], [](const Json& each) {
           return each.is_object() && each.contains("layers") && each["layers"].is_array();
         });
}

// Empty: no gateway can say; `why` tells the reader of the file's answer.
std::optional<Json> ask_gateway(const CommandLine& line, std::string& why) {
  auto asked = ask(line, {{"verb", "explain"}, {"from", line.words[0]}, {"to", line.words[1]}}, kAnswerSeconds);
  if (!asked) {
    why = asked.error();
    return std::nullopt;
  }
  if (asked->answer["ok"] == true && asked->answer.contains("result") && is_explanation(asked->answer["result"]))
    return std::move(asked->answer["result"]);
  why = text_at(object_at(asked->answer, "error"), "message");
  return std::nullopt;
}

}  // namespace

int explain(const CommandLine& line) {
  const auto question = question_of(line.words[0], line.words[1]);
  if (!question) return print_not_reached("explain: " + question.error());
  if (!line.has("--config") && !line.has("--at")) {
    std::string why;
    if (auto found = ask_gateway(line, why)) return print(line, *std::move(found));
    fmt::print(stderr, "sekisho explain: {}; answered from {}\n", printable(why), line.config_file());
  }
  const auto asked = read_at(line, "explain");
  if (!asked) return asked.error();
  const auto found =
      explanation_view({asked->config, asked->known, asked->then, asked->at, asked->isolated, asked->notes}, *question);
  return found ? print(line, *found) : print_not_reached("explain: " + found.error());
}

}  // namespace gateway::daemon::cli
