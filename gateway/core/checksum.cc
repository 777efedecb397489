#include "gateway/core/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace gateway::core {

std::uint32_t ones_sum(ConstBytes bytes, std::uint32_t sum) {
  // RFC 1071 2 B: summed in the machine's own order, four octets at a time and two chains side by side; turned at the
  // end.
  std::uint64_t one = 0, other = 0;
  std::size_t i = 0;
  for (; i + 16 <= bytes.size(); i += 16) {
    std::array<std::uint32_t, 4> words;
    std::memcpy(words.data(), bytes.data() + i, sizeof words);
    one += std::uint64_t{words[0]} + words[1];
    other += std::uint64_t{words[2]} + words[3];
  }
  std::uint64_t total = one + other;
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  if constexpr (std::endian::native == std::endian::little) total = (total << 8 | total >> 8) & 0xffff;
  total += sum;
  for (; i + 1 < bytes.size(); i += 2) total += load16(bytes, i);
  if (i < bytes.size()) total += static_cast<std::uint32_t>(bytes[i]) << 8;
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint32_t>(total);
}

std::uint16_t finish_sum(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t pseudo_sum(ConstBytes source, ConstBytes destination, std::uint8_t protocol, std::uint32_t length) {
  return ones_sum(source, ones_sum(destination)) + protocol + (length >> 16) + (length & 0xffff);
}

std::uint16_t adjusted(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) {
  // HC' = ~(~HC + ~m + m')
  return finish_sum(static_cast<std::uint16_t>(~checksum) + std::uint32_t{static_cast<std::uint16_t>(~before)} + after);
}

std::uint16_t adjusted(std::uint16_t checksum, ConstBytes before, ConstBytes after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  for (std::size_t i = 0; i + 1 < before.size(); i += 2)
    sum += std::uint32_t{static_cast<std::uint16_t>(~load16(before, i))} + load16(after, i);
  return finish_sum(sum);
}

}  // namespace gateway::core
