#include "gateway/daemon/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace gateway::daemon::cli {
namespace {

int usage(const std::string& sentence) {
  fmt::print(stderr, "sekisho: {}\n", sentence);
  return kCouldNotRun;
}

int unknown_verb(const std::string& word) {
  std::vector<std::string_view> names;
  for (const auto& verb : verbs()) names.push_back(verb.name);
  const auto near = nearest(word, names);
  return usage(near.empty() ? fmt::format("unknown verb '{}'; 'sekisho --help' lists them", word)
                            : fmt::format("unknown verb '{}', did you mean '{}'?", word, near));
}

}  // namespace

int run(std::span<const std::string> arguments) {
  if (arguments.empty()) return usage("a verb is missing; 'sekisho --help' lists them");
  if (arguments[0] == "--help" || arguments[0] == "help" || arguments[0] == "-h") {
    fmt::print("{}", help());
    return kFine;
  }
  const auto verb = std::ranges::find(verbs(), std::string_view(arguments[0]), &Verb::name);
  if (verb == verbs().end()) return unknown_verb(arguments[0]);
  const auto line = parse(*verb, arguments.subspan(1));
  if (!line) return usage(line.error());
  if (line->has("--help")) {
    fmt::print("{}", help(*verb));
    return kFine;
  }
  return verb->run(*line);
}

}  // namespace gateway::daemon::cli
