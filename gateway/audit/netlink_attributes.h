// Netlink attributes as bounded views: every length is checked against what is left before anything is read.
// Layout: struct nlattr of linux/netlink.h, host byte order, padded to 4 octets; the numbers inside are network order.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace gateway::audit {

using Octets = std::span<const std::uint8_t>;

struct Attribute {
  std::uint16_t type = 0;
  Octets value;
};

class AttributeReader {
 public:
  explicit AttributeReader(Octets octets) : left_(octets) {}
  // Empty at the end, and at the first attribute that does not fit (then malformed()).
  [[nodiscard]] std::optional<Attribute> next() {
    if (left_.size() < kHeader) return finish(!left_.empty());
    std::uint16_t length = 0, type = 0;
    std::memcpy(&length, left_.data(), 2);
    std::memcpy(&type, left_.data() + 2, 2);
    if (length < kHeader || length > left_.size()) return finish(true);
    Attribute attribute{static_cast<std::uint16_t>(type & kTypeMask), left_.subspan(kHeader, length - kHeader)};
    const std::size_t padded = (std::size_t{length} + 3) & ~std::size_t{3};
    left_ = left_.subspan(std::min(padded, left_.size()));
    return attribute;
  }
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  static constexpr std::size_t kHeader = 4;
  static constexpr std::uint16_t kTypeMask = 0x3fff;  // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  std::optional<Attribute> finish(bool malformed) {
    malformed_ = malformed;
    left_ = {};
    return std::nullopt;
  }
  Octets left_;
  bool malformed_ = false;
};

// A number in network order that fills `octets` exactly.
template <class T>
[[nodiscard]] std::optional<T> big_endian(Octets octets) {
  if (octets.size() != sizeof(T)) return std::nullopt;
  T value = 0;
  for (const auto octet : octets) value = static_cast<T>((std::uint64_t{value} << 8) | octet);
  return value;
}

// One netlink message: struct nlmsghdr, then struct nfgenmsg, then attributes.
struct NetfilterMessage {
  std::uint16_t type = 0;  // subsystem << 8 | message
  std::uint16_t flags = 0;
  Octets attributes;
};

// Cuts the first message off `datagram`. Empty at the end and when the rest does not hold a whole message.
[[nodiscard]] inline std::optional<NetfilterMessage> next_message(Octets& datagram) {
  constexpr std::size_t kHeader = 16, kNetfilter = 4;
  if (datagram.size() < kHeader) return std::nullopt;
  std::uint32_t length = 0;
  NetfilterMessage message;
  std::memcpy(&length, datagram.data(), 4);
  std::memcpy(&message.type, datagram.data() + 4, 2);
  std::memcpy(&message.flags, datagram.data() + 6, 2);
  if (length < kHeader || length > datagram.size()) return std::nullopt;
  if (length >= kHeader + kNetfilter)
    message.attributes = datagram.subspan(kHeader + kNetfilter, length - kHeader - kNetfilter);
  const std::size_t padded = (std::size_t{length} + 3) & ~std::size_t{3};
  datagram = datagram.subspan(std::min(padded, datagram.size()));
  return message;
}

}  // namespace gateway::audit
