// A linear look over 16 slots: constant, and nothing an attacker could make collide.
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

std::size_t FragmentTable::unfinished_memory(const Slots& slots, Instant now) {
  std::size_t memory = 0;
  for (const Datagram& d : slots)
    if (d.used && d.expires > now) memory += d.memory;
  return memory;
}

// One more fragment of a known datagram. When all of it is there the kernel joins it, and its slot is free again.
Refusal FragmentTable::add(Datagram& datagram, const InnerPacketView& view) {
  const bool after_last = datagram.end != 0 && (view.fragment_end() > datagram.end || !view.more_fragments);
  const bool last_before = !view.more_fragments && view.fragment_end() < datagram.farthest;
  if (datagram.poisoned || after_last || last_before ||
      !add_range(datagram, {view.fragment_offset, view.fragment_end()})) {
    datagram.poisoned = true;  // it stays until the kernel gives it up too
    return Refusal::kFragmentOverlap;
  }
  datagram.farthest = std::max(datagram.farthest, view.fragment_end());
  if (!view.more_fragments) datagram.end = view.fragment_end();
  datagram.memory += static_cast<std::uint32_t>(memory_of(view.total_length));
  const bool whole = datagram.end != 0 && datagram.seen_count == 1 && datagram.seen[0].end == datagram.end;
  if (whole) datagram.used = false;
  return Refusal::kNone;
}

Refusal FragmentTable::remember(std::uint32_t owner, const InnerPacketView& first, Instant now) {
  if (owner >= owners_.size()) owners_.resize(owner + std::size_t{1});
  if (!owners_[owner]) owners_[owner] = std::make_unique<Slots>();
  Slots& slots = *owners_[owner];
  if (Datagram* known = find(slots, first, now)) {
    known->poisoned = true;
    return Refusal::kFragmentOverlap;
  }
  const auto slot =
      std::find_if(slots.begin(), slots.end(), [now](const Datagram& d) { return !d.used || d.expires <= now; });
  if (slot == slots.end() || unfinished_memory(slots, now) + memory_of(first.total_length) > kMemoryPerOwner)
    return Refusal::kFragmentLimit;
  *slot = Datagram{};
  slot->used = true, slot->flow = first.flow, slot->id = first.fragment_id;
  slot->expires = now + (first.is_v4() ? kLifetime : kLifetimeV6);
  return add(*slot, first);
}

Refusal FragmentTable::complete(std::uint32_t owner, InnerPacketView& later, Instant now) {
  if (owner >= owners_.size() || !owners_[owner]) return Refusal::kUnknownFragment;
  Slots& slots = *owners_[owner];
  Datagram* known = find(slots, later, now);
  if (known == nullptr) return Refusal::kUnknownFragment;
  if (unfinished_memory(slots, now) + memory_of(later.total_length) > kMemoryPerOwner) return Refusal::kFragmentLimit;
  const FlowView flow = known->flow;
  if (const Refusal refusal = add(*known, later); refusal != Refusal::kNone) return refusal;
  later.flow = flow;
  return Refusal::kNone;
}

void FragmentTable::forget(std::uint32_t owner) {
  if (owner < owners_.size()) owners_[owner].reset();
}

}  // namespace gateway::core
