// sekisho isolate FACILITY|--all, sekisho rejoin FACILITY|--all: one request each, answered when it is in force.
#include <fmt/format.h>

#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_text.h"

namespace gateway::daemon::cli {
namespace {

constexpr int kCutSeconds = 15;     // the gateway answers within 3 s, in force or not
constexpr int kRejoinSeconds = 90;  // a change like any other

// What does not go together; empty: all does.
std::string fault_of(const CommandLine& line, const char* verb) {
  if (line.has("--all") != line.words.empty())
    return fmt::format("name one facility, or give --all: sekisho {} FACILITY, or sekisho {} --all", verb, verb);
  return "";
}

Json request_of(const CommandLine& line, const char* verb) {
  Json request{{"verb", verb}, {"reason", line.value("--reason")}};
  if (line.has("--all"))
    request["all"] = true;
  else
    request["facility"] = line.words[0];
  return request;
}

std::string whose(const Json& order) {
  const auto facility = text_at(order, "facility");
  return facility.empty() ? "everything" : facility;
}

std::string since(const Json& order) {
  const auto reason = text_at(order, "reason");
  return fmt::format("since {}, by {}{}", text_at(order, "since"), text_at(order, "actor"),
                     reason.empty() ? "" : ": " + reason);
}

// With a note something follows, and the note says what.
void print_cut(const Json& result) {
  const bool whole = !result.contains("notes") || result["notes"].empty();
  const char* const done = whole ? "no tunnel, no route, no permission, no open flow" : "no permission, no open flow";
  for (const auto& order : result["orders"]) {
    if (text_at(result, "already") == "true")
      fmt::print("{} was isolated already, {}; nothing changed\n", printable(whose(order)), printable(since(order)));
    else
      fmt::print("{} is isolated: {} (generation {}, {} ms)\n", printable(whose(order)), done,
                 text_at(result, "generation"), text_at(result, "milliseconds"));
  }
}

void print_rejoin(const Json& result) {
  for (const auto& order : result["orders"])
    fmt::print("{} is isolated no longer (generation {}); it was {}\n", printable(whose(order)),
               text_at(result, "generation"), printable(since(order)));
}

// 1 when a person still has to do something: what was done is not durable.
int print_outcome(const CommandLine& line, const Json& answer, void (*print)(const Json&)) {
  if (answer["ok"] != true) {
    const int status = print_refusal(line, answer);
    if (!line.json() && answer.contains("error"))
      for (const auto& note : lines_at(answer["error"], "warnings")) fmt::print(stderr, "note: {}\n", printable(note));
    return status;
  }
  const Json result = answer.contains("result") ? answer["result"] : Json::object();
  if (line.json()) {
    fmt::print("{}", one_line(answer));
  } else if (result.contains("orders") && result["orders"].is_array()) {
    print(result);
    for (const auto& note : lines_at(result, "notes"))
      fmt::print("{}\n", coloured(Colour::kYellow, "note: " + printable(note)));
  }
  return text_at(result, "durable") == "true" ? kFine : kFindings;
}

int order(const CommandLine& line, const char* verb, int seconds, void (*print)(const Json&)) {
  if (const auto fault = fault_of(line, verb); !fault.empty()) return print_not_reached(fault);
  const auto asked = ask(line, request_of(line, verb), seconds);
  return asked ? print_outcome(line, asked->answer, print) : print_not_reached(asked.error());
}

}  // namespace

int isolate(const CommandLine& line) {
  return order(line, "isolate", kCutSeconds, print_cut);
}

int rejoin(const CommandLine& line) {
  return order(line, "rejoin", kRejoinSeconds, print_rejoin);
}

}  // namespace gateway::daemon::cli
