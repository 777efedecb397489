#include "gateway/core/refusal_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace gateway::core {

RefusalLog::Entry& RefusalLog::entry_of(std::uint32_t place, const std::string& facility) {
  if (place >= entries_.size()) entries_.resize(place + std::size_t{1});
  if (!entries_[place]) {
    entries_[place] = std::make_shared<Entry>();
    entries_[place]->facility = facility;
  }
  return *entries_[place];
}

bool RefusalLog::count(std::uint32_t place, const std::string& facility, Direction direction, Refusal reason,
                       Instant now) {
  Entry& entry = entry_of(place, facility);
  Sort& sort = entry.sorts[static_cast<std::size_t>(direction)][static_cast<std::size_t>(reason)];
  ++sort.total;
  if (!std::exchange(entry.counted, true)) with_sums_.push_back(entries_[place]);
  const Instant from = std::max(sort.full_at, now);
  if (from + kEvery - now > kBurst * kEvery || entry.waiting.size() >= kMostWaiting) return false;
  sort.full_at = from + kEvery;
  return true;
}

void RefusalLog::add(std::uint32_t place, RefusedPacket packet) {
  if (place >= entries_.size() || !entries_[place]) return;
  Entry& entry = *entries_[place];
  if (entry.waiting.empty()) with_packets_.push_back(entries_[place]);
  packet.facility = entry.facility;
  entry.waiting.push_back(std::move(packet));
}

void RefusalLog::depart(std::uint32_t place) {
  if (place < entries_.size()) entries_[place].reset();
}

void RefusalLog::take_packets(GuardRefusals& told) {
  for (std::size_t turns = with_packets_.size(); turns > 0 && told.packets.size() < kMostRefusedPackets; --turns) {
    const auto entry = std::move(with_packets_.front());
    with_packets_.pop_front();
    auto& waiting = entry->waiting;
    const std::size_t take = std::min({waiting.size(), kOfOneFacility, kMostRefusedPackets - told.packets.size()});
    const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(take);
    std::move(waiting.begin(), end, std::back_inserter(told.packets));
    waiting.erase(waiting.begin(), end);
    if (!waiting.empty()) with_packets_.push_back(entry);
  }
}

void RefusalLog::take_sums(GuardRefusals& told) {
  for (; !with_sums_.empty() && told.sums.size() < kMostRefusedSums; with_sums_.pop_front()) {
    Entry& entry = *with_sums_.front();
    entry.counted = false;
    RefusedSum sum{entry.facility, {}};
    for (const Direction direction : {Direction::kOutOfTunnel, Direction::kIntoTunnel})
      for (std::size_t reason = 1; reason < kReasons; ++reason) {
        Sort& sort = entry.sorts[static_cast<std::size_t>(direction)][reason];
        const std::uint64_t fresh = sort.total - std::exchange(sort.told, sort.total);
        if (fresh > 0) sum.reasons.push_back({direction, static_cast<Refusal>(reason), fresh, sort.total});
      }
    told.sums.push_back(std::move(sum));
  }
}

GuardRefusals RefusalLog::due(Instant now) {
  GuardRefusals told;
  if (!with_packets_.empty() && packets_at_ <= now) {
    take_packets(told);
    packets_at_ = now + kTellPackets;
  }
  if (!with_sums_.empty() && sums_at_ <= now) {
    take_sums(told);
    sums_at_ = now + kTellSums;
  }
  return told;
}

std::optional<config::value::Instant> RefusalLog::next_deadline() const {
  std::optional<Instant> first;
  if (!with_packets_.empty()) first = packets_at_;
  if (!with_sums_.empty()) first = first ? std::min(*first, sums_at_) : sums_at_;
  return first;
}

}  // namespace gateway::core
