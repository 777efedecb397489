// Short numbers for networks and facilities, that fit a packet mark. 0 is nobody's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "policy/plan.h"

namespace firewall {

// The class of a network: its own address for IPv4 (networks do not overlap, so it is unique), else folded from the
// content. A class that is taken moves on, in the order of add(). Unique in a family.
class ClassNumbers {
 public:
  void add(const policy::Prefix& network);
  [[nodiscard]] const std::map<policy::Prefix, std::uint32_t>& all() const { return numbers_; }

 private:
  std::map<policy::Prefix, std::uint32_t> numbers_;
  std::unordered_set<std::uint32_t> taken_v4_;
  std::unordered_set<std::uint32_t> taken_v6_;
};

// The number of a facility: folded from its name. A number that is taken moves on.
class FacilityNumbers {
 public:
  std::uint32_t add(const policy::FacilityName& name);
  // 0 for a name that was never added.
  [[nodiscard]] std::uint32_t of(const policy::FacilityName& name) const;

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::unordered_set<std::uint32_t> taken_;
};

}  // namespace firewall
