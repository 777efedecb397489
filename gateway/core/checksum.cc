// Plain loops: at most 40 octets in the data path.
#include "gateway/core/checksum.h"

namespace gateway::core {

std::uint32_t ones_sum(ConstBytes bytes, std::uint32_t sum) {
  std::uint64_t total = sum;
  std::size_t i = 0;
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
