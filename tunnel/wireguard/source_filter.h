// Is an address inside a peer's networks? Prefixes as merged intervals, one binary search each question.
#pragma once

#include <span>
#include <vector>

#include "tunnel/wire/packet.h"

namespace tunnel::wireguard {

class SourceFilter {
 public:
  SourceFilter() = default;
  explicit SourceFilter(std::span<const wire::Prefix> prefixes);
  [[nodiscard]] bool contains(const wire::IpAddress& address) const;

 private:
  __extension__ using Number = unsigned __int128;  // an address as a number; IPv4 in the low 32 bits
  struct Interval {
    Number first, last;  // both inside
  };
  static Number number_of(const wire::IpAddress& address);
  static void merge(std::vector<Interval>& intervals);
  std::vector<Interval> v4_, v6_;  // sorted, disjoint
};

}  // namespace tunnel::wireguard
