// Reads one JSON object key by key; every mistake becomes a diagnostic and reading goes on. What was not asked for is
// an unknown key. A reader on something that is no object reports that once and then finds nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/keys.h"
#include "config/report.h"
#include "config/value/result.h"

namespace config {

inline constexpr std::size_t kMaxTextBytes = 600;

enum class Presence : std::uint8_t { kOptional, kRequired };

struct IntegerRange {
  std::int64_t low;
  std::int64_t high;
};

class ObjectReader {
 public:
  ObjectReader(const Node& node, const KeyList& known, Report& report);

  [[nodiscard]] const Position& at() const { return node_.at; }
  [[nodiscard]] bool is_object() const { return node_.kind == Kind::kObject; }
  [[nodiscard]] bool has(std::string_view key) const { return find(node_, key) != nullptr; }

  // The value of any kind.
  [[nodiscard]] const Node* value(std::string_view key, Presence presence);
  // The value when it is of that kind; another kind is reported.
  [[nodiscard]] const Node* value(std::string_view key, Kind kind, Presence presence);
  // Not empty, at most kMaxTextBytes.
  [[nodiscard]] std::string text(std::string_view key, Presence presence);
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, IntegerRange range, Presence presence);
  [[nodiscard]] std::optional<bool> boolean(std::string_view key, Presence presence);
  // One of `words`, by index.
  [[nodiscard]] std::optional<std::size_t> choice(std::string_view key, const std::vector<std::string_view>& words,
                                                  Presence presence);
  // T has a static parse(string_view) -> Result<T, std::string>.
  template <class T>
  [[nodiscard]] std::optional<T> parsed(std::string_view key, Presence presence);
  // An array of at most `most` strings (a few dozen), each parsed; a repeated one is reported, so is an empty required
  // one.
  template <class T>
  [[nodiscard]] std::vector<T> parsed_list(std::string_view key, std::size_t most, Presence presence);

 private:
  [[nodiscard]] const Node* list(std::string_view key, std::size_t most, Presence presence);

  const Node& node_;
  const KeyList& known_;
  Report& report_;
};

// `node` must be a string in the form of T; anything else is reported.
template <class T>
[[nodiscard]] std::optional<T> parse_text(const Node& node, Report& report) {
  if (node.kind != Kind::kString) {
    report.error(node.at, "expected a string, found " + std::string(with_article(node.kind)));
    return std::nullopt;
  }
  auto result = T::parse(node.text);
  if (!result) {
    report.error(node.at, std::move(result).error());
    return std::nullopt;
  }
  return *std::move(result);
}

template <class T>
std::optional<T> ObjectReader::parsed(std::string_view key, Presence presence) {
  const Node* node = value(key, presence);
  return node == nullptr ? std::nullopt : parse_text<T>(*node, report_);
}

template <class T>
std::vector<T> ObjectReader::parsed_list(std::string_view key, std::size_t most, Presence presence) {
  std::vector<T> values;
  const Node* node = list(key, most, presence);
  if (node == nullptr) return values;
  for (const auto& item : node->items) {
    auto parsed = parse_text<T>(item, report_);
    if (!parsed) continue;
    for (const auto& other : values) {
      if (other != *parsed) continue;
      report_.error(item.at, quoted(item.text) + " stands twice in this list", "keep one of the two");
      parsed.reset();
      break;
    }
    if (parsed) values.push_back(*std::move(parsed));
  }
  return values;
}

}  // namespace config
