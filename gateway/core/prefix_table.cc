// Building: the prefixes sorted by address, then length, so that one that contains another stands before it, and all
// of one slot stand together.
#include "gateway/core/prefix_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "tunnel/wire/require.h"

namespace gateway::core {
namespace {

constexpr unsigned kStride = 6;
constexpr unsigned kMostRootBits = 18;  // 1 MiB
constexpr unsigned kKindShift = 30;
constexpr std::uint32_t kIndexMask = (1u << kKindShift) - 1;
constexpr std::uint32_t kValueNone = PrefixTable::kLargestValue + 1;
constexpr std::uint32_t kLone = 1u << kKindShift, kNode = 2u << kKindShift;

template <class Key>
constexpr unsigned kBits = sizeof(Key) * 8;

template <class Key>
Key load(const std::array<std::uint8_t, 16>& octets) {
  if constexpr (sizeof(Key) == 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, octets.data(), sizeof word);
    return __builtin_bswap32(word);
  } else {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), octets.data(), sizeof words);
    return Key{__builtin_bswap64(words[0])} << 64 | __builtin_bswap64(words[1]);
  }
}

template <class Key>
unsigned common_bits(Key a, Key b) {
  const Key differ = a ^ b;
  if constexpr (sizeof(Key) == 4) {
    return static_cast<unsigned>(std::countl_zero(differ));
  } else {
    const auto high = static_cast<std::uint64_t>(differ >> 64);
    const auto low = static_cast<std::uint64_t>(differ);
    return static_cast<unsigned>(high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(low));
  }
}

template <class Key>
bool share(Key a, Key b, unsigned bits) {
  return bits == 0 || (a ^ b) >> (kBits<Key> - bits) == 0;
}

// `bits` bits of the address from `depth` on; beyond its end, zeros.
template <class Key>
unsigned chunk(Key address, unsigned depth, unsigned bits) {
  return static_cast<unsigned>(static_cast<Key>(address << depth) >> (kBits<Key> - bits));
}

// Plain code calls a library function for std::popcount.
unsigned ones(std::uint64_t word) {
  word -= word >> 1 & 0x5555555555555555;
  word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<unsigned>(word * 0x0101010101010101 >> 56);
}

template <class Item>
void sort_and_thin(std::vector<Item>& items) {
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.key != b.key ? a.key < b.key : a.length < b.length; });
  std::size_t kept = 0;
  for (const Item& item : items) {
    const bool again = kept > 0 && items[kept - 1].key == item.key && items[kept - 1].length == item.length;
    items[again ? kept - 1 : kept++] = item;
  }
  items.resize(kept);
}

// Bits that all share, and that each has more than.
template <class Item>
unsigned depth_of(std::span<const Item> items) {
  unsigned shortest = items.front().length;
  for (const Item& item : items) shortest = std::min<unsigned>(shortest, item.length);
  return std::min(common_bits(items.front().key, items.back().key), shortest - 1);
}

}  // namespace

PrefixTable::PrefixTable(const std::vector<PrefixEntry>& entries) {
  std::vector<Trie<V4>::Item> v4;
  std::vector<Trie<V6>::Item> v6;
  for (const PrefixEntry& entry : entries) {
    tunnel::wire::require(entry.value <= kLargestValue);
    const auto octets = entry.prefix.address().storage();
    if (entry.prefix.address().is_v4())
      v4.push_back({load<V4>(octets), entry.value, entry.prefix.length()});
    else
      v6.push_back({load<V6>(octets), entry.value, entry.prefix.length()});
  }
  v4_ = Trie<V4>(std::move(v4));
  v6_ = Trie<V6>(std::move(v6));
}

std::uint32_t PrefixTable::find(const config::value::IpAddress& address) const {
  return address.is_v4() ? v4_.find(load<V4>(address.storage())) : v6_.find(load<V6>(address.storage()));
}

template <class Key>
PrefixTable::Trie<Key>::Trie(std::vector<Item> items) {
  sort_and_thin(items);
  std::span<const Item> rest(items);
  if (!rest.empty() && rest.front().length == 0) {
    otherwise_ = rest.front().value;
    rest = rest.subspan(1);
  }
  if (rest.empty()) return;
  depth_ = depth_of(rest);
  path_ = rest.front().key;
  root_bits_ = std::clamp<unsigned>(static_cast<unsigned>(std::bit_width(rest.size())) + 2, kStride, kMostRootBits);
  root_.assign(std::size_t{1} << root_bits_, otherwise_);
  fill(root_, rest, depth_, root_bits_);
  nodes_.shrink_to_fit(), lone_.shrink_to_fit(), words_.shrink_to_fit();
}

template <class Key>
std::size_t PrefixTable::Trie<Key>::octets() const {
  return (root_.size() + words_.size()) * sizeof(Word) + nodes_.size() * sizeof(Node) + lone_.size() * sizeof(Lone);
}

// `slots` hold what they inherit.
template <class Key>
void PrefixTable::Trie<Key>::fill(std::span<Word> slots, std::span<const Item> items, unsigned depth, unsigned bits) {
  for (std::size_t i = 0; i < items.size();) {
    const unsigned slot = chunk(items[i].key, depth, bits);
    if (items[i].length <= depth + bits) {
      std::fill_n(slots.begin() + slot, std::size_t{1} << (depth + bits - items[i].length), items[i].value);
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < items.size() && chunk(items[end].key, depth, bits) == slot) ++end;
    slots[slot] = make(items.subspan(i, end - i), slots[slot]);
    i = end;
  }
}

template <class Key>
auto PrefixTable::Trie<Key>::make(std::span<const Item> items, Word inherited) -> Word {
  if (items.size() == 1) {
    lone_.push_back({items[0].key, items[0].value, inherited, items[0].length});
    return kLone | static_cast<Word>(lone_.size() - 1);
  }
  Node node{.path = items[0].key, .otherwise = inherited, .depth = static_cast<std::uint8_t>(depth_of(items))};
  std::array<Word, 1 << kStride> slots;
  slots.fill(inherited);
  fill(slots, items, node.depth, kStride);
  node.first = static_cast<Word>(words_.size());
  for (unsigned slot = 0; slot < slots.size(); ++slot) {
    if (slot > 0 && slots[slot] == slots[slot - 1]) continue;
    node.runs |= std::uint64_t{1} << slot;
    words_.push_back(slots[slot]);
  }
  nodes_.push_back(node);
  return kNode | static_cast<Word>(nodes_.size() - 1);
}

template <class Key>
std::uint32_t PrefixTable::Trie<Key>::find(Key address) const {
  Word word = kValueNone;
  if (root_.empty() || !share(address, path_, depth_))
    word = otherwise_;
  else
    word = root_[chunk(address, depth_, root_bits_)];
  while ((word & kNode) != 0) {
    const Node& node = nodes_[word & kIndexMask];
    const std::uint64_t up_to = (std::uint64_t{2} << chunk(address, node.depth, kStride)) - 1;  // 63: all, by overflow
    word = share(address, node.path, node.depth) ? words_[node.first + ones(node.runs & up_to) - 1] : node.otherwise;
  }
  if ((word & kLone) != 0) {
    const Lone& lone = lone_[word & kIndexMask];
    word = share(address, lone.path, lone.length) ? lone.within : lone.otherwise;
  }
  return word == kValueNone ? kNone : word;
}

template class PrefixTable::Trie<PrefixTable::V4>;
template class PrefixTable::Trie<PrefixTable::V6>;

}  // namespace gateway::core
