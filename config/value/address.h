// IP addresses, prefixes and socket addresses, IPv4 and IPv6 alike. Values: compare, hash, parse, print.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "config/value/result.h"

namespace config::value {

enum class Family : std::uint8_t { kV4 = 4, kV6 = 6 };

class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  // Four octets in network order.
  static constexpr IpAddress v4(std::array<std::uint8_t, 4> octets) {
    IpAddress a;
    for (std::size_t i = 0; i < 4; ++i) a.octets_[i] = octets[i];
    return a;
  }
  static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& octets) {
    IpAddress a;
    a.family_ = Family::kV6;
    a.octets_ = octets;
    return a;
  }
  // Dotted quad or RFC 4291 text. The error is a sentence for a person.
  [[nodiscard]] static Result<IpAddress, std::string> parse(std::string_view text);

  [[nodiscard]] constexpr Family family() const { return family_; }
  [[nodiscard]] constexpr bool is_v4() const { return family_ == Family::kV4; }
  [[nodiscard]] constexpr std::uint8_t bits() const { return is_v4() ? 32 : 128; }
  // 4 or 16 octets, network order.
  [[nodiscard]] std::span<const std::uint8_t> octets() const { return {octets_.data(), is_v4() ? 4u : 16u}; }
  [[nodiscard]] constexpr const std::array<std::uint8_t, 16>& storage() const { return octets_; }
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_link_local() const;
  [[nodiscard]] bool is_unspecified() const;
  // RFC 5952 for IPv6.
  [[nodiscard]] std::string to_string() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::kV4;
  std::array<std::uint8_t, 16> octets_{};  // IPv4 in the first four, the rest zero
};

// A network: host bits are always zero (the factory refuses or masks them).
class Prefix {
 public:
  constexpr Prefix() = default;
  // Zeroes the host bits. `length` above the family's bits is clamped.
  [[nodiscard]] static Prefix masked(const IpAddress& address, std::uint8_t length);
  [[nodiscard]] static Prefix host(const IpAddress& address) { return masked(address, address.bits()); }
  // "10.1.0.0/24", "2001:db8::/32", or a bare address (then a host). Host bits set: an error that names the right text.
  [[nodiscard]] static Result<Prefix, std::string> parse(std::string_view text);

  [[nodiscard]] constexpr const IpAddress& address() const { return address_; }
  [[nodiscard]] constexpr std::uint8_t length() const { return length_; }
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool contains(const Prefix& inner) const;
  [[nodiscard]] bool overlaps(const Prefix& other) const;
  [[nodiscard]] bool is_host() const { return length_ == address_.bits(); }
  // Always with the length: "10.1.0.0/24", "10.80.0.10/32".
  [[nodiscard]] std::string to_string() const;

  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;

 private:
  IpAddress address_;
  std::uint8_t length_ = 0;
};

// `address` of `from`, moved to the same host number in `to`. Both prefixes have one length and contain / receive it.
[[nodiscard]] IpAddress translate(const IpAddress& address, const Prefix& from, const Prefix& to);

struct SocketAddress {
  IpAddress address;
  std::uint16_t port = 0;  // host order

  // "198.51.100.7:51820" or "[2001:db8::1]:51820".
  [[nodiscard]] static Result<SocketAddress, std::string> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend constexpr auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

struct AddressHash {  // not for keys an attacker may choose without a bound on their number
  std::size_t operator()(const IpAddress& a) const noexcept;
  std::size_t operator()(const SocketAddress& a) const noexcept;
};

}  // namespace config::value
