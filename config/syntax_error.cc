// What people really get wrong: commas, quotes, brackets, comment signs. Everything else gets the parser's words.
#include "config/syntax_error.h"

#include <cctype>

#include <fmt/format.h>

namespace config {
namespace {

struct Spot {
  std::size_t at = 0;                    // the token that was not expected
  std::optional<std::size_t> separator;  // a comma or colon before it
  bool at_end = false;
};

Spot find_spot(const SourceText& source, const SyntaxFailure& failure) {
  const auto text = source.text();
  Spot spot;
  spot.at = source.skip_blank(failure.last_end);
  spot.at_end = failure.reason.find("unexpected end of input") != std::string_view::npos;
  const bool is_separator = spot.at < text.size() && (text[spot.at] == ',' || text[spot.at] == ':');
  if (is_separator && (spot.at + 1 < failure.consumed || spot.at_end)) {
    spot.separator = spot.at;
    spot.at = source.skip_blank(spot.at + 1);
  }
  return spot;
}

struct Words {
  std::size_t at;
  std::string message;
  std::string hint;
};

Words for_end(const SourceText& source, const SyntaxFailure& failure) {
  if (!failure.open_bracket)
    return {source.text().size(), "the file has no content", "a configuration is an object: { \"gateway\": { ... } }"};
  const char open = source.text()[*failure.open_bracket];
  const auto begin = source.position(*failure.open_bracket);
  return {source.text().size(), "the file ends too early",
          fmt::format("the \"{}\" of line {}, column {} is not closed", open, begin.line, begin.column)};
}

Words for_string(const Spot& spot, std::string_view reason) {
  const auto closing = reason.find("missing closing quote") != std::string_view::npos ||
                       reason.find("U+000A") != std::string_view::npos ||
                       reason.find("U+000D") != std::string_view::npos;
  if (closing) return {spot.at, "this string is not closed", "a closing quote (\") is missing on this line"};
  if (reason.find("forbidden character after backslash") != std::string_view::npos)
    return {spot.at, "this string has an unknown escape after a backslash", "a backslash itself is written \\\\"};
  return {spot.at, "this string is not valid JSON", "control characters cannot stand in a string"};
}

// What a Japanese input method leaves behind: the whole sign is there, so that the hint can name it.
std::string_view hint_for_wide(std::string_view rest) {
  constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
      {"、", "a comma is \",\", half-width / 半角のコンマ \",\" を使います"},
      {"，", "a comma is \",\", half-width / 半角のコンマ \",\" を使います"},
      {"：", "a colon is \":\", half-width / 半角のコロン \":\" を使います"},
      {"“", "quotation marks are \", half-width / 半角の引用符 \" を使います"},
      {"”", "quotation marks are \", half-width / 半角の引用符 \" を使います"},
      {"＂", "quotation marks are \", half-width / 半角の引用符 \" を使います"},
      {"｛", "a bracket is \"{\", half-width / 半角の括弧を使います"},
      {"｝", "a bracket is \"}\", half-width / 半角の括弧を使います"},
      {"［", "a bracket is \"[\", half-width / 半角の括弧を使います"},
      {"］", "a bracket is \"]\", half-width / 半角の括弧を使います"},
      {"　", "this is a full-width space / 全角の空白があります"}};
  for (const auto& [sign, hint] : kSigns)
    if (rest.starts_with(sign)) return hint;
  return {};
}

std::string_view hint_for(char c) {
  if (c == '\'') return "strings and keys stand in double quotes (\")";
  if (c == '#') return "a comment begins with //";
  if (c == '/') return "a comment is // to the end of the line, or /* ... */";
  if (std::isalpha(static_cast<unsigned char>(c)) != 0) return "strings and keys stand in double quotes (\")";
  if (c == '+' || c == '.') return "a number begins with a digit or a minus sign";
  return {};
}

Words for_token(const SourceText& source, const SyntaxFailure& failure, const Spot& spot) {
  const auto text = source.text();
  const char c = text[spot.at];
  if (const auto wide = hint_for_wide(text.substr(spot.at)); !wide.empty())
    return {spot.at, "this cannot be read as JSON", std::string(wide)};
  const bool closes = c == '}' || c == ']';
  if (closes && spot.separator && text[*spot.separator] == ',')
    return {*spot.separator, fmt::format("a comma stands before the closing \"{}\"", c), "remove the comma"};
  if (!failure.open_bracket && failure.last_end > 0)
    return {spot.at, "something follows the end of the configuration",
            "one object is all a file holds; see the brackets"};
  if (c == ',')
    return {spot.at, "this comma is one too many", failure.after_key ? "after a key stands a colon" : "remove it"};
  if (failure.after_key && !spot.separator) return {spot.at, "after a key stands a colon", "write \"key\": value"};
  const bool begins_value =
      c == '"' || c == '{' || c == '[' || c == '-' || std::isalnum(static_cast<unsigned char>(c)) != 0;
  const bool first = failure.open_bracket && *failure.open_bracket + 1 == failure.last_end;
  if (begins_value && !spot.separator && !first && failure.last_end > 0)
    return {failure.last_end, "a comma is missing here", "between two entries stands a comma"};
  if (closes) return {spot.at, fmt::format("this \"{}\" does not fit", c), "see whether brackets are closed in order"};
  return {spot.at, "this cannot be read as JSON", std::string(hint_for(c))};
}

}  // namespace

Diagnostic explain(const SourceText& source, const SyntaxFailure& failure) {
  const auto spot = find_spot(source, failure);
  const bool in_string = spot.at < source.text().size() && source.text()[spot.at] == '"' &&
                         failure.reason.find("invalid string") != std::string_view::npos;
  const auto words = in_string                                        ? for_string(spot, failure.reason)
                     : spot.at_end || spot.at >= source.text().size() ? for_end(source, failure)
                                                                      : for_token(source, failure, spot);
  Diagnostic diagnostic;
  diagnostic.at = source.position(words.at);
  diagnostic.message = words.message;
  diagnostic.hint = words.hint;
  return diagnostic;
}

}  // namespace config
