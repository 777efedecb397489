// Randomness is an argument, so that tests repeat and collisions can be scripted.
#pragma once

#include <cstdint>
#include <span>

namespace tunnel::crypto {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  // Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) {
    for (;;) {  // rejection keeps it uniform; expected rounds < 2
      std::uint32_t value = 0;
      fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
      if (value < (UINT32_MAX / bound) * bound) return value % bound;
    }
  }
};

}  // namespace tunnel::crypto
