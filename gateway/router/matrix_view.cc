#include "gateway/router/matrix_view.h"

#include <fmt/format.h>

#include "gateway/router/values.h"

namespace gateway::router {
namespace {

using policy::Matrix;
using policy::MatrixEnd;
using policy::Opening;
using policy::PermissionKind;

struct GridWords {
  const char *caption, *corner, *yes, *no, *itself;
};

GridWords words_of(PermissionKind kind, bool japanese) {
  const char *yes = japanese ? "可" : "yes", *no = japanese ? "不可" : "no", *itself = "—";
  switch (kind) {
    case PermissionKind::kService:
      return japanese ? GridWords{"施設からサービスへ", "施設 ＼ サービス", yes, no, itself}
                      : GridWords{"From facilities to services", "facility \\ service", yes, no, itself};
    case PermissionKind::kExchange:
      return japanese ? GridWords{"施設から別の施設へ", "始める施設 ＼ 届く施設", yes, no, itself}
                      : GridWords{"From one facility to another", "from \\ to", yes, no, itself};
    case PermissionKind::kInside:
      return japanese ? GridWords{"サービスから施設へ", "サービス ＼ 施設", yes, no, itself}
                      : GridWords{"From services to facilities", "service \\ facility", yes, no, itself};
  }
  return {};
}

std::string head_cell(const char* scope, const MatrixEnd& end) {
  const auto name = html_escaped(end.name), title = html_escaped(end.title);
  return fmt::format("<th scope=\"{}\">{}<code>{}</code></th>", scope, title.empty() ? "" : title + "<br/>", name);
}

std::string row_of(const MatrixEnd& end, const std::vector<const Arrow*>& cells, std::optional<std::size_t> itself,
                   const GridWords& words) {
  std::string row = "<tr>" + head_cell("row", end);
  for (std::size_t column = 0; column < cells.size(); ++column) {
    if (column == itself)
      row += fmt::format("<td class=\"no\">{}</td>", words.itself);
    else if (cells[column] == nullptr)
      row += fmt::format("<td class=\"no\">{}</td>", words.no);
    else
      row += fmt::format("<td class=\"yes\">{} {}</td>", words.yes, cells[column]->text());
  }
  return row + "</tr>\n";
}

}  // namespace

const MatrixEnd& from_end(const Matrix& matrix, const Opening& opening) {
  return (opening.kind == PermissionKind::kInside ? matrix.services : matrix.facilities)[opening.from];
}

const MatrixEnd& to_end(const Matrix& matrix, const Opening& opening) {
  return (opening.kind == PermissionKind::kService ? matrix.services : matrix.facilities)[opening.to];
}

std::string end_text(const MatrixEnd& end) {
  return end.title.empty() ? end.name : end.title + " (" + end.name + ")";
}

std::string ports_text(const Opening& opening) {
  std::vector<std::string> words;
  for (const auto& port : opening.ports) words.push_back(port.to_string());
  return joined(words, ", ");
}

std::string Arrow::text() const {
  std::vector<std::string> words;
  for (const std::size_t number : numbers) words.push_back(std::to_string(number));
  return joined(words, ", ");
}

std::vector<Arrow> arrows_of(const Matrix& matrix) {
  std::vector<Arrow> out;  // openings are sorted by kind, from, to
  for (std::size_t i = 0; i < matrix.openings.size(); ++i) {
    const Opening& opening = matrix.openings[i];
    const bool same = !out.empty() && out.back().kind == opening.kind && out.back().from == opening.from &&
                      out.back().to == opening.to;
    if (!same) out.push_back({opening.kind, opening.from, opening.to, {}});
    out.back().numbers.push_back(i + 1);
  }
  return out;
}

bool fits_grid(const Matrix& matrix) {
  return matrix.facilities.size() <= kMostGridEnds && matrix.services.size() <= kMostGridEnds;
}

std::string grid(const Matrix& matrix, PermissionKind kind, Language language) {
  const auto& rows = kind == PermissionKind::kInside ? matrix.services : matrix.facilities;
  const auto& columns = kind == PermissionKind::kService ? matrix.services : matrix.facilities;
  if (rows.empty() || columns.empty()) return "";
  const auto words = words_of(kind, language == Language::kJapanese);
  std::vector<std::vector<const Arrow*>> cells(rows.size(), std::vector<const Arrow*>(columns.size()));
  const auto arrows = arrows_of(matrix);
  for (const Arrow& arrow : arrows)
    if (arrow.kind == kind) cells[arrow.from][arrow.to] = &arrow;
  std::string out = fmt::format("<table class=\"grid\">\n<caption>{}</caption>\n<thead><tr><th scope=\"col\">{}</th>",
                                words.caption, words.corner);
  for (const MatrixEnd& end : columns) out += head_cell("col", end);
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t row = 0; row < rows.size(); ++row)
    out += row_of(rows[row], cells[row], kind == PermissionKind::kExchange ? std::optional(row) : std::nullopt, words);
  return out + "</tbody>\n</table>\n";
}

}  // namespace gateway::router
