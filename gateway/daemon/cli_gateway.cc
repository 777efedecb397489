// Verbs that start the gateway or ask how it is: run, status. Those that change it: cli_change.cc.
#include "gateway/daemon/cli_gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "gateway/core/candidate.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/last_good.h"
#include "gateway/daemon/supervisor.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/host_facts.h"

namespace gateway::daemon::cli {
namespace {

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Who is cut off, since when, by whom, why; and what of that needs a person.
void print_isolation(const Json& isolation) {
  const Json orders =
      isolation.contains("orders") && isolation["orders"].is_array() ? isolation["orders"] : Json::array();
  for (const auto& order : orders) {
    const auto facility = text_at(order, "facility"), reason = text_at(order, "reason");
    const auto what =
        facility.empty() ? "emergency stop: everything is isolated" : printable(facility) + " is isolated";
    fmt::print("{} since {}, by {}{}\n", coloured(Colour::kRed, what), text_at(order, "since"),
               printable(text_at(order, "actor")), reason.empty() ? "" : ": " + printable(reason));
  }
  if (text_at(isolation, "in_force") == "false")
    fmt::print("{}\n", coloured(Colour::kRed, "an isolation is not in force yet, and is tried until it is"));
  if (const auto error = text_at(isolation, "error"); !error.empty())
    fmt::print("{}\n",
               coloured(Colour::kRed, "isolation is not durable, a restart would forget it: " + printable(error)));
}

// A few; `show tunnels` has all.
void print_down(const Json& facilities) {
  constexpr std::size_t kShown = 10;
  const Json down =
      facilities.contains("down") && facilities["down"].is_array() ? facilities["down"] : Json(Json::array());
  for (std::size_t i = 0; i < std::min(down.size(), kShown); ++i) {
    const auto since = text_at(down[i], "since"), heard = text_at(down[i], "last_heard");
    fmt::print("{} {}{}{}\n", printable(text_at(down[i], "facility")), coloured(Colour::kYellow, "down"),
               since.empty() ? "" : " since " + since, heard.empty() ? "" : ", last heard " + heard);
  }
  if (down.size() > kShown) fmt::print("and {} more down: sekisho show tunnels\n", down.size() - kShown);
}

void print_status(const Json& result) {
  const auto state = text_at(result, "state");
  const auto colour = state == "running" ? Colour::kGreen : Colour::kRed;
  fmt::print("{} {}: generation {}, {} of {} tunnels up\n", printable(text_at(result, "gateway")),
             coloured(colour, state), text_at(result, "generation"), text_at(object_at(result, "facilities"), "up"),
             text_at(object_at(result, "facilities"), "configured"));
  print_isolation(object_at(result, "isolation"));
  print_down(object_at(result, "facilities"));
  const auto processes = object_at(result, "processes"), refused = object_at(result, "refused");
  for (const auto& [process, there] : processes.items())
    if (there != true) fmt::print("{} is not there\n", process);
  if (text_at(result, "from_last_good") == "true")
    fmt::print("{}\n", coloured(Colour::kYellow,
                                "the configuration on disk is bad; the last good one runs ('sekisho check' says why)"));
  if (const auto error = text_at(result, "last_error"); !error.empty())
    fmt::print("last error: {}\n", printable(error));
  for (const auto& warning : lines_at(result, "warnings"))
    fmt::print("{}\n", coloured(Colour::kYellow, printable(warning)));
  const auto flows = object_at(result, "flows");
  fmt::print("flows: {} open, {} begun, {} ended\n", text_at(flows, "open"), text_at(flows, "begun"),
             text_at(flows, "ended"));
  for (const auto& [reason, count] : refused.items()) fmt::print("refused: {} {}\n", printable(reason), count.dump());
  const auto records = object_at(result, "records");
  if (text_at(records, "failing") == "true")
    fmt::print("{}\n", coloured(Colour::kRed, "records cannot be written: " + printable(text_at(records, "error"))));
  if (const auto room = text_at(records, "room"); room == "short" || room == "none")
    fmt::print("{}\n",
               coloured(room == "none" ? Colour::kRed : Colour::kYellow,
                        fmt::format("records: {} used, {} free on the disk{}", bytes_text(number_at(records, "used")),
                                    bytes_text(number_at(records, "free")),
                                    room == "none" ? "; flows are only summed: move closed record files away"
                                                   : "; room is getting short")));
  if (const auto proving = object_at(result, "proving"); text_at(proving, "for") == "change")
    fmt::print("a change of {}, asked for {}, is being proved\n", printable(text_at(proving, "by")),
               text_at(proving, "since"));
  print_trial(result);
  if (const auto next = text_at(result, "next_change"); !next.empty()) fmt::print("a permission ends at {}\n", next);
}

}  // namespace

Json object_at(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_object() ? json[key] : Json::object();
}

std::string text_at(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || json[key].is_null()) return "";
  return json[key].is_string() ? json[key].get<std::string>()
                               : json[key].dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::uint64_t number_at(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_number_unsigned() ? json[key].get<std::uint64_t>() : 0;
}

std::vector<std::string> lines_at(const Json& json, const char* key) {
  std::vector<std::string> lines;
  if (json.is_object() && json.contains(key) && json[key].is_array())
    for (const auto& each : json[key])
      if (each.is_string()) lines.push_back(each.get<std::string>());
  return lines;
}

bool needs_a_person(const Json& status) {
  const auto tunnels = object_at(status, "facilities"), records = object_at(status, "records");
  const auto processes = object_at(status, "processes");
  const auto room = text_at(records, "room");
  return number_at(tunnels, "up") < number_at(tunnels, "configured") ||
         std::any_of(
             processes.begin(), processes.end(), [](const Json& there) { return there != true; }) ||
         text_at(records, "failing") == "true" || room == "none" || room == "short" ||
         text_at(status, "from_last_good") == "true" || !text_at(status, "last_error").empty() ||
         !lines_at(status, "warnings").empty();
}

namespace {

// The socket's mode decides who may ask.
std::string forbidden(const std::string& path) {
  const auto group = os::group_of(path);
  return "you may not ask the gateway at " + path + ": run it as root (sudo), or as a member of the group '" +
         group.value_or("root") + "'";
}

}  // namespace

config::value::Result<Asked, std::string> ask(const CommandLine& line, Json request, int seconds) {
  const auto path = line.runtime_directory() + "/control.sock";
  auto client = os::ControlClient::connect(path);
  if (!client && client.error().number == EACCES) return std::unexpected(forbidden(path));
  if (!client)
    return std::unexpected("no gateway answers at " + path + " (" + client.error().to_string() +
                           "); start it with 'sekisho run', or name its folder with --runtime");
  request["version"] = kControlVersion;
  if (auto sent = client->send(one_line(request)); !sent) return std::unexpected(sent.error().to_string());
  auto answer = client->receive(seconds);
  if (!answer) return std::unexpected(answer.error().to_string());
  auto json = Json::parse(*answer, nullptr, false);
  if (!json.is_object() || !json.contains("ok") || !json["ok"].is_boolean())
    return std::unexpected("the gateway's answer has no known form");
  return Asked{std::move(*client), std::move(json)};
}

int print_refusal(const CommandLine& line, const Json& answer) {
  if (line.json()) {
    fmt::print("{}", one_line(answer));
    return kFindings;
  }
  const auto error = object_at(answer, "error");
  const auto errors = lines_at(error, "errors");
  for (const auto& each : errors) fmt::print(stderr, "{}\n", printable_lines(each));
  if (errors.empty())
    fmt::print(stderr, "sekisho: {}\n", printable(text_at(error, "message")));
  else if (text_at(error, "code") == "incomplete")
    fmt::print(stderr, "sekisho: the order stands, and is not in force yet; 'sekisho status' shows when it is\n");
  else
    fmt::print(stderr, "sekisho: refused; nothing was changed\n");
  return kFindings;
}

int print_not_reached(const std::string& sentence) {
  fmt::print(stderr, "sekisho: {}\n", sentence);
  return kCouldNotRun;
}

// A configuration that cannot run is told here, where a person reads it; with a last good one the gateway starts all
// the same.
int run_foreground(const CommandLine& line) {
  const auto wall = os::wall_now();
  const auto loaded = os::load_configuration(line.config_file(), wall);
  const auto judged = core::judge(loaded, directory_of(line.config_file()), wall);  // accessd proves it
  const auto& candidate = judged.candidate();
  for (const auto& each : candidate.warnings) fmt::print(stderr, "{}\n", each);
  for (const auto& each : candidate.errors) fmt::print(stderr, "{}\n", each);
  if (loaded.unreadable && !os::is_root())
    return print_not_reached("not everything could be read; run it as root (sudo)");
  if (!candidate.errors.empty() && !read_last_good(line.state_directory())) {
    fmt::print(stderr, "sekisho: the configuration has errors and no earlier one is known: not started\n");
    return kFindings;
  }
  return run_gateway({line.config_file(), line.state_directory(), line.runtime_directory()});
}

int status(const CommandLine& line) {
  const auto asked = ask(line, {{"verb", "status"}});
  if (!asked) return print_not_reached(asked.error());
  if (asked->answer["ok"] != true) return print_refusal(line, asked->answer);
  const auto result = object_at(asked->answer, "result");
  if (line.json())
    fmt::print("{}", one_line(asked->answer));
  else
    print_status(result);
  if (text_at(result, "state") != "running") return kFindings;
  return line.has("--strict") && needs_a_person(result) ? kFindings : kFine;
}

}  // namespace gateway::daemon::cli
