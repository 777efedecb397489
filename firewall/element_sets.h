// The elements of the table's sets and maps as packet sets, read from the very text that the kernel is given. For
// passing.cc only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/value/result.h"
#include "firewall/rule_set.h"
#include "firewall/rule_text.h"
#include "policy/packet_set.h"

namespace firewall {

// The packet mark of a set of packets: one number, or what a map says of one of their ends.
struct Mark {
  std::uint32_t number = 0;
  std::string map;             // empty: the number
  Field end = Field::kSource;  // of the look-up
  friend auto operator<=>(const Mark&, const Mark&) = default;
};

class ElementSets {
 public:
  // `table` must outlive the result.
  explicit ElementSets(const RuleSet& table);

  // The error of each: a sentence. An element that is not of its set's type is one.
  // Packets whose `end` is in the set, or is a key of the map.
  [[nodiscard]] config::value::Result<policy::PacketSet, std::string> holding(const std::string& set, Field end);
  // Packets whose fields are a key of the map, with that mark on them.
  [[nodiscard]] config::value::Result<policy::PacketSet, std::string> matching(const std::string& map,
                                                                               const std::vector<Field>& key,
                                                                               const Mark& mark);
  // Packets whose mark is `number`.
  [[nodiscard]] config::value::Result<policy::PacketSet, std::string> marked(const Mark& mark, std::uint32_t number);
  // Every number the mark can be.
  [[nodiscard]] config::value::Result<std::vector<std::uint32_t>, std::string> numbers(const Mark& mark);

 private:
  using Ranges = std::vector<policy::AddressRange>;
  using Inverse = std::map<std::uint32_t, Ranges>;
  [[nodiscard]] config::value::Result<const Set*, std::string> find(const std::string& name) const;
  [[nodiscard]] config::value::Result<policy::AddressRange, std::string> address(std::string_view text);
  [[nodiscard]] config::value::Result<const Inverse*, std::string> inverse(const std::string& map);
  [[nodiscard]] config::value::Result<void, std::string> narrow(std::string_view part, Field field,
                                                                policy::PacketBox& box);
  [[nodiscard]] config::value::Result<void, std::string> add_element(const std::string& text,
                                                                     const std::vector<Field>& key, const Mark& mark,
                                                                     std::vector<policy::PacketBox>& out);

  const RuleSet& table_;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, policy::AddressRange, TextHash, std::equal_to<>> addresses_;  // few are written often
  std::map<std::string, Inverse> inverses_;
  std::map<std::pair<std::string, Field>, policy::PacketSet> holding_;
  std::map<std::tuple<std::string, std::vector<Field>, Mark>, policy::PacketSet> matching_;
};

}  // namespace firewall
