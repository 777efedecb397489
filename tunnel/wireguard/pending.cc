// Times rise with the ids (one clock, one thread), so only the front is ever looked at.
#include "tunnel/wireguard/pending.h"

namespace tunnel::wireguard {

PendingTable::Added PendingTable::add(PendingStep step) {
  const bool full = steps_.size() >= capacity_;
  if (full) steps_.erase(steps_.begin());
  const std::uint64_t id = next_id_;
  next_id_ += 2;
  steps_.emplace_hint(steps_.end(), id, std::move(step));
  return {id, full};
}

std::optional<PendingStep> PendingTable::take(std::uint64_t id) {
  const auto found = steps_.find(id);
  if (found == steps_.end()) return std::nullopt;
  PendingStep step = std::move(found->second);
  steps_.erase(found);
  return step;
}

std::size_t PendingTable::expire(Instant now) {
  std::size_t dropped = 0;
  while (!steps_.empty() && now - steps_.begin()->second.since >= kStepLifetime) {
    steps_.erase(steps_.begin());
    ++dropped;
  }
  return dropped;
}

Instant PendingTable::next_expiry() const {
  return steps_.empty() ? kNever : steps_.begin()->second.since + kStepLifetime;
}

}  // namespace tunnel::wireguard
