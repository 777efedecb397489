// Longest-prefix match, IPv4 and IPv6, immutable once built; made for 100,000 prefixes at the cost of ten: what all
// prefixes share is skipped, up to 18 bits choose a slot of one array, and below it a path that does not branch is one
// comparison. Where it branches, six bits choose among 64 slots that are kept as runs under a bit map (Asai and Ohara,
// "Poptrie", SIGCOMM 2015; path compression: Morrison, "PATRICIA", 1968).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "config/value/address.h"

namespace gateway::core {

struct PrefixEntry {
  config::value::Prefix prefix;
  std::uint32_t value = 0;  // at most PrefixTable::kLargestValue
};

class PrefixTable {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kLargestValue = (1u << 30) - 2;

  PrefixTable() = default;
  // Of equal prefixes the last wins. A value that is too large aborts.
  explicit PrefixTable(const std::vector<PrefixEntry>& entries);

  // Value of the longest prefix that contains `address`, or kNone.
  [[nodiscard]] std::uint32_t find(const config::value::IpAddress& address) const;
  [[nodiscard]] std::size_t octets() const { return v4_.octets() + v6_.octets(); }  // memory held, for the benchmark

 private:
  using V4 = std::uint32_t;
  __extension__ using V6 = unsigned __int128;

  // An address as a number, its first bit the highest.
  template <class Key>
  class Trie {
   public:
    struct Item {
      Key key = 0;
      std::uint32_t value = 0;
      std::uint8_t length = 0;
    };
    Trie() = default;
    explicit Trie(std::vector<Item> items);
    [[nodiscard]] std::uint32_t find(Key address) const;
    [[nodiscard]] std::size_t octets() const;

   private:
    // Two bits of kind, then: a value, or an index into lone_ or nodes_.
    using Word = std::uint32_t;
    struct Lone {  // a single prefix
      Key path = 0;
      Word within = 0, otherwise = 0;
      std::uint8_t length = 0;
    };
    struct Node {  // several that share `depth` bits of `path`; the next six choose
      Key path = 0;
      std::uint64_t runs = 0;  // bit of each slot that differs from the one before; bit 0 is set
      Word first = 0;          // index into words_ of slot 0
      Word otherwise = 0;
      std::uint8_t depth = 0;
    };
    [[nodiscard]] Word make(std::span<const Item> items, Word inherited);
    void fill(std::span<Word> slots, std::span<const Item> items, unsigned depth, unsigned bits);

    Key path_ = 0;
    unsigned depth_ = 0;                  // bits that all share
    unsigned root_bits_ = 0;              // then so many choose in root_
    Word otherwise_ = kLargestValue + 1;  // of 0.0.0.0/0 or ::/0; none
    std::vector<Word> root_;
    std::vector<Node> nodes_;
    std::vector<Lone> lone_;
    std::vector<Word> words_;
  };
  Trie<V4> v4_;
  Trie<V6> v6_;
};

}  // namespace gateway::core
