// What the guard refused, kept for the records: exact counts for each facility, direction and reason, and a few packets
// of each. Every bound is one facility's own, and what is told goes round all of them, so that the noise of one hides
// nothing of another. Memory: made when a facility is first refused, some 5 KiB each (50 MiB at 10,000).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/value/instant.h"
#include "gateway/core/messages.h"
#include "gateway/core/refusal.h"

namespace gateway::core {

class RefusalLog {
 public:
  using Instant = config::value::Instant;
  using Duration = config::value::Duration;
  // Packets of one facility, direction and reason: ten at once, then one in six seconds (14,400 a day).
  static constexpr std::int64_t kBurst = 10;
  static constexpr Duration kEvery = std::chrono::seconds(6);
  static constexpr std::size_t kMostWaiting =
      16;  // packets of one facility not told yet; further ones are counted only
  static constexpr std::size_t kOfOneFacility = 4;  // packets of one facility in one telling
  static constexpr Duration kTellPackets = std::chrono::seconds(1);
  static constexpr Duration kTellSums = std::chrono::seconds(60);
  static constexpr std::uint32_t kNobody = 0;  // the place of what belongs to no facility

  // Counts one. True: a packet of this sort may be put on record, and describe() should follow.
  [[nodiscard]] bool count(std::uint32_t place, const std::string& facility, Direction direction, Refusal reason,
                           Instant now);
  void add(std::uint32_t place, RefusedPacket packet);
  // The facility leaves its place, which another may take; what is not told of it yet still will be.
  void depart(std::uint32_t place);

  // What is to be told now, in turns, at most kMostRefusedPackets and kMostRefusedSums. Empty when nothing is due.
  [[nodiscard]] GuardRefusals due(Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

 private:
  static constexpr std::size_t kReasons = static_cast<std::size_t>(Refusal::kCount);
  struct Sort {  // one direction and reason
    std::uint64_t total = 0, told = 0;
    Instant full_at{};  // GCRA: when the allowance, used as it was, is whole again
  };
  struct Entry {
    std::string facility;
    std::array<std::array<Sort, kReasons>, 2> sorts;
    std::vector<RefusedPacket> waiting;
    bool counted = false;  // stands in with_sums_
  };
  Entry& entry_of(std::uint32_t place, const std::string& facility);
  void take_packets(GuardRefusals& told);
  void take_sums(GuardRefusals& told);

  std::vector<std::shared_ptr<Entry>> entries_;
  std::deque<std::shared_ptr<Entry>> with_packets_, with_sums_;  // each entry at most once
  Instant packets_at_{}, sums_at_{};                             // not told again before
};

}  // namespace gateway::core
