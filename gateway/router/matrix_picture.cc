// Facilities in one column, services in another; a line for each pair that something joins, in a dash of its kind, so
// that it can be told apart without colour. What the picture shows is also said in its desc.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "gateway/router/matrix_view.h"

namespace gateway::router {
namespace {

using policy::Matrix;
using policy::MatrixEnd;
using policy::Opening;
using policy::PermissionKind;

// In units of the drawing; the page scales it.
constexpr int kFacilityX = 240, kServiceX = 900, kBoxWidth = 320, kBoxHeight = 44, kPitch = 60, kTop = 40;
constexpr int kWidth = kServiceX + kBoxWidth + 20;
constexpr std::size_t kTitleCells = 38;  // of half a Japanese character

// A title that is too long for its box; wide characters count twice.
std::string shortened(const std::string& title) {
  std::size_t cells = 0, at = 0;
  while (at < title.size()) {
    const auto first = static_cast<unsigned char>(title[at]);
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    cells += length >= 3 ? 2 : 1;
    if (cells > kTitleCells) return title.substr(0, at) + "…";
    at += length;
  }
  return title;
}

struct Point {
  int x = 0, y = 0;
};

struct Curve {
  Point from, by, towards, to;
  [[nodiscard]] Point at(double t) const {
    const double u = 1 - t;
    const auto mix = [&](int a, int b, int c, int d) {
      return static_cast<int>(u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d);
    };
    return {mix(from.x, by.x, towards.x, to.x), mix(from.y, by.y, towards.y, to.y)};
  }
  [[nodiscard]] std::string path() const {
    return fmt::format("M{} {} C{} {} {} {} {} {}", from.x, from.y, by.x, by.y, towards.x, towards.y, to.x, to.y);
  }
};

enum class Column : std::uint8_t { kFacilities, kServices };
enum class Edge : std::uint8_t { kLeft, kRight };

struct Place {  // where lines may end: one edge of one box
  Column column;
  std::size_t end;
  Edge edge;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Words {
  const char *title, *facilities, *services, *to_service, *exchange, *inside, *nothing;
};
constexpr Words kJapaneseWords{"だれがだれに届くかの図",
                               "施設",
                               "サービス",
                               "実線: 施設からサービスへ",
                               "太い一点鎖線: 施設から別の施設へ",
                               "破線: サービスから施設へ",
                               "何も開いていません。"};
constexpr Words kEnglishWords{"Picture of who may reach whom",
                              "Facilities",
                              "Services",
                              "solid: facility to service",
                              "thick, dash and dot: facility to facility",
                              "dashed: service to facility",
                              "Nothing is open."};

const char* style_of(PermissionKind kind) {
  switch (kind) {
    case PermissionKind::kService:
      return "stroke-width=\"1.6\"";
    case PermissionKind::kExchange:
      return "stroke-width=\"3\" stroke-dasharray=\"14 5 2 5\"";
    case PermissionKind::kInside:
      return "stroke-width=\"1.6\" stroke-dasharray=\"7 5\"";
  }
  return "";
}

class Drawing {
 public:
  Drawing(const Matrix& matrix, const Words& words) : matrix_(matrix), words_(words), arrows_(arrows_of(matrix)) {
    for (const Arrow& arrow : arrows_)
      for (const Place& place : {start_of(arrow), goal_of(arrow)}) ++lines_[place];
    height_ = kTop + kPitch * static_cast<int>(std::max(matrix.facilities.size(), matrix.services.size())) + 30;
  }

  std::string text() {
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"picture-title "
        "picture-desc\" font-family=\"inherit\" font-size=\"16\" fill=\"#000\">\n<title "
        "id=\"picture-title\">{}</title>\n"
        "<desc id=\"picture-desc\">{}</desc>\n"
        "<defs><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"12\" markerHeight=\"12\" "
        "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 L10 5 L0 10 z\"/></marker></defs>\n",
        kWidth, height_, words_.title, html_escaped(description()));
    out += column(Column::kFacilities, matrix_.facilities, kFacilityX, words_.facilities);
    out += column(Column::kServices, matrix_.services, kServiceX, words_.services);
    std::string labels;
    for (const Arrow& arrow : arrows_) out += line(arrow, labels);
    return out + labels + legend() + "</svg>\n";
  }

 private:
  static Place start_of(const Arrow& arrow) {
    if (arrow.kind == PermissionKind::kInside) return {Column::kServices, arrow.from, Edge::kLeft};
    return {Column::kFacilities, arrow.from, arrow.kind == PermissionKind::kExchange ? Edge::kLeft : Edge::kRight};
  }
  static Place goal_of(const Arrow& arrow) {
    if (arrow.kind == PermissionKind::kService) return {Column::kServices, arrow.to, Edge::kLeft};
    return {Column::kFacilities, arrow.to, arrow.kind == PermissionKind::kExchange ? Edge::kLeft : Edge::kRight};
  }

  std::string description() const {
    std::string text;
    for (const Opening& opening : matrix_.openings)
      text += end_text(from_end(matrix_, opening)) + " → " + end_text(to_end(matrix_, opening)) + ": " +
              ports_text(opening) + ". ";
    return text.empty() ? words_.nothing : text;
  }

  static std::string column(Column, const std::vector<MatrixEnd>& ends, int x, const char* head) {
    std::string out = fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", x, kTop - 14, head);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      const int y = kTop + kPitch * static_cast<int>(i);
      const bool titled = !ends[i].title.empty();
      out += fmt::format(
          "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#fff\" "
          "stroke=\"#000\"/>",
          html_escaped(end_text(ends[i])), x, y, kBoxWidth, kBoxHeight);
      if (titled)
        out += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", x + 10, y + 19, html_escaped(shortened(ends[i].title)));
      out += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"13\">{}</text></g>\n", x + 10, y + (titled ? 37 : 28),
                         html_escaped(ends[i].name));
    }
    return out;
  }

  // Lines that meet at one edge share its height.
  Point next_point(const Place& place) {
    const int x = place.column == Column::kFacilities ? kFacilityX : kServiceX;
    const int top = kTop + kPitch * static_cast<int>(place.end);
    const int y = top + kBoxHeight * ++used_[place] / (lines_[place] + 1);
    return {place.edge == Edge::kRight ? x + kBoxWidth : x, y};
  }

  Curve curve(const Arrow& arrow) {
    const Point from = next_point(start_of(arrow)), to = next_point(goal_of(arrow));
    if (arrow.kind == PermissionKind::kExchange) {
      const int out = kFacilityX - std::min(60 + std::abs(from.y - to.y) / 2, 300);
      return {from, {out, from.y}, {out, to.y}, to};
    }
    const int bend = (from.x < to.x ? 1 : -1) * 120;
    return {from, {from.x + bend, from.y}, {to.x - bend, to.y}, to};
  }

  std::string line(const Arrow& arrow, std::string& labels) {
    const Place start = start_of(arrow);
    const Curve way = curve(arrow);
    const double share = static_cast<double>(used_[start]) / (lines_[start] + 1);
    const Point label = way.at(arrow.kind == PermissionKind::kExchange ? 0.5 : 0.2 + 0.4 * share);
    const Opening& first = matrix_.openings[arrow.numbers.front() - 1];
    const std::string numbers = arrow.text();
    const int width = 12 + 9 * static_cast<int>(numbers.size());
    labels += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"20\" rx=\"4\" fill=\"#fff\" stroke=\"#000\"/>"
        "<text x=\"{}\" y=\"{}\" font-size=\"14\" text-anchor=\"middle\">{}</text>\n",
        label.x - width / 2, label.y - 10, width, label.x, label.y + 5, numbers);
    return fmt::format(
        "<path d=\"{}\" fill=\"none\" stroke=\"#000\" {} marker-end=\"url(#head)\"><title>{} → {}</title></path>\n",
        way.path(), style_of(arrow.kind), html_escaped(end_text(from_end(matrix_, first))),
        html_escaped(end_text(to_end(matrix_, first))));
  }

  std::string legend() const {
    const int y = height_ - 10;
    std::string out;
    int x = 20;
    for (const auto& [kind, text] : {std::pair{PermissionKind::kService, words_.to_service},
                                     {PermissionKind::kExchange, words_.exchange},
                                     {PermissionKind::kInside, words_.inside}}) {
      out += fmt::format("<path d=\"M{} {} H{}\" fill=\"none\" stroke=\"#000\" {}/><text x=\"{}\" y=\"{}\">{}</text>\n",
                         x, y - 5, x + 50, style_of(kind), x + 60, y, text);
      x += 420;
    }
    return out;
  }

  const Matrix& matrix_;
  const Words& words_;
  std::vector<Arrow> arrows_;
  std::map<Place, int> lines_, used_;
  int height_ = 0;
};

// Of many facilities those that something joins with anybody.
Matrix joined_ends(const Matrix& matrix) {
  std::set<std::size_t> facilities, services;
  for (const Opening& opening : matrix.openings) {
    (opening.kind == PermissionKind::kInside ? services : facilities).insert(opening.from);
    (opening.kind == PermissionKind::kService ? services : facilities).insert(opening.to);
  }
  Matrix out;
  std::map<std::size_t, std::size_t> facility, service;
  for (const std::size_t i : facilities)
    facility[i] = out.facilities.size(), out.facilities.push_back(matrix.facilities[i]);
  for (const std::size_t i : services) service[i] = out.services.size(), out.services.push_back(matrix.services[i]);
  for (Opening opening : matrix.openings) {
    opening.from = (opening.kind == PermissionKind::kInside ? service : facility)[opening.from];
    opening.to = (opening.kind == PermissionKind::kService ? service : facility)[opening.to];
    out.openings.push_back(std::move(opening));
  }
  return out;
}

bool fits(const Matrix& matrix) {
  return matrix.facilities.size() <= kMostPictureEnds && matrix.services.size() <= kMostPictureEnds;
}

}  // namespace

std::string picture(const Matrix& matrix, Language language) {
  const Words& words = language == Language::kJapanese ? kJapaneseWords : kEnglishWords;
  if (fits(matrix)) return Drawing(matrix, words).text();
  const Matrix joined = joined_ends(matrix);
  return fits(joined) ? Drawing(joined, words).text() : "";
}

}  // namespace gateway::router
