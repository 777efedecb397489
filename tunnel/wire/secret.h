// Octets that must not leak: move-only, wiped at the end and when moved from, no formatter, no comparison. Here and not
// in tunnel/crypto, because requests to keyd and their answers carry them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <sodium.h>

namespace tunnel::wire {

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

// Wipes what it gives back, so that a buffer that grew or was thrown away leaves no copy of a secret behind.
template <class T, class Source = std::allocator<T>>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U, class Other>
  WipingAllocator(const WipingAllocator<U, Other>&) {}
  template <class U>
  struct rebind {
    using other = WipingAllocator<U, typename std::allocator_traits<Source>::template rebind_alloc<U>>;
  };
  [[nodiscard]] T* allocate(std::size_t count) { return Source().allocate(count); }
  void deallocate(T* octets, std::size_t count) {
    sodium_memzero(octets, count * sizeof(T));
    Source().deallocate(octets, count);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};
// A message that may hold secrets, on its way between processes.
using WipedOctets = std::vector<std::uint8_t, WipingAllocator<std::uint8_t>>;

}  // namespace tunnel::wire
