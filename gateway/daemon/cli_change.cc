// Verbs that change what runs, or say what was changed: reload, apply, confirm, rollback, history, diff.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "gateway/core/change_history.h"
#include "gateway/daemon/change_store.h"
#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_replay.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/state_files.h"

namespace gateway::daemon::cli {
namespace {

constexpr int kChangeSeconds = 90;  // three processes of 30 s each

std::optional<std::uint64_t> number_in(const std::string& text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

int usage(const std::string& sentence) {
  fmt::print(stderr, "sekisho: {}\n", sentence);
  return kCouldNotRun;
}

int print_change(const CommandLine& line, const Json& answer) {
  if (answer["ok"] != true) return print_refusal(line, answer);
  if (line.json()) {
    fmt::print("{}", one_line(answer));
    return kFine;
  }
  const auto result = object_at(answer, "result");
  for (const auto& warning : lines_at(result, "warnings")) fmt::print("{}\n", printable_lines(warning));
  const auto difference = lines_at(result, "difference");
  for (const auto& each : difference) fmt::print("{}\n", printable(each));
  const auto canary = text_at(result, "canary");
  fmt::print("generation {} runs{}{}\n", text_at(result, "generation"),
             canary.empty() ? "" : ", a canary of " + printable(canary),
             difference.empty() ? "; nothing is different" : "");
  if (const auto until = text_at(result, "confirm_until"); !until.empty())
    fmt::print("{}\n",
               coloured(Colour::kYellow, "until " + until + " 'sekisho confirm' keeps it; else it is rolled back"));
  return kFine;
}

void print_confirmed(const Json& result) {
  const auto canary = text_at(result, "canary");
  fmt::print("generation {} is confirmed{}\n", text_at(result, "generation"),
             canary.empty() ? "" : ", a canary of " + printable(canary));
  if (!canary.empty())
    fmt::print(
        "what else differs in the files on disk is not in force: 'sekisho diff' says what, 'sekisho apply "
        "--confirm 10m' tries it\n");
}

int change(const CommandLine& line, Json request) {
  request["comment"] = line.value("--comment");
  if (line.has("--again")) request["again"] = true;
  const auto asked = ask(line, std::move(request), kChangeSeconds);
  return asked ? print_change(line, asked->answer) : print_not_reached(asked.error());
}

void print_effects(const Json& result) {
  const Json effects = result.contains("effects") && result["effects"].is_array() ? result["effects"] : Json::array();
  for (const auto& each : effects) {
    const auto name = text_at(each, "facility"), title = text_at(each, "title");
    fmt::print("{}\n", name.empty() ? "the gateway and inside"
                                    : printable(name) + (title.empty() ? "" : " (" + printable(title) + ")"));
    for (const auto& effect : lines_at(each, "effects")) fmt::print("  {}\n", printable(effect));
  }
  // The content of a certificate file belongs to no plan.
  for (const auto& each : lines_at(result, "difference"))
    if (each.starts_with("~ file ")) fmt::print("{}\n", printable(each));
  if (const auto more = number_at(result, "effects_left_out"); more != 0)
    fmt::print("and {} more facilities that it touches\n", more);
  fmt::print("unchanged: {} facilities\n", number_at(result, "unchanged"));
}

std::string first_line(const Json& entry) {
  const auto lines = lines_at(entry, "difference");
  const auto count = number_at(entry, "lines");
  if (lines.empty()) return "";
  return count == 1 ? lines.front() : fmt::format("{} and {} more", lines.front(), count - 1);
}

std::string state_of(const Json& entry) {
  const auto canary = text_at(entry, "canary");
  return text_at(entry, "state") + (canary.empty() ? "" : ", canary of " + printable(canary));
}

void print_history(const Json& changes) {
  Table table({"", "GENERATION", "STATE", "TIME", "AUTHOR", "COMMENT", "WHAT"});
  for (const auto& each : changes)
    table.add({text_at(each, "runs") == "true" ? "*" : "", text_at(each, "generation"), state_of(each),
               text_at(each, "at"), printable(text_at(each, "author")), printable(text_at(each, "comment")),
               printable(first_line(each))});
  fmt::print("{}", table.to_string());
}

void print_entry(const Json& entry) {
  for (const auto* key :
       {"generation", "state", "canary", "at", "author", "comment", "decided_by", "decided_at", "why", "digest"})
    if (const auto text = text_at(entry, key); !text.empty()) fmt::print("{}: {}\n", key, printable(text));
  fmt::print("{}\n", text_at(entry, "kept") == "true" ? "kept: its plan and files; --out DIR writes the files"
                                                      : "kept: nothing but this entry");
  const auto lines = lines_at(entry, "difference");
  for (const auto& each : lines) fmt::print("{}\n", printable(each));
  if (number_at(entry, "lines") > lines.size())
    fmt::print("and {} lines more\n", number_at(entry, "lines") - lines.size());
}

// Below `folder`, by their path from the folder of the main file.
int write_files(const CommandLine& line, std::uint64_t generation) {
  namespace fs = std::filesystem;
  const auto kept = ChangeStore(line.state_directory()).read({generation});
  if (!kept) return usage(kept.error());
  if (kept->files.empty()) return usage("the files of that generation were not kept");
  const fs::path folder = line.value("--out");
  std::error_code code;
  if (!fs::create_directory(folder, code))
    return usage(folder.string() + ": must be a new folder" + (code ? ": " + code.message() : ""));
  const auto top = fs::path(kept->files.front().path).parent_path();
  for (const auto& file : kept->files) {
    auto below = fs::path(file.path).lexically_relative(top);
    if (below.empty() || *below.begin() == "..") below = fs::path(file.path).filename();
    fs::create_directories((folder / below).parent_path(), code);
    const auto path = (folder / below).string();
    if (const auto made = os::create_file(path, file.text, 0640); !made) return usage(made.error().to_string());
    fmt::print("{}\n", printable(path));
  }
  return kFine;
}

}  // namespace

int reload(const CommandLine& line) {
  return change(line, {{"verb", "reload"}});
}

int apply(const CommandLine& line) {
  Json request{{"verb", "apply"}};
  if (line.has("--confirm")) {
    const auto time = core::parse_trial_time(line.value("--confirm"));
    if (!time) return usage(time.error());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*time).count();
    request["confirm_seconds"] = static_cast<std::uint64_t>(seconds);
  }
  if (line.has("--down")) {
    const auto down = number_in(line.value("--down"));
    if (!down) return usage("--down needs a number of facilities, not '" + line.value("--down") + "'");
    if (!line.has("--confirm") && !line.has("--canary"))
      return usage("--down is for a change that is tried: say --confirm TIME too");
    request["down_limit"] = *down;
  }
  if (line.has("--canary")) {
    if (line.value("--canary").empty()) return usage("--canary needs the name of a facility");
    if (line.has("--replay"))
      return usage(
          "--replay asks the whole of the files, --canary tries one facility: 'sekisho diff --replay SPAN' "
          "first, then apply --canary");
    request["canary"] = line.value("--canary");
  }
  if (line.has("--stop-flows") && !line.has("--replay"))
    return usage("--stop-flows is for a change that is replayed before: say --replay SPAN too");
  if (line.has("--replay"))
    if (const auto stop = replay_before(line)) return *stop;
  return change(line, std::move(request));
}

int confirm(const CommandLine& line) {
  const auto asked = ask(line, {{"verb", "confirm"}});
  if (!asked) return print_not_reached(asked.error());
  if (asked->answer["ok"] != true) return print_refusal(line, asked->answer);
  if (line.json())
    fmt::print("{}", one_line(asked->answer));
  else
    print_confirmed(object_at(asked->answer, "result"));
  return kFine;
}

int rollback(const CommandLine& line) {
  Json request{{"verb", "rollback"}, {"comment", line.value("--comment")}};
  if (!line.words.empty()) {
    const auto number = number_in(line.words[0]);
    if (!number) return usage("'" + line.words[0] + "' is no generation; 'sekisho history' lists them");
    request["generation"] = *number;
  }
  const auto asked = ask(line, std::move(request), kChangeSeconds);
  if (!asked) return print_not_reached(asked.error());
  const int status = print_change(line, asked->answer);
  if (status == kFine && !line.json())
    fmt::print("the files on disk are as they were: 'sekisho diff' says what differs from what runs\n");
  return status;
}

int history(const CommandLine& line) {
  std::optional<std::uint64_t> wanted;
  if (!line.words.empty() && !(wanted = number_in(line.words[0])))
    return usage("'" + line.words[0] + "' is no generation; 'sekisho history' lists them");
  if (line.has("--out"))
    return wanted ? write_files(line, *wanted) : usage("--out needs a generation: sekisho history N --out DIR");
  const auto asked = ask(line, {{"verb", "history"}});
  if (!asked) return print_not_reached(asked.error());
  if (asked->answer["ok"] != true) return print_refusal(line, asked->answer);
  auto answer = asked->answer;
  auto& changes = answer["result"]["changes"];
  if (!changes.is_array()) return print_not_reached("the gateway's answer has no known form");
  if (wanted) {
    const auto found =
        std::ranges::find_if(changes, [&](const Json& each) { return number_at(each, "generation") == *wanted; });
    if (found == changes.end()) return usage(fmt::format("generation {} is not in the history", *wanted));
    const Json only = *found;
    changes = Json::array({only});
  }
  if (line.json())
    fmt::print("{}", one_line(answer));
  else if (wanted)
    print_entry(changes.front());
  else
    print_history(changes);
  return kFine;
}

int diff(const CommandLine& line) {
  if (line.has("--replay")) return replay(line);
  if (!line.words.empty() || line.has("--at"))
    return usage(
        "FILE and --at are for --replay: sekisho diff --replay 7d FILE; without it the running gateway answers");
  const auto asked = ask(line, {{"verb", "diff"}}, kChangeSeconds);
  if (!asked) return print_not_reached(asked.error());
  if (asked->answer["ok"] != true) return print_refusal(line, asked->answer);
  const auto result = object_at(asked->answer, "result");
  const bool same = lines_at(result, "difference").empty();
  if (line.json()) {
    fmt::print("{}", one_line(asked->answer));
    return same ? kFine : kFindings;
  }
  if (same) {
    fmt::print("the files on disk are what runs\n");
    return kFine;
  }
  print_effects(result);
  for (const auto& each : lines_at(result, "unused")) fmt::print("{}\n", printable_lines(each));
  const auto again = lines_at(result, "rolled_back");
  if (again.empty()) return kFindings;
  fmt::print("{}\n", coloured(Colour::kYellow,
                              "was rolled back, and is still in the files; apply refuses it without --again:"));
  for (const auto& each : again) fmt::print("  {}\n", printable(each));
  return kFindings;
}

void print_trial(const Json& status) {
  const auto trial = object_at(status, "change");
  if (trial.empty()) return;
  const auto canary = text_at(trial, "canary");
  fmt::print("{}\n", coloured(Colour::kYellow,
                              fmt::format("generation {}{} of {} {}", text_at(trial, "generation"),
                                          canary.empty() ? "" : ", a canary of " + printable(canary) + ",",
                                          printable(text_at(trial, "author")),
                                          text_at(trial, "confirm_until").empty()
                                              ? "is being applied"
                                              : "waits for confirmation until " + text_at(trial, "confirm_until"))));
  const auto limit = number_at(trial, "down_limit");
  const auto down = lines_at(trial, "down");
  if (limit == 0 || number_at(trial, "up_before") == 0)
    fmt::print("  it is rolled back then, whatever facilities are down\n");
  else
    fmt::print("  it is rolled back then, or when {} of the {} facilities that were up are down; {} are\n", limit,
               number_at(trial, "up_before"), down.size());
}

}  // namespace gateway::daemon::cli
