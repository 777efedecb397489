// A linear look over 32 slots: constant, and nothing an attacker could make collide.
#include "gateway/core/fragments.h"

#include <algorithm>
#include <span>

namespace gateway::core {

using config::value::Instant;

FragmentTable::Datagram* FragmentTable::find(Slots& slots, const InnerPacketView& view, Instant now) {
  for (Datagram& d : slots) {
    if (!d.used || d.id != view.fragment_id || d.expires <= now) continue;
    // RFC 791: identification, source, destination, protocol. RFC 8200 4.5 leaves the protocol out; for us the first
    // fragment's counts, so a later one that names another is none of it.
    if (d.flow.protocol == view.flow.protocol && d.flow.source == view.flow.source &&
        d.flow.destination == view.flow.destination)
      return &d;
  }
  return nullptr;
}

bool FragmentTable::add_range(Datagram& datagram, Range range) {
  const std::span<Range> seen(datagram.seen.data(), datagram.seen_count);
  for (const Range& r : seen)
    if (range.begin < r.end && r.begin < range.end) return false;
  std::size_t kept = 0;
  for (const Range r : seen) {
    if (r.end == range.begin)
      range.begin = r.begin;
    else if (r.begin == range.end)
      range.end = r.end;
    else
      datagram.seen[kept++] = r;
  }
  if (kept == datagram.seen.size()) return false;
  datagram.seen[kept] = range;
  datagram.seen_count = kept + 1;
  return true;
}

Refusal FragmentTable::remember(std::uint32_t owner, const InnerPacketView& first, Instant now) {
  if (owner >= owners_.size()) owners_.resize(owner + std::size_t{1});
  if (!owners_[owner]) owners_[owner] = std::make_unique<Slots>();
  Slots& slots = *owners_[owner];
  if (Datagram* known = find(slots, first, now)) {
    known->poisoned = true;
    return Refusal::kFragmentOverlap;
  }
  const auto better = [now](const Datagram& a, const Datagram& b) {
    const bool a_free = !a.used || a.expires <= now, b_free = !b.used || b.expires <= now;
    return a_free != b_free ? a_free : a.expires < b.expires;
  };
  Datagram& slot = *std::min_element(slots.begin(), slots.end(), better);
  slot = Datagram{};
  slot.used = true, slot.expires = now + kLifetime, slot.flow = first.flow, slot.id = first.fragment_id;
  return add_range(slot, {0, first.fragment_end()}) ? Refusal::kNone : Refusal::kFragmentOverlap;
}

Refusal FragmentTable::complete(std::uint32_t owner, InnerPacketView& later, Instant now) {
  if (owner >= owners_.size() || !owners_[owner]) return Refusal::kUnknownFragment;
  Datagram* known = find(*owners_[owner], later, now);
  if (known == nullptr) return Refusal::kUnknownFragment;
  if (known->poisoned || !add_range(*known, {later.fragment_offset, later.fragment_end()})) {
    known->poisoned = true;
    return Refusal::kFragmentOverlap;
  }
  later.flow = known->flow;
  return Refusal::kNone;
}

void FragmentTable::forget(std::uint32_t owner) {
  if (owner < owners_.size()) owners_[owner].reset();
}

}  // namespace gateway::core
