// Bounded reading of received octets: a read past the end gives nothing and marks the reader bad, once and for all.
#pragma once

#include <algorithm>
#include <array>

#include "tunnel/wire/packet.h"

namespace tunnel::wire {

class Reader {
 public:
  explicit Reader(ConstBytes bytes) : rest_(bytes) {}

  // The next `count` octets; empty (and bad) when there are fewer.
  [[nodiscard]] ConstBytes take(std::size_t count) {
    if (count > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const ConstBytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  template <std::size_t N>
  [[nodiscard]] std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> value{};
    std::ranges::copy(take(N), value.begin());
    return value;
  }
  [[nodiscard]] std::uint8_t u8() { return array<1>()[0]; }
  [[nodiscard]] std::uint16_t u16_be() { return static_cast<std::uint16_t>(big_endian<2>()); }
  [[nodiscard]] std::uint32_t u32_be() { return static_cast<std::uint32_t>(big_endian<4>()); }
  [[nodiscard]] std::uint64_t u64_be() { return big_endian<8>(); }
  [[nodiscard]] std::uint32_t u32_le() { return static_cast<std::uint32_t>(little_endian<4>()); }
  [[nodiscard]] std::uint64_t u64_le() { return little_endian<8>(); }
  void skip(std::size_t count) { static_cast<void>(take(count)); }

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] ConstBytes rest() const { return rest_; }
  // Everything was read and nothing was missing.
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

 private:
  template <std::size_t N>
  std::uint64_t big_endian() {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : array<N>()) value = value << 8 | octet;
    return value;
  }
  template <std::size_t N>
  std::uint64_t little_endian() {
    const auto octets = array<N>();
    std::uint64_t value = 0;
    for (std::size_t i = N; i-- > 0;) value = value << 8 | octets[i];
    return value;
  }
  ConstBytes rest_;
  bool good_ = true;
};

}  // namespace tunnel::wire
