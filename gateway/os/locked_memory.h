// Pages for secrets: never swapped, never in a dump, empty in a forked child, a guard page on either side.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "gateway/os/error.h"

namespace gateway::os {

class LockedMemory {
 public:
  LockedMemory() = default;
  [[nodiscard]] static OsResult<LockedMemory> allocate(std::size_t size);
  LockedMemory(LockedMemory&& other) noexcept : octets_(std::exchange(other.octets_, {})) {}
  LockedMemory& operator=(LockedMemory&& other) noexcept;
  ~LockedMemory() { release(); }

  [[nodiscard]] std::span<std::uint8_t> octets() { return octets_; }
  [[nodiscard]] std::span<const std::uint8_t> octets() const { return octets_; }

 private:
  explicit LockedMemory(std::span<std::uint8_t> octets) : octets_(octets) {}
  void release();
  std::span<std::uint8_t> octets_;  // whole pages
};

}  // namespace gateway::os
