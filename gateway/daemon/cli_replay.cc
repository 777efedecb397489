#include "gateway/daemon/cli_replay.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>

#include "config/moment.h"
#include "gateway/core/refusal.h"
#include "gateway/daemon/change_store.h"
#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/last_good.h"
#include "gateway/os/host_facts.h"
#include "gateway/os/record_files.h"
#include "gateway/os/record_lines.h"
#include "policy/compile.h"

namespace gateway::daemon::cli {
namespace {

using config::value::Duration;
using config::value::Result;

constexpr int kAnswerSeconds = 10;
constexpr auto kLeastSpan = std::chrono::minutes(1);
constexpr auto kMostSpan = std::chrono::hours(24 * 1830);

int failed(const std::string& sentence) {
  fmt::print(stderr, "sekisho: replay: {}\n", printable_lines(sentence));
  return kCouldNotRun;
}

// What the gateway runs, or was told to run last. Of a trial the state folder has both; the trial runs.
void read_running(const std::string& state_directory, Replayed& out) {
  const ChangeStore store(state_directory);
  if (const auto history = store.read_history(); history && history->trial())
    if (auto kept = store.read(history->trial()->generation)) {
      out.running = std::move(kept->plan);
      return;
    }
  if (auto kept = read_last_good(state_directory))
    out.running = std::move(kept->plan);
  else
    out.running_unknown = "what runs is not known (no last good plan in " + state_directory +
                          "): what an earlier change did cannot be told apart from what this one does";
}

// Of the gateway's answer; gives the highest number, 0 when there is none.
std::uint64_t add_open(const Json& flows, audit::Replay& replay, const Replayed& out) {
  std::uint64_t last = 0;
  for (Json flow : flows) {
    if (!flow.is_object()) continue;
    flow["version"] = 1, flow["sequence"] = 1, flow["kind"] = "flow.end";
    flow["time"] = config::moment_text(out.span.now);
    last = std::max(last, number_at(flow, "flow"));
    const auto record = audit::read_record_line(flow.dump(-1, ' ', false, Json::error_handler_t::replace));
    record ? replay.add_open(*record) : replay.add_unreadable("an open flow of the gateway's answer", record.error());
  }
  return last;
}

// Flows that began before the span and go on have no record in it; the gateway knows them, the oldest page by page.
// One that knows nothing of pages tells the newest of all. `left_out` is what it had, and did not tell.
void ask_gateway(const CommandLine& line, audit::Replay& replay, Replayed& out) {
  // Times of records end with the millisecond: what began within that of `from` is asked for, and is not added.
  const auto before = audit::to_rfc3339(out.span.from + std::chrono::milliseconds(1), 0);
  std::uint64_t after = 0;
  do {
    const auto asked =
        ask(line, {{"verb", "show"}, {"what", "flows"}, {"began_before", before}, {"after", after}}, kAnswerSeconds);
    if (!asked) return void(out.not_asked = asked.error());
    const auto result = object_at(asked->answer, "result");
    if (!result.contains("flows") || !result["flows"].is_array())
      return void(out.not_asked =
                      "the gateway told no flows: " + text_at(object_at(asked->answer, "error"), "message"));
    const auto told = result["flows"].size(), open = number_at(result, "open");
    out.open_left_out = result.contains("left_out") ? number_at(result, "left_out") : open - std::min(open, told);
    const auto last = add_open(result["flows"], replay, out);
    if (!result.contains("left_out") || last <= after) break;
    after = last;
  } while (out.open_left_out > 0);
  out.not_asked.clear();
}

void read_all(os::RecordLines& lines, audit::Replay& replay) {
  while (const auto line = lines.next()) {
    const auto place = [&] { return *line->file + (line->number == 0 ? "" : ":" + std::to_string(line->number)); };
    if (!line->problem.empty()) {
      replay.add_unreadable(place(), line->problem);
      continue;
    }
    const auto record = audit::read_record_line(line->text);
    record ? replay.add(*record) : replay.add_unreadable(place(), record.error());
  }
}

// No local date lies more than a day behind the one of UTC: files of days before hold nothing of the span, whatever the
// gateway's time zone is or was.
std::string first_day(config::WallTime from) {
  return audit::to_date(from - std::chrono::hours(24), 0);
}

// FILE, when it is named, in the place of --config.
CommandLine with_file(const CommandLine& line) {
  auto named = line;
  if (!line.words.empty()) named.options["--config"] = {line.words[0]};
  return named;
}

}  // namespace

Result<Duration, std::string> parse_span(const std::string& text) {
  std::uint32_t count = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, count);
  const auto form = "a number with m, h, d or w (90m, 12h, 7d, 2w)";
  if (text.empty() || read.ec != std::errc{}) return std::unexpected("'" + text + "' is no time span: " + form);
  if (read.ptr == end) return std::unexpected("'" + text + "' has no unit: " + form + "; " + text + "d are days");
  if (end - read.ptr != 1) return std::unexpected("'" + text + "' is no time span: " + form);
  const auto unit = *read.ptr == 'm'   ? std::chrono::minutes(1)
                    : *read.ptr == 'h' ? std::chrono::minutes(60)
                    : *read.ptr == 'd' ? std::chrono::minutes(60 * 24)
                    : *read.ptr == 'w' ? std::chrono::minutes(60 * 24 * 7)
                                       : std::chrono::minutes(0);
  if (unit.count() == 0)
    return std::unexpected("'" + std::string(1, *read.ptr) + "' in '" + text + "' is no unit: " + form);
  if (count > kMostSpan / unit || count * unit < kLeastSpan)
    return std::unexpected("'" + text + "' is out of range: a minute (1m) to five years (1830d)");
  return Duration(count * unit);
}

Result<std::unique_ptr<Replayed>, int> read_replay(const CommandLine& typed) {
  const auto line = with_file(typed);
  const auto span = parse_span(line.value("--replay"));
  if (!span) return std::unexpected(failed("--replay: " + span.error()));
  auto asked = TRY(read_at(line, "diff"));
  const auto now = os::record_time();
  auto out = std::make_unique<Replayed>();
  out->span = {now.wall - *span, now.wall, line.has("--at") ? asked.at : now.wall};
  out->candidate = policy::compile(asked.config, std::min(now.wall, out->span.at)).plan;
  out->asked = std::move(asked);
  auto lines = os::RecordLines::open(line.state_directory(), first_day(out->span.from));
  if (!lines && lines.error().number == ENOENT)
    return std::unexpected(failed("there are no records in " + line.state_directory() +
                                  "/records; name the state folder of the gateway with --state"));
  if (!lines)
    return std::unexpected(failed(lines.error().to_string() + (os::is_root() ? "" : "; run it as root (sudo)")));
  read_running(line.state_directory(), *out);
  audit::Replay replay(out->candidate, out->running ? &*out->running : nullptr, out->span, core::is_beyond_permission);
  read_all(*lines, replay);
  ask_gateway(line, replay, *out);
  for (const auto* plan : {&out->candidate, out->running ? &*out->running : nullptr})
    if (plan != nullptr)
      for (const auto& facility : plan->facilities) out->titles.emplace(facility.name.text, facility.title);
  out->earlier_records = lines->earlier_there();
  out->octets = lines->octets();
  out->result = replay.take();
  if (out->result.records == 0 && out->result.unreadable > 0 && !os::is_root())
    return std::unexpected(
        failed("no record could be read: " + out->result.unreadable_examples.front() + "; run it as root (sudo)"));
  return out;
}

int replay(const CommandLine& line) {
  const auto replayed = read_replay(line);
  if (!replayed) return replayed.error();
  if (line.json())
    fmt::print("{}", one_line(replay_json(**replayed)));
  else
    print_replay(line, **replayed, stdout);
  return (*replayed)->quiet() ? kFine : kFindings;
}

std::optional<int> replay_before(const CommandLine& line) {
  const auto replayed = read_replay(line);
  if (!replayed) return replayed.error();
  print_replay(line, **replayed, line.json() ? stderr : stdout);
  if (line.has("--stop-flows")) return std::nullopt;
  const auto& found = **replayed;
  const auto held = [](const std::string& because, int status) {
    fmt::print(stderr, "sekisho apply: not applied, because {}; --stop-flows applies it all the same\n",
               printable_lines(because));
    return status;
  };
  if (const auto stopped = found.result.stops + found.result.ends; stopped > 0)
    return held(counted(stopped, "recorded flow", "recorded flows") + " that passed would stop", kFindings);
  if (found.result.unreadable > 0)
    return held(
        counted(found.result.unreadable, "record", "records") + " could not be read, so what passed is not known whole",
        kFindings);
  if (!found.not_asked.empty())
    return held("which flows are open longer is not known: " + found.not_asked, kCouldNotRun);
  if (found.open_left_out > 0)
    return held(counted(found.open_left_out, "open flow was", "open flows were") + " not asked", kFindings);
  return std::nullopt;
}

}  // namespace gateway::daemon::cli
