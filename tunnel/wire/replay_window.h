// Which numbers of a session were seen (the method of RFC 6479: a ring of words, no shifting). 1 KiB each.
#pragma once

#include <array>
#include <cstdint>

namespace tunnel::wire {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kBits = 8192;
  static constexpr std::uint64_t kSize = kBits - 64;  // one word is always being reused

  // Cheap, before anything is decrypted: `number` is neither seen nor too old.
  [[nodiscard]] bool is_fresh(std::uint64_t number) const {
    if (number > highest_) return true;
    if (highest_ - number > kSize) return false;
    return (words_[(number / 64) % words_.size()] >> (number % 64) & 1) == 0;
  }
  // Marks `number` as seen. False: it is not fresh. Only for authenticated packets.
  [[nodiscard]] bool accept(std::uint64_t number) {
    if (!is_fresh(number)) return false;
    if (number > highest_) advance(number);
    words_[(number / 64) % words_.size()] |= std::uint64_t{1} << (number % 64);
    return true;
  }
  [[nodiscard]] std::uint64_t highest() const { return highest_; }

 private:
  void advance(std::uint64_t number) {
    const std::uint64_t current = highest_ / 64, wanted = number / 64;
    const std::uint64_t steps = wanted - current < words_.size() ? wanted - current : words_.size();
    for (std::uint64_t i = 1; i <= steps; ++i) words_[(current + i) % words_.size()] = 0;
    highest_ = number;
  }
  std::uint64_t highest_ = 0;
  std::array<std::uint64_t, kBits / 64> words_{};
};

}  // namespace tunnel::wire
