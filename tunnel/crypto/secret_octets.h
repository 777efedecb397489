// Secret<N> for lengths known only at run time (keys of a negotiated algorithm): move-only, wiped, no formatter, no
// comparison.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <sodium.h>

namespace tunnel::crypto {

class SecretOctets {
 public:
  SecretOctets() = default;
  explicit SecretOctets(std::size_t size) : octets_(size) {}
  explicit SecretOctets(std::span<const std::uint8_t> octets) : octets_(octets.begin(), octets.end()) {}
  SecretOctets(const SecretOctets&) = delete;
  SecretOctets& operator=(const SecretOctets&) = delete;
  SecretOctets(SecretOctets&& other) noexcept : octets_(std::exchange(other.octets_, {})) {}
  SecretOctets& operator=(SecretOctets&& other) noexcept {
    if (this != &other) {
      wipe();
      octets_ = std::exchange(other.octets_, {});
    }
    return *this;
  }
  ~SecretOctets() { wipe(); }

  [[nodiscard]] std::span<const std::uint8_t> expose() const { return octets_; }
  [[nodiscard]] std::span<std::uint8_t> fill() { return octets_; }
  [[nodiscard]] std::size_t size() const { return octets_.size(); }
  [[nodiscard]] bool empty() const { return octets_.empty(); }
  // A second copy on purpose; the name is there to be seen in review.
  [[nodiscard]] SecretOctets duplicate() const { return SecretOctets(expose()); }
  void wipe() {
    if (!octets_.empty()) sodium_memzero(octets_.data(), octets_.size());
  }

 private:
  std::vector<std::uint8_t> octets_;  // never grows: a reallocation would leave a copy behind
};

}  // namespace tunnel::crypto
