// Entries are sorted by address, then length: a prefix stands before all it contains, so filling in order lets the
// longer one win, and what lies below one slot is a contiguous run.
#include "gateway/core/prefix_table.h"

#include <algorithm>
#include <array>
#include <bit>

namespace gateway::core {
namespace {

using Octets = std::array<std::uint8_t, 16>;
__extension__ using Wide = unsigned __int128;
constexpr unsigned kStride = 6;

Wide load(const Octets& octets) {
  Wide wide = 0;
  for (const std::uint8_t octet : octets) wide = (wide << 8) | octet;
  return wide;
}

// The six bits from `depth` on; zeros beyond the end.
unsigned chunk(Wide address, unsigned depth) {
  return static_cast<unsigned>((address << depth) >> (128 - kStride));
}

std::uint64_t up_to(unsigned slot) {
  return (std::uint64_t{2} << slot) - 1;
}  // slot 63: all ones by overflow

}  // namespace

PrefixTable::PrefixTable(std::vector<PrefixEntry> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const PrefixEntry& a, const PrefixEntry& b) { return a.prefix < b.prefix; });
  const auto v6 =
      std::find_if(entries.begin(), entries.end(), [](const PrefixEntry& e) { return !e.prefix.address().is_v4(); });
  v4_.build({entries.begin(), v6});
  v6_.build({v6, entries.end()});
}

std::size_t PrefixTable::octets() const {
  const auto of = [](const Trie& t) { return t.nodes.size() * sizeof(Node) + t.values.size() * sizeof(std::uint32_t); };
  return of(v4_) + of(v6_);
}

void PrefixTable::Trie::build(std::span<const PrefixEntry> sorted) {
  nodes.emplace_back();
  // A default route lies above the root.
  std::uint32_t inherited = kNone;
  for (const PrefixEntry& entry : sorted)
    if (entry.prefix.length() == 0) inherited = entry.value;
  fill(0, 0, sorted, inherited);
  nodes.shrink_to_fit(), values.shrink_to_fit();
}

void PrefixTable::Trie::fill(std::size_t node, unsigned depth, std::span<const PrefixEntry> within,
                             std::uint32_t inherited) {
  std::array<std::uint32_t, 64> slot_value;
  slot_value.fill(inherited);
  std::array<std::span<const PrefixEntry>, 64> below{};
  for (std::size_t i = 0; i < within.size(); ++i) {
    const config::value::Prefix& prefix = within[i].prefix;
    if (prefix.length() <= depth) continue;
    const unsigned slot = chunk(load(prefix.address().storage()), depth);
    if (prefix.length() > depth + kStride) {
      const std::size_t begin = below[slot].empty() ? i : static_cast<std::size_t>(below[slot].data() - within.data());
      below[slot] = within.subspan(begin, i + 1 - begin);
      continue;
    }
    const unsigned run = 1u << (depth + kStride - prefix.length());
    std::fill_n(slot_value.begin() + slot, run, within[i].value);
  }
  Node made;
  made.first_leaf = static_cast<std::uint32_t>(values.size());
  made.first_child = static_cast<std::uint32_t>(nodes.size());
  for (unsigned slot = 0; slot < 64; ++slot) {
    if (!below[slot].empty())
      made.children |= std::uint64_t{1} << slot;
    else if (made.leaves == 0 || values.back() != slot_value[slot]) {
      made.leaves |= std::uint64_t{1} << slot;
      values.push_back(slot_value[slot]);
    }
  }
  nodes[node] = made;
  nodes.resize(nodes.size() + static_cast<std::size_t>(std::popcount(made.children)));
  std::size_t child = made.first_child;
  for (unsigned slot = 0; slot < 64; ++slot)
    if (!below[slot].empty()) fill(child++, depth + kStride, below[slot], slot_value[slot]);
}

std::uint32_t PrefixTable::Trie::find(const Octets& octets) const {
  if (nodes.empty()) return kNone;
  const Wide address = load(octets);
  const Node* node = nodes.data();
  for (unsigned depth = 0;; depth += kStride) {
    const unsigned slot = chunk(address, depth);
    if ((node->children >> slot & 1) == 0) {
      const int rank = std::popcount(node->leaves & up_to(slot));
      return values[node->first_leaf + static_cast<std::size_t>(rank) - 1];
    }
    const int rank = std::popcount(node->children & up_to(slot));
    node = &nodes[node->first_child + static_cast<std::size_t>(rank) - 1];
  }
}

}  // namespace gateway::core
