// Which counters of a session were seen (WireGuard 5.4.6; the method of RFC 6479: a ring of words, no shifting).
#pragma once

#include <array>
#include <cstdint>

#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kBits = 8192;
  static constexpr std::uint64_t kSize = kBits - 64;  // one word is always being reused

  // Marks `counter` as seen. False: seen before, too old, or at or past kRejectAfterMessages. Only for authenticated
  // packets.
  [[nodiscard]] bool accept(std::uint64_t counter) {
    if (counter >= kRejectAfterMessages) return false;
    if (counter < highest_ && highest_ - counter > kSize) return false;
    if (counter > highest_) advance(counter);
    std::uint64_t& word = words_[(counter / 64) % words_.size()];
    const std::uint64_t bit = std::uint64_t{1} << (counter % 64);
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }

 private:
  void advance(std::uint64_t counter) {
    const std::uint64_t current = highest_ / 64, wanted = counter / 64;
    const std::uint64_t steps = wanted - current < words_.size() ? wanted - current : words_.size();
    for (std::uint64_t i = 1; i <= steps; ++i) words_[(current + i) % words_.size()] = 0;
    highest_ = counter;
  }
  std::uint64_t highest_ = 0;
  std::array<std::uint64_t, kBits / 64> words_{};
};

}  // namespace tunnel::wireguard
