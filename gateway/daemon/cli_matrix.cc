// sekisho matrix [--from NAME] [--to NAME] [--at TIME] [--html [--lang ja|en]]: who may reach whom.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "config/moment.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/clock.h"
#include "gateway/os/state_files.h"
#include "gateway/router/matrix_page.h"
#include "gateway/router/matrix_view.h"

namespace gateway::daemon::cli {
namespace {

using policy::Matrix;
using policy::Opening;
using policy::PermissionKind;
namespace r = gateway::router;

constexpr std::size_t kWidestGrid = 110;  // columns of a terminal

int failed(const std::string& sentence) {
  fmt::print(stderr, "sekisho matrix: {}\n", printable(sentence));
  return kCouldNotRun;
}

const char* kind_word(PermissionKind kind) {
  return kind == PermissionKind::kService ? "service" : kind == PermissionKind::kExchange ? "exchange" : "inside";
}

std::string named(const policy::MatrixEnd& end) {
  return end.title.empty() ? end.name : end.name + " " + end.title;
}

Json ends_json(const std::vector<policy::MatrixEnd>& ends) {
  Json list = Json::array();
  for (const auto& end : ends) list.push_back({{"name", end.name}, {"title", end.title}});
  return list;
}

Json to_json(const Matrix& matrix, const Opening& opening) {
  Json json{{"kind", kind_word(opening.kind)},
            {"from", r::from_end(matrix, opening).name},
            {"to", r::to_end(matrix, opening).name},
            {"name", opening.name},
            {"title", opening.title}};
  for (const auto* list : {"sources", "sources_real", "destinations", "destinations_real", "ports", "rules"})
    json[list] = Json::array();
  for (const auto& prefix : opening.sources) json["sources"].push_back(prefix.to_string());
  for (const auto& prefix : opening.destinations) json["destinations"].push_back(prefix.to_string());
  for (const auto& prefix : opening.sources_real) json["sources_real"].push_back(prefix.to_string());
  for (const auto& prefix : opening.destinations_real) json["destinations_real"].push_back(prefix.to_string());
  for (const auto& port : opening.ports) json["ports"].push_back(port.to_string());
  for (const auto& rule : opening.rules) json["rules"].push_back(rule.number);
  json["origin"] = opening.origin;
  json["until"] = nullptr;
  json["last_day"] = nullptr;
  if (opening.until) json["until"] = config::moment_text(*opening.until);
  if (opening.until) json["last_day"] = config::last_day_text(*opening.until);
  return json;
}

void print_json(const AskedAt& asked, const policy::MatrixQuestion& question, const Matrix& matrix) {
  Json out{{"version", kControlVersion},
           {"gateway", asked.then.gateway_name},
           {"at", config::moment_text(matrix.at)},
           {"from", nullptr},
           {"to", nullptr},
           {"counts", {{"facilities", matrix.all_facilities}, {"services", matrix.all_services}}},
           {"facilities", ends_json(matrix.facilities)},
           {"services", ends_json(matrix.services)},
           {"open", Json::array()},
           {"everything_else", "closed"},
           {"isolated", asked.isolated},
           {"notes", asked.notes}};
  if (question.from) out["from"] = *question.from;
  if (question.to) out["to"] = *question.to;
  for (const auto& opening : matrix.openings) out["open"].push_back(to_json(matrix, opening));
  fmt::print("{}", one_line(out));
}

// Rows and columns by name, each cell with the numbers of the list below; empty when it is wider than a terminal.
std::string grid_text(const Matrix& matrix, PermissionKind kind, const std::string& corner) {
  const auto& rows = kind == PermissionKind::kInside ? matrix.services : matrix.facilities;
  const auto& columns = kind == PermissionKind::kService ? matrix.services : matrix.facilities;
  std::vector<std::vector<std::string>> cells(rows.size(), std::vector<std::string>(columns.size(), "-"));
  bool any = false;
  for (const auto& arrow : r::arrows_of(matrix))
    if (arrow.kind == kind) cells[arrow.from][arrow.to] = arrow.text(), any = true;
  if (!any) return corner + ": nothing is open\n";
  std::vector<std::string> head{corner};
  for (const auto& end : columns) head.push_back(end.name);
  Table table(head);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::vector<std::string> line{named(rows[row])};
    line.insert(line.end(), cells[row].begin(), cells[row].end());
    table.add(std::move(line));
  }
  const auto text = table.to_string();
  return display_width(text.substr(0, text.find('\n'))) > kWidestGrid ? "" : text;
}

void print_grids(const Matrix& matrix) {
  if (!r::fits_grid(matrix)) {
    fmt::print("Too many for a table of pairs; --from NAME and --to NAME show a part.\n\n");
    return;
  }
  for (const auto& [kind, corner] : {std::pair{PermissionKind::kService, "facility -> service"},
                                     {PermissionKind::kExchange, "facility -> facility"},
                                     {PermissionKind::kInside, "service -> facility"}}) {
    const auto text = grid_text(matrix, kind, corner);
    fmt::print("{}\n", text.empty() ? fmt::format("{}: too wide for a table of pairs; see below\n", corner) : text);
  }
}

void print_text(const AskedAt& asked, const policy::MatrixQuestion& question, const Matrix& matrix) {
  fmt::print("gateway {}, at {}: {}, {}\n", printable(asked.then.gateway_name), config::moment_text(matrix.at),
             counted(matrix.all_facilities, "facility", "facilities"),
             counted(matrix.all_services, "service", "services"));
  if (question.from) fmt::print("only from {}\n", *question.from);
  if (question.to) fmt::print("only to {}\n", *question.to);
  fmt::print("\n");
  print_grids(matrix);
  Table table({"#", "FROM", "TO", "PORTS", "LAST DAY", "BY"});
  for (const auto& opening : matrix.openings) {
    const auto offer = opening.kind == PermissionKind::kService ? "" : " " + opening.name;
    table.add({std::to_string(&opening - matrix.openings.data() + 1), named(r::from_end(matrix, opening)),
               named(r::to_end(matrix, opening)) + offer, r::ports_text(opening),
               opening.until ? config::last_day_text(*opening.until) : "-", opening.origin});
  }
  if (!matrix.openings.empty()) fmt::print("{}", table.to_string());
  const bool whole = !question.from && !question.to;
  fmt::print("{}{} closed; answers come back along what is open.\n", matrix.openings.empty() ? "Nothing is open. " : "",
             whole ? "Everything else is" : "Of what was asked for, everything else is");
  for (const auto& sentence : asked.isolated) fmt::print("isolated: {}\n", printable(sentence));
  print_notes(asked);
}

int write_page(const CommandLine& line, const std::string& page) {
  const auto path = line.value("--out");
  if (path.empty()) {
    fmt::print("{}", page);
    return kFine;
  }
  if (auto made = os::create_file(path, page, 0640); !made)
    return failed(made.error().number == EEXIST ? path + " is there already and is not overwritten"
                                                : made.error().to_string());
  fmt::print("{}\n", path);
  return kFine;
}

int print_page(const CommandLine& line, const AskedAt& asked, const policy::MatrixQuestion& question,
               const Matrix& matrix) {
  const bool japanese = line.value("--lang", "ja") == "ja";
  const auto page = r::matrix_page(matrix, japanese ? r::Language::kJapanese : r::Language::kEnglish,
                                   {asked.then.gateway_name, os::wall_now(), question});
  return page ? write_page(line, *page) : failed(page.error());
}

// What does not go together; empty: all does.
std::string fault_of(const CommandLine& line) {
  const auto language = line.value("--lang", "ja");
  if (language != "ja" && language != "en") return "'" + language + "' is no language: ja or en";
  if (line.has("--html") && line.json()) return "--html and --json are two forms; give one";
  for (const auto* option : {"--lang", "--out"})
    if (line.has(option) && !line.has("--html")) return std::string(option) + " belongs to --html";
  return "";
}

}  // namespace

int matrix(const CommandLine& line) {
  if (const auto fault = fault_of(line); !fault.empty()) return failed(fault);
  policy::MatrixQuestion question;
  if (line.has("--from")) question.from = line.value("--from");
  if (line.has("--to")) question.to = line.value("--to");
  const auto asked = read_at(line, "matrix");
  if (!asked) return asked.error();
  for (const auto& sentence : policy::unknown_ends(asked->config, question)) return failed(sentence);
  const auto matrix = policy::matrix(asked->config, asked->then, question, asked->at);
  if (line.has("--html"))
    if (const int status = print_page(line, *asked, question, matrix); status != kFine) return status;
  if (line.json())
    print_json(*asked, question, matrix);
  else if (!line.has("--html"))
    print_text(*asked, question, matrix);
  const bool denied = question.from && question.to && matrix.openings.empty();
  return denied ? kFindings : kFine;
}

}  // namespace gateway::daemon::cli
