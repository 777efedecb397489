#include "gateway/router/matrix_page.h"

#include "config/moment.h"
#include "gateway/router/matrix_view.h"
#include "gateway/router/values.h"
#include "policy/translations.h"

namespace gateway::router {
namespace {

using policy::Matrix;
using policy::Opening;
using policy::PermissionKind;

// As everybody sees them, and in brackets what the facility itself calls them.
std::string prefixes_text(const std::vector<policy::Prefix>& seen, const std::vector<policy::Prefix>& real) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < seen.size(); ++i) words.push_back(policy::both_text(seen[i], real[i]));
  return joined(words, ", ");
}

void add_openings(Values& values, const Matrix& matrix) {
  auto& list = values.lists["open"] = {
      {"n", "from_title", "from", "sources", "to_title", "to", "destinations", "what", "ports", "origin", "until"}, {}};
  for (const Opening& opening : matrix.openings) {
    const auto &from = from_end(matrix, opening), &to = to_end(matrix, opening);
    const std::string what = opening.kind == PermissionKind::kService
                                 ? ""
                                 : (opening.title.empty() ? opening.name : opening.title + " (" + opening.name + ")");
    list.rows.push_back({std::to_string(list.rows.size() + 1), from.title, from.name,
                         prefixes_text(opening.sources, opening.sources_real), to.title, to.name,
                         prefixes_text(opening.destinations, opening.destinations_real), what, ports_text(opening),
                         opening.origin, opening.until ? config::last_day_text(*opening.until) : "-"});
  }
  values.flag("some_open", !matrix.openings.empty());
  values.flag("none_open", matrix.openings.empty());
}

// Which grids say something: without any exchange, that of facilities is a page of "no".
void add_grids(Values& values, const Matrix& matrix, Language language) {
  const bool fits = fits_grid(matrix);
  values.flag("grids", fits);
  values.flag("no_grids", !fits);
  const auto any = [&](PermissionKind kind) {
    for (const Opening& opening : matrix.openings)
      if (opening.kind == kind) return true;
    return false;
  };
  const std::pair<const char*, PermissionKind> all[] = {{"services", PermissionKind::kService},
                                                        {"exchanges", PermissionKind::kExchange},
                                                        {"inside", PermissionKind::kInside}};
  for (const auto& [name, kind] : all) {
    const bool shown = fits && any(kind);
    values.flag(std::string("some_") + name, shown);
    values.flag(std::string("no_") + name, fits && !shown);
    values.markup[std::string("grid_") + name] = shown ? grid(matrix, kind, language) : "";
  }
}

}  // namespace

config::value::Result<std::string, std::string> matrix_page(const Matrix& matrix, Language language,
                                                            const MatrixMade& made) {
  Values values;
  values.texts = {{"gateway", made.gateway},
                  {"made", config::moment_text(made.now)},
                  {"at", config::moment_text(matrix.at)},
                  {"facilities", std::to_string(matrix.all_facilities)},
                  {"services", std::to_string(matrix.all_services)},
                  {"lines", std::to_string(matrix.openings.size())},
                  {"from_only", made.selection.from.value_or("")},
                  {"to_only", made.selection.to.value_or("")}};
  values.flag("only_from", made.selection.from.has_value());
  values.flag("only_to", made.selection.to.has_value());
  const bool whole = !made.selection.from && !made.selection.to;
  values.flag("whole", whole);
  values.flag("part", !whole);
  add_openings(values, matrix);
  add_grids(values, matrix, language);
  values.markup["picture"] = picture(matrix, language);
  values.flag("picture", !values.markup["picture"].empty());
  values.flag("no_picture", values.markup["picture"].empty());
  const std::string what = language == Language::kJapanese ? "通信許可の一覧 " : "Who may reach whom: ";
  return render_page({language, Paper::kLandscape, what + made.gateway, "matrix"}, values);
}

}  // namespace gateway::router
