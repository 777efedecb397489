// Built once for each change of a peer, asked for every packet.
#include "tunnel/wireguard/source_filter.h"

#include <algorithm>

namespace tunnel::wireguard {

SourceFilter::SourceFilter(std::span<const wire::Prefix> prefixes) {
  for (const wire::Prefix& prefix : prefixes) {
    const Number first = number_of(prefix.address());
    const unsigned host_bits = prefix.address().bits() - prefix.length();
    const Number hosts = host_bits == 128 ? ~Number{0} : (Number{1} << host_bits) - 1;
    (prefix.address().is_v4() ? v4_ : v6_).push_back({first, first + hosts});
  }
  merge(v4_);
  merge(v6_);
}

bool SourceFilter::contains(const wire::IpAddress& address) const {
  const std::vector<Interval>& intervals = address.is_v4() ? v4_ : v6_;
  const Number number = number_of(address);
  const auto after = std::ranges::upper_bound(intervals, number, {}, &Interval::first);
  return after != intervals.begin() && number <= std::prev(after)->last;
}

SourceFilter::Number SourceFilter::number_of(const wire::IpAddress& address) {
  Number number = 0;
  for (const std::uint8_t octet : address.octets()) number = number << 8 | octet;
  return number;
}

void SourceFilter::merge(std::vector<Interval>& intervals) {
  std::ranges::sort(intervals, {}, &Interval::first);
  std::vector<Interval> merged;
  for (const Interval& interval : intervals) {
    if (!merged.empty() && interval.first <= merged.back().last) {
      merged.back().last = std::max(merged.back().last, interval.last);
    } else {
      merged.push_back(interval);
    }
  }
  intervals = std::move(merged);
}

}  // namespace tunnel::wireguard
