// Kinds, presence, ranges and words.
#include "config/object_reader.h"

#include <algorithm>

#include <fmt/format.h>

namespace config {
namespace {

bool contains(const KeyList& list, std::string_view key) {
  return std::find(list.keys.begin(), list.keys.end(), key) != list.keys.end();
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) out += (out.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  return out;
}

}  // namespace

ObjectReader::ObjectReader(const Node& node, const KeyList& known, Report& report)
    : node_(node), known_(known), report_(report) {
  if (node.kind != Kind::kObject) {
    report.error(node.at, fmt::format("expected an object, found {}", with_article(node.kind)));
    return;
  }
  for (const auto& member : node.members) {
    if (contains(known, member.key)) continue;
    auto hint = did_you_mean(member.key, {known.keys.begin(), known.keys.end()});
    if (hint.empty()) hint = "known here: " + joined({known.keys.begin(), known.keys.end()});
    report.error(member.at, fmt::format("unknown key {}", quoted(member.key)), std::move(hint));
  }
}

const Node* ObjectReader::value(std::string_view key, Presence presence) {
  if (!contains(known_, key)) __builtin_trap();  // our own mistake: keys.h and the binding differ
  const Node* node = find(node_, key);
  if (node == nullptr && presence == Presence::kRequired && is_object())
    report_.error(node_.at, fmt::format("the key \"{}\" is missing", key));
  return node;
}

const Node* ObjectReader::value(std::string_view key, Kind kind, Presence presence) {
  const Node* node = value(key, presence);
  if (node == nullptr || node->kind == kind) return node;
  report_.error(node->at, fmt::format("expected {}, found {}", with_article(kind), with_article(node->kind)));
  return nullptr;
}

std::string ObjectReader::text(std::string_view key, Presence presence) {
  const Node* node = value(key, Kind::kString, presence);
  if (node == nullptr) return {};
  if (node->text.find_first_not_of(' ') == std::string::npos)
    report_.error(node->at, "this text is empty", presence == Presence::kOptional ? "leave the key out" : "");
  if (node->text.size() > kMaxTextBytes)
    report_.error(node->at, fmt::format("this text is longer than {} bytes", kMaxTextBytes));
  return node->text;
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, IntegerRange range, Presence presence) {
  const Node* node = value(key, presence);
  if (node == nullptr) return std::nullopt;
  if (node->kind != Kind::kInteger) {
    report_.error(node->at, fmt::format("expected a whole number, found {}", with_article(node->kind)),
                  fmt::format("a number from {} to {}, without quotes", range.low, range.high));
    return std::nullopt;
  }
  if (node->integer < range.low || node->integer > range.high) {
    report_.error(node->at, fmt::format("{} is out of range", node->integer),
                  fmt::format("a number from {} to {}", range.low, range.high));
    return std::nullopt;
  }
  return node->integer;
}

std::optional<bool> ObjectReader::boolean(std::string_view key, Presence presence) {
  const Node* node = value(key, Kind::kBoolean, presence);
  return node == nullptr ? std::nullopt : std::optional(node->boolean);
}

std::optional<std::size_t> ObjectReader::choice(std::string_view key, const std::vector<std::string_view>& words,
                                                Presence presence) {
  const Node* node = value(key, Kind::kString, presence);
  if (node == nullptr) return std::nullopt;
  const auto word = std::find(words.begin(), words.end(), node->text);
  if (word != words.end()) return static_cast<std::size_t>(word - words.begin());
  auto hint = did_you_mean(node->text, words);
  report_.error(node->at, fmt::format("{} is not one of {}", quoted(node->text), joined(words)), std::move(hint));
  return std::nullopt;
}

const Node* ObjectReader::list(std::string_view key, std::size_t most, Presence presence) {
  const Node* node = value(key, Kind::kArray, presence);
  if (node == nullptr) return nullptr;
  if (node->items.empty() && presence == Presence::kRequired) report_.error(node->at, "this list is empty");
  if (node->items.size() <= most) return node;
  report_.error(node->at, fmt::format("{} entries are too many; at most {} are allowed", node->items.size(), most));
  return nullptr;
}

}  // namespace config
