// Octets that must not leak: move-only, wiped at the end and when moved from, no formatter, no comparison.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include <sodium.h>

namespace tunnel::crypto {

template <std::size_t N>
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::span<const std::uint8_t, N> octets) { std::copy(octets.begin(), octets.end(), octets_.begin()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : octets_(other.octets_) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      octets_ = other.octets_;
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  // The octets, for a primitive only; never to be stored or printed.
  [[nodiscard]] std::span<const std::uint8_t, N> expose() const { return octets_; }
  [[nodiscard]] std::span<std::uint8_t, N> fill() { return octets_; }
  // A second copy on purpose (a key used by two owners); the name is there to be seen in review.
  [[nodiscard]] Secret duplicate() const { return Secret(expose()); }
  void wipe() { sodium_memzero(octets_.data(), N); }

 private:
  std::array<std::uint8_t, N> octets_{};
};

}  // namespace tunnel::crypto
