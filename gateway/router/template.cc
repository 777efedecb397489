#include "gateway/router/template.h"

#include <algorithm>
#include <optional>
#include <span>

#include "gateway/router/templates.h"

namespace gateway::router {
namespace {

using config::value::Result;
using Row = std::map<std::string, std::string, std::less<>>;

std::optional<std::string> escaped(std::string_view value, Escape escape) {
  if (escape == Escape::kHtml) return html_escaped(value);
  const bool control =
      std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return control ? std::nullopt : std::optional<std::string>(value);
}

struct Line {
  std::string_view text;
  std::size_t number = 0;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back({text.substr(at, end - at), lines.size() + 1});
    at = end + 1;
  }
  return lines;
}

// "{{#name}}" alone on its line, whatever the indentation.
std::optional<std::string_view> mark(std::string_view line, char kind) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin);
  if (line.size() < 6 || !line.starts_with("{{") || line[2] != kind || !line.ends_with("}}")) return std::nullopt;
  return line.substr(3, line.size() - 5);
}

class Renderer {
 public:
  Renderer(const Values& values, Escape escape) : values_(values), escape_(escape) {}

  // `write`: false where a part has no rows and is only looked over.
  Result<void, std::string> part(std::span<const Line> lines, const Row& row, bool write) {
    for (std::size_t at = 0; at < lines.size(); ++at) {
      if (mark(lines[at].text, '/')) return wrong(lines[at], "closes a part that is not open");
      if (const auto made = mark(lines[at].text, '>')) {
        TRY(markup(lines[at], *made, write));
        continue;
      }
      const auto name = mark(lines[at].text, '#');
      if (!name) {
        TRY(line(lines[at], row, write));
        continue;
      }
      const auto rest = lines.subspan(at + 1);
      const auto end = std::ranges::find_if(rest, [&](const Line& each) { return mark(each.text, '/') == name; });
      if (end == rest.end()) return wrong(lines[at], "opens a part that is not closed");
      const auto length = static_cast<std::size_t>(end - rest.begin());
      TRY(each_row(lines[at], *name, rest.first(length), row, write));
      at += length + 1;
    }
    return {};
  }
  std::string take() { return std::move(out_); }

 private:
  static std::unexpected<std::string> wrong(const Line& line, const std::string& what) {
    return std::unexpected("line " + std::to_string(line.number) + " of the template: '" + std::string(line.text) +
                           "' " + what);
  }

  Result<void, std::string> each_row(const Line& at, std::string_view name, std::span<const Line> body,
                                     const Row& outer, bool write) {
    const auto list = values_.lists.find(name);
    if (list == values_.lists.end()) return wrong(at, "names a list that nobody set");
    const auto& [fields, rows] = list->second;
    Row inner = outer;
    for (const auto& field : fields) inner[field];
    if (rows.empty()) return part(body, inner, false);
    for (const auto& row : rows) {
      if (row.size() != fields.size()) return wrong(at, "has a row of another length than its fields");
      for (std::size_t i = 0; i < fields.size(); ++i) inner[fields[i]] = row[i];
      TRY(part(body, inner, write));
    }
    return {};
  }

  Result<void, std::string> markup(const Line& line, std::string_view name, bool write) {
    const auto found = values_.markup.find(name);
    if (found == values_.markup.end()) return wrong(line, "names markup that nobody made");
    if (escape_ != Escape::kHtml) return wrong(line, "has no place outside HTML");
    put(found->second, write);
    return {};
  }

  Result<void, std::string> line(const Line& line, const Row& row, bool write) {
    auto rest = line.text;
    for (;;) {
      const auto open = rest.find("{{");
      put(rest.substr(0, open), write);
      if (open == std::string_view::npos) break;
      const auto close = rest.find("}}", open);
      if (close == std::string_view::npos) return wrong(line, "opens a name that is not closed");
      TRY(value(line, rest.substr(open + 2, close - open - 2), row, write));
      rest.remove_prefix(close + 2);
    }
    put("\n", write);
    return {};
  }

  Result<void, std::string> value(const Line& line, std::string_view name, const Row& row, bool write) {
    auto found = row.find(name);
    if (found == row.end()) {
      found = values_.texts.find(name);
      if (found == values_.texts.end())
        return wrong(line, "names '" + std::string(name) + "', a value that nobody set");
    }
    const auto text = escaped(found->second, escape_);
    if (!text) return wrong(line, "would take a value with a control character");
    put(*text, write);
    return {};
  }

  void put(std::string_view text, bool write) {
    if (write) out_ += text;
  }

  const Values& values_;
  Escape escape_;
  std::string out_;
};

}  // namespace

std::string html_escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      case '\'':
        text += "&#39;";
        break;
      default:
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return text;
}

Result<std::string_view, std::string> template_named(const std::string& name) {
  const auto found = std::ranges::find(templates(), name, &Template::name);
  if (found == templates().end()) return std::unexpected("there is no template " + name);
  return found->text;
}

Result<std::string, std::string> render(std::string_view text, const Values& values, Escape escape) {
  Renderer renderer(values, escape);
  TRY(renderer.part(lines_of(text), {}, true));
  return renderer.take();
}

}  // namespace gateway::router
