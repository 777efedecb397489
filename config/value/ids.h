// Names and numbers that must not be confused with one another.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace config::value {

// A name from the configuration: [a-z0-9][a-z0-9-]{0,30}, checked when it is bound.
template <class Tag>
struct Name {
  std::string text;
  friend auto operator<=>(const Name&, const Name&) = default;
};
using FacilityName = Name<struct FacilityTag>;
using ServiceName = Name<struct ServiceTag>;
using OfferName = Name<struct OfferTag>;

// Stands in the conntrack mark and in every record; derived from the permission's own content, so the same permission
// keeps its number through reloads. 1 .. 0x7fffffff; 0 = none.
struct RuleId {
  std::uint32_t number = 0;
  friend constexpr auto operator<=>(const RuleId&, const RuleId&) = default;
};

// A running number of applied configurations, 1 for the first.
struct Generation {
  std::uint64_t number = 0;
  friend constexpr auto operator<=>(const Generation&, const Generation&) = default;
};

}  // namespace config::value

template <class Tag>
struct std::hash<config::value::Name<Tag>> {
  std::size_t operator()(const config::value::Name<Tag>& name) const noexcept {
    return std::hash<std::string>{}(name.text);
  }
};
