// From a position to its key path, and from a key path to its position. Siblings stand in the order written, so each
// level is one binary search.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "config/document.h"

namespace config {
namespace {

bool before_or_at(const Position& a, const Position& b) {
  return a.line != b.line ? a.line < b.line : a.column <= b.column;
}

// The last of `children` that begins at or before `at`.
template <class Children>
auto enclosing(Children& children, const Position& at) {
  auto next = std::upper_bound(children.begin(), children.end(), at,
                               [](const Position& p, const auto& child) { return !before_or_at(child.at, p); });
  return next == children.begin() ? children.end() : std::prev(next);
}

bool plain(std::string_view key) {
  return !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$") ==
                             std::string_view::npos;
}

struct Found {
  const Node* node = nullptr;
  std::string path;
};

Found descend(const Node& root, const Position& at) {
  Found found{&root, {}};
  while (found.node->at != at) {
    const Node& node = *found.node;
    if (node.kind == Kind::kObject) {
      const auto member = enclosing(node.members, at);
      if (member == node.members.end()) break;
      if (plain(member->key)) {
        found.path += (found.path.empty() ? "" : ".") + member->key;
      } else {
        found.path += "[\"" + member->key.substr(0, 64) + "\"]";
      }
      found.node = &member->value;
      if (member->at == at) break;
    } else if (node.kind == Kind::kArray) {
      const auto item = enclosing(node.items, at);
      if (item == node.items.end()) break;
      found.path += fmt::format("[{}]", item - node.items.begin());
      found.node = &*item;
    } else {
      break;
    }
  }
  return found;
}

}  // namespace

const Node* find(const Node& object, std::string_view key) {
  const auto member =
      std::find_if(object.members.begin(), object.members.end(), [&](const Member& m) { return m.key == key; });
  return member == object.members.end() ? nullptr : &member->value;
}

std::string path_of(const Node& root, const Position& at) {
  return descend(root, at).path;
}

Position place_below(const Node& root, const Position& at, std::initializer_list<std::string_view> keys) {
  const Node* node = descend(root, at).node;
  Position place = at;
  for (const auto key : keys) {
    node = find(*node, key);
    if (node == nullptr) break;
    place = node->at;
  }
  return place;
}

}  // namespace config
