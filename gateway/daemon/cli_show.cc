// show facilities|tunnels|routes|permissions|flows [--watch]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_text.h"

namespace gateway::daemon::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? "-" : text;
}

Json list_at(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_array() ? json[key] : Json::array();
}

// The lines below a table of facilities: who is cut off, since when, by whom, why.
void print_isolated(const Json& list) {
  for (const auto& each : list)
    for (const auto& order : list_at(each, "isolated")) {
      const auto reason = text_at(order, "reason");
      fmt::print("{}: isolated{} since {}, by {}{}\n", printable(text_at(each, "facility")),
                 text_at(order, "all") == "true" ? " (emergency stop)" : "", text_at(order, "since"),
                 printable(text_at(order, "actor")), reason.empty() ? "" : ": " + printable(reason));
    }
}

void print_facilities(const Json& result) {
  Table table({"FACILITY", "TITLE", "TUNNEL", "NETWORKS", "MAY OPEN", "OPENED TO OTHERS"});
  for (const auto& each : list_at(result, "facilities")) {
    std::vector<std::string> networks;
    for (const auto& network : list_at(each, "networks")) {
      const auto real = text_at(network, "real"), seen = text_at(network, "seen_as");
      networks.push_back(real == seen ? real : real + " as " + seen);
    }
    table.add({text_at(each, "facility"), text_at(each, "title"), text_at(each, "tunnel"), joined(networks),
               joined(lines_at(each, "may_open")), joined(lines_at(each, "opened_to_others"))});
  }
  fmt::print("{}", table.to_string());
  print_isolated(list_at(result, "facilities"));
}

void print_certificate(const std::string& whose, const Json& of) {
  const auto expires = text_at(of, "certificate_expires");
  if (expires.empty()) return;
  const auto left = of.value("certificate_days_left", std::int64_t{0});
  const auto when = left < 0 ? fmt::format("has ended: {}", expires) : fmt::format("ends {} ({} days)", expires, left);
  fmt::print("{}: certificate {}\n", whose, when);
}

// "12 s ago"; of a day and more the time.
std::string heard(const Json& tunnel) {
  const auto at = text_at(tunnel, "last_heard");
  if (at.empty()) return "never";
  const auto ago = tunnel.value("last_heard_seconds_ago", std::int64_t{0});
  return ago >= 86'400 ? at : ago >= 120 ? fmt::format("{} min ago", ago / 60) : fmt::format("{} s ago", ago);
}

void print_tunnels(const Json& result) {
  Table table(
      {"FACILITY", "STATE", "SINCE", "LAST HEARD", "REMOTE", "RECEIVED", "SENT", "SEALED IN/OUT", "REFUSED IN/OUT"});
  for (const auto& each : list_at(result, "tunnels")) {
    const auto since = text_at(each, "since"), remote = text_at(each, "remote");
    table.add(
        {text_at(each, "facility"), text_at(each, "state"), since.empty() ? "-" : since, heard(each),
         remote.empty() ? "-" : remote, bytes_text(number_at(each, "bytes_received")),
         bytes_text(number_at(each, "bytes_sent")),
         bytes_text(number_at(each, "outer_bytes_received")) + "/" + bytes_text(number_at(each, "outer_bytes_sent")),
         fmt::format("{}/{}", number_at(each, "refused_in"), number_at(each, "refused_out"))});
  }
  fmt::print("{}", table.to_string());
  print_isolated(list_at(result, "tunnels"));
  for (const auto& each : list_at(result, "tunnels"))
    if (const auto negotiated = text_at(each, "negotiated"); !negotiated.empty())
      fmt::print("{}: {}\n", printable(text_at(each, "facility")), printable(negotiated));
  print_certificate("gateway", result.contains("gateway") ? result["gateway"] : Json::object());
  for (const auto& each : list_at(result, "tunnels")) print_certificate(printable(text_at(each, "facility")), each);
  for (const auto& each : list_at(result, "tunnels"))
    if (const auto problem = text_at(each, "problem"); !problem.empty())
      fmt::print("{}: {} (since {})\n", printable(text_at(each, "facility")), printable_lines(problem),
                 text_at(each, "problem_since"));
}

void print_routes(const Json& result) {
  Table routes({"TABLE", "DESTINATION", "INTERFACE", "VIA", "MTU"});
  for (const auto& each : list_at(result, "routes")) {
    const auto via = text_at(each, "via"), mtu = text_at(each, "mtu");
    routes.add({text_at(each, "number") + " " + text_at(each, "table"), text_at(each, "destination"),
                text_at(each, "interface"), via.empty() ? "-" : via, mtu.empty() ? "-" : mtu});
  }
  Table rules({"PRIORITY", "FROM INTERFACE", "MARK", "TABLE"});
  for (const auto& each : list_at(result, "rules")) {
    const auto from = text_at(each, "incoming_interface");
    rules.add({text_at(each, "priority"), from.empty() ? "any" : from, text_at(each, "mark"), text_at(each, "table")});
  }
  fmt::print("{}\n{}", routes.to_string(), rules.to_string());
}

std::string end_of(const Json& flow, const char* address, const char* real, const char* port) {
  const auto seen = text_at(flow, address), own = text_at(flow, real);
  const auto bracketed = seen.find(':') == std::string::npos ? seen : "[" + seen + "]";
  return bracketed + ":" + text_at(flow, port) + (seen == own || own.empty() ? "" : " (" + own + ")");
}

void print_flows(const Json& result) {
  Table table({"BEGAN", "FACILITY", "NAME", "PROTOCOL", "SOURCE", "DESTINATION", "STATE"});
  for (const auto& each : list_at(result, "flows")) {
    const auto service = text_at(each, "service");
    table.add({text_at(each, "began"), text_at(each, "facility"), service.empty() ? text_at(each, "offer") : service,
               text_at(each, "protocol"), end_of(each, "source", "source_real", "source_port"),
               end_of(each, "destination", "destination_real", "destination_port"), text_at(each, "state")});
  }
  fmt::print("{}", table.to_string());
}

void print_flow_record(const Json& record) {
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  const auto service = text_at(record, "service");
  std::string line =
      fmt::format("{} {} {} {} {} {} -> {}", text_at(record, "time"), text_at(record, "kind"),
                  or_dash(text_at(record, "facility")), or_dash(service.empty() ? text_at(record, "offer") : service),
                  text_at(record, "protocol"), end_of(record, "source", "source_real", "source_port"),
                  end_of(record, "destination", "destination_real", "destination_port"));
  if (const auto reason = text_at(record, "reason"); !reason.empty()) line += " " + reason;
  if (const auto ended = text_at(record, "ended"); !ended.empty())
    line += fmt::format(" {}, {} out, {} back, {} ms", ended, bytes_text(number_at(record, "bytes_sent")),
                        bytes_text(number_at(record, "bytes_received")), text_at(record, "duration_ms"));
  fmt::print("{}\n", printable(line));
}

void print_permissions(const Json& result) {
  Table table({"FROM", "MAY OPEN", "LAST USED", "WATCHED SINCE", "UNTIL", "LINE"});
  const auto day = [](const Json& line, const char* key, const char* otherwise) {
    const auto time = text_at(line, key);
    return time.empty() ? otherwise : time.substr(0, 10);
  };
  for (const auto& each : list_at(result, "permissions")) {
    const auto from = text_at(each, "from");
    table.add({from.empty() ? "inside" : from, text_at(each, "name"), day(each, "last_used", "never"),
               day(each, "watched_since", "-"), day(each, "until", "-"), text_at(each, "origin")});
  }
  fmt::print("{}", table.to_string());
  if (const auto all = number_at(result, "all"), shown = std::uint64_t{list_at(result, "permissions").size()};
      all > shown)
    fmt::print("and {} more: name a facility\n", all - shown);
  if (const auto days = number_at(result, "unused_after_days"); days > 0)
    fmt::print("not used for {} days: {}; not used, but not watched for so long: {}\n", days,
               number_at(result, "unused"), number_at(result, "too_new"));
  if (const auto error = text_at(result, "error"); !error.empty())
    fmt::print("{}\n", coloured(Colour::kRed, "this is not kept over a restart: " + printable(error)));
}

int watch(const CommandLine& line, os::ControlClient& client) {
  for (;;) {
    const auto text = client.receive(-1);
    if (!text) return print_not_reached(text.error().to_string());
    if (line.json())
      fmt::print("{}\n", *text);
    else
      print_flow_record(Json::parse(*text, nullptr, false));
    std::fflush(stdout);
  }
}

struct View {
  std::string_view name;
  void (*print)(const Json&);
};
constexpr std::array<View, 5> kViews{{{"facilities", print_facilities},
                                      {"tunnels", print_tunnels},
                                      {"routes", print_routes},
                                      {"flows", print_flows},
                                      {"permissions", print_permissions}}};

std::optional<std::uint64_t> days_in(const std::string& text) {
  std::uint64_t days = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), days);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || days > 3650) return std::nullopt;
  return days;
}

// Of a list of facilities or tunnels only the one named. False: it is not there.
bool keep_only(Json& answer, const std::string& view, const std::string& facility) {
  Json kept = Json::array();
  for (const auto& each : list_at(answer["result"], view.c_str()))
    if (text_at(each, "facility") == facility) kept.push_back(each);
  const bool found = !kept.empty();
  answer["result"][view] = std::move(kept);
  return found;
}

}  // namespace

int show(const CommandLine& line) {
  const auto view = std::ranges::find(kViews, std::string_view(line.words[0]), &View::name);
  if (view == kViews.end())
    return print_not_reached("cannot show '" + line.words[0] + "': facilities, tunnels, routes, flows or permissions");
  const bool watching = line.has("--watch");
  if (watching && view->name != "flows") return print_not_reached("--watch is for flows");
  const bool one = line.words.size() > 1;
  if (one && view->name != "tunnels" && view->name != "facilities" && view->name != "permissions")
    return print_not_reached("a facility is named for facilities, tunnels and permissions only");
  const auto days = days_in(line.value("--unused", "0"));
  if (!days)
    return print_not_reached("--unused needs a number of days up to 3650, not '" + line.value("--unused") + "'");
  if (line.has("--unused") && view->name != "permissions") return print_not_reached("--unused is for permissions");
  const bool permissions = view->name == "permissions";
  Json request{{"verb", "show"}, {"what", view->name}, {"watch", watching}};
  if (permissions) request["facility"] = one ? line.words[1] : "", request["unused"] = *days;
  auto asked = ask(line, std::move(request));
  if (!asked) return print_not_reached(asked.error());
  if (asked->answer["ok"] != true) return print_refusal(line, asked->answer);
  if (one && !permissions && !keep_only(asked->answer, std::string(view->name), line.words[1]))
    return print_not_reached("no facility '" + line.words[1] + "' is configured");
  if (line.json())
    fmt::print("{}", one_line(asked->answer));
  else
    view->print(asked->answer.contains("result") ? asked->answer["result"] : Json::object());
  std::fflush(stdout);
  return watching ? watch(line, asked->client) : kFine;
}

}  // namespace gateway::daemon::cli
