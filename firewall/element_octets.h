// The elements of a set as nf_tables keeps them, and back into the writing of Set::elements: what libnftables makes of
// text, for those that are too many for it (docs/decisions/0017). Layout as libnftables 1.0.6 and the kernel agree on
// it (include/uapi/linux/netfilter/nf_tables.h, NFTA_SET_ELEM_*): each field of a concatenation begins at a multiple of
// four octets; addresses and ports in network order, marks in the machine's.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"
#include "firewall/rule_set.h"

namespace firewall {

struct ElementOctets {
  std::string key;      // empty: all other keys (NFT_SET_ELEM_CATCHALL)
  std::string key_end;  // of an interval of concatenated fields the last key, inclusive; else empty
  std::string value;    // of a map
  // Of intervals of one field: not the first key, but the first one behind it (NFT_SET_ELEM_INTERVAL_END). An interval
  // that reaches to the last key has none.
  bool ends = false;
  // It has more than that: an expression, an object, a time. We write none; with one the element may not match what its
  // key says.
  bool more = false;
  friend auto operator<=>(const ElementOctets&, const ElementOctets&) = default;
};

// How the elements of one set are written.
class ElementForm {
 public:
  // The error: a sentence.
  [[nodiscard]] static config::value::Result<ElementForm, std::string> of(const Set& set);

  // Appends one, or two where the set has intervals of one field. The error: an element that is not of the set's type.
  [[nodiscard]] config::value::Result<void, std::string> encode(std::string_view element,
                                                                std::vector<ElementOctets>& out) const;
  // Sorted and each once, as Set::elements. Others may have written the set: what cannot be read is an element too, "?
  // 0a0b", that no plan has.
  [[nodiscard]] std::vector<std::string> decode(std::vector<ElementOctets> elements) const;
  // As nf_tables describes a set of this form: octets of a key, and of each of its fields where there are several.
  [[nodiscard]] std::size_t key_size() const;
  [[nodiscard]] std::vector<std::uint32_t> field_sizes() const;

 private:
  enum class Field : std::uint8_t { kAddress4, kAddress6, kMark, kProtocol, kPort };
  struct Ends {
    std::string first, last;  // octets of one field
  };
  static std::size_t octets_of(Field field);
  static config::value::Result<Ends, std::string> read(Field field, std::string_view text);
  static std::string write(Field field, std::string_view first, std::string_view last);
  [[nodiscard]] bool simple_interval() const { return interval_ && key_.size() == 1; }
  [[nodiscard]] bool is_well_formed(const std::string& key) const;
  [[nodiscard]] std::string text_of(const std::string& first, const std::string& last, const std::string& value) const;
  [[nodiscard]] std::vector<std::string> decode_intervals(std::vector<ElementOctets> elements) const;

  std::vector<Field> key_;
  bool map_ = false;
  bool interval_ = false;
};

// Of a set whose form is not known: each in the writing of what cannot be read.
[[nodiscard]] std::vector<std::string> unread_elements(const std::vector<ElementOctets>& elements);

}  // namespace firewall
