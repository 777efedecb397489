// A JSON text as a tree in which every key and value knows where it stands. Grammar, escapes and numbers are
// nlohmann/json's; positions come from counting what its parser consumes. Comments are allowed, trailing commas are
// not.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"

namespace config {

enum class Kind : std::uint8_t { kNull, kBoolean, kInteger, kFraction, kString, kArray, kObject };

[[nodiscard]] std::string_view with_article(Kind kind);  // "a string", "an object"

struct Member;

struct Node {
  Kind kind = Kind::kNull;
  Position at;
  bool boolean = false;
  std::int64_t integer = 0;     // kInteger; larger numbers become kFraction
  std::string text;             // kString; free of control characters
  std::vector<Node> items;      // kArray
  std::vector<Member> members;  // kObject, in the order written, a key once only
};

struct Member {
  std::string key;
  Position at;  // of the key
  Node value;
};

inline constexpr std::size_t kMaxFileBytes = 32u << 20;
inline constexpr std::size_t kMaxDepth = 24;

struct Document {
  Node root;           // as far as it could be read
  bool whole = false;  // false: the rest of the text is missing from the tree
};

// Appends to `diagnostics`: size, encoding, syntax, depth, repeated keys.
[[nodiscard]] Document parse_document(std::string_view text, std::uint32_t file, std::vector<Diagnostic>& diagnostics);

[[nodiscard]] const Node* find(const Node& object, std::string_view key);

// The key path of the key or value that stands exactly at `at`, or of what encloses it.
[[nodiscard]] std::string path_of(const Node& root, const Position& at);

// Where the value below the thing at `at` stands ({"tunnel", "mtu"}); `at` itself when there is none.
[[nodiscard]] Position place_below(const Node& root, const Position& at, std::initializer_list<std::string_view> keys);

}  // namespace config
