// Text forms of addresses and prefixes: RFC 4291 2.2 in, RFC 5952 out. Own code, not inet_pton: the pure floors
// include no socket header, and a refusal must say what is wrong.
#include "config/value/address.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace config::value {
namespace {

std::unexpected<std::string> wrong(std::string_view text, std::string_view why) {
  return std::unexpected(fmt::format("\"{}\" is not an IP address: {}", text, why));
}

// Decimal without sign or leading zero (a leading zero reads as octal elsewhere).
std::optional<unsigned> decimal(std::string_view text, unsigned highest) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > highest) return std::nullopt;
  return number;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<std::array<std::uint8_t, 4>> quad(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::array<std::uint8_t, 4> octets{};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto number = decimal(parts[i], 255);
    if (!number) return std::nullopt;
    octets[i] = static_cast<std::uint8_t>(*number);
  }
  return octets;
}

// One side of "::": groups of 16 bits, the very last may be a dotted quad (RFC 4291 2.2, form 3).
std::optional<std::vector<std::uint8_t>> groups(std::string_view text, bool may_end_in_quad) {
  std::vector<std::uint8_t> octets;
  if (text.empty()) return octets;
  const auto parts = split(text, ':');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = parts[i];
    if (may_end_in_quad && i + 1 == parts.size() && part.find('.') != std::string_view::npos) {
      const auto tail = quad(part);
      if (!tail) return std::nullopt;
      octets.insert(octets.end(), tail->begin(), tail->end());
      continue;
    }
    unsigned number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number, 16);
    if (part.empty() || part.size() > 4 || error != std::errc{} || end != part.data() + part.size())
      return std::nullopt;
    octets.push_back(static_cast<std::uint8_t>(number >> 8));
    octets.push_back(static_cast<std::uint8_t>(number & 0xff));
  }
  return octets;
}

Result<IpAddress, std::string> parse_v6(std::string_view text) {
  std::array<std::uint8_t, 16> all{};
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto whole = groups(text, true);
    if (!whole || whole->size() != 16) return wrong(text, "IPv6 has eight groups of up to four hexadecimal digits");
    std::copy(whole->begin(), whole->end(), all.begin());
    return IpAddress::v6(all);
  }
  if (text.find("::", gap + 1) != std::string_view::npos) return wrong(text, "\"::\" may stand only once");
  const auto head = groups(text.substr(0, gap), false);
  const auto tail = groups(text.substr(gap + 2), true);
  if (!head || !tail) return wrong(text, "a group is not one to four hexadecimal digits");
  if (head->size() + tail->size() > 14) return wrong(text, "too many groups beside \"::\"");
  std::copy(head->begin(), head->end(), all.begin());
  std::copy(tail->rbegin(), tail->rend(), all.rbegin());
  return IpAddress::v6(all);
}

// RFC 5952 4.2: the longest run of two or more zero groups, the first of equals.
struct ZeroRun {
  std::size_t start = 8;
  std::size_t length = 1;
};

ZeroRun longest_zero_run(const std::array<unsigned, 8>& words) {
  ZeroRun best;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t n = 0;
    while (i + n < 8 && words[i + n] == 0) ++n;
    if (n > best.length) best = {i, n};
  }
  return best;
}

std::string v6_text(const std::array<std::uint8_t, 16>& octets) {
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), octets.begin()))  // RFC 5952 5
    return fmt::format("::ffff:{}.{}.{}.{}", octets[12], octets[13], octets[14], octets[15]);
  std::array<unsigned, 8> words{};
  for (std::size_t i = 0; i < 8; ++i) words[i] = static_cast<unsigned>(octets[2 * i] << 8 | octets[2 * i + 1]);
  const auto run = longest_zero_run(words);
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == run.start) {
      out += "::";
      i += run.length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    fmt::format_to(std::back_inserter(out), "{:x}", words[i]);
  }
  return out;
}

// Mask of octet `index` for a prefix length.
constexpr std::uint8_t mask_octet(std::size_t index, std::uint8_t length) {
  const std::size_t before = index * 8;
  if (length >= before + 8) return 0xff;
  if (length <= before) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (length - before)));
}

}  // namespace

Result<IpAddress, std::string> IpAddress::parse(std::string_view text) {
  if (text.empty()) return wrong(text, "it is empty");
  if (text.size() > 45) return wrong(text.substr(0, 45), "it is too long");
  if (text.find('%') != std::string_view::npos) return wrong(text, "a zone (\"%...\") cannot be given");
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  const auto octets = quad(text);
  if (!octets) return wrong(text, "IPv4 has four numbers 0 to 255 without leading zeros, as 192.0.2.1");
  return IpAddress::v4(*octets);
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (octets_[0] & 0xf0) == 0xe0 : octets_[0] == 0xff;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return octets_[0] == 127;
  return octets_[15] == 1 && std::all_of(octets_.begin(), octets_.end() - 1, [](auto o) { return o == 0; });
}

bool IpAddress::is_link_local() const {
  return is_v4() ? octets_[0] == 169 && octets_[1] == 254 : octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(octets_.begin(), octets_.end(), [](auto o) { return o == 0; });
}

std::string IpAddress::to_string() const {
  if (is_v4()) return fmt::format("{}.{}.{}.{}", octets_[0], octets_[1], octets_[2], octets_[3]);
  return v6_text(octets_);
}

Prefix Prefix::masked(const IpAddress& address, std::uint8_t length) {
  Prefix p;
  p.length_ = std::min(length, address.bits());
  auto octets = address.storage();
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] &= mask_octet(i, p.length_);
  p.address_ = address.is_v4() ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
  return p;
}

Result<Prefix, std::string> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = TRY(IpAddress::parse(text.substr(0, slash)));
  if (slash == std::string_view::npos) return host(address);
  const auto length = decimal(text.substr(slash + 1), address.bits());
  if (!length)
    return std::unexpected(fmt::format("\"{}\" is not a prefix: the length after \"/\" is a number 0 to {}",
                                       text.substr(0, 64), address.bits()));
  const auto prefix = masked(address, static_cast<std::uint8_t>(*length));
  if (prefix.address() != address)
    return std::unexpected(fmt::format("\"{}\" has host bits set; the network is \"{}\"", text, prefix.to_string()));
  return prefix;
}

bool Prefix::contains(const IpAddress& address) const {
  if (address.family() != address_.family()) return false;
  const auto& theirs = address.storage();
  const auto& ours = address_.storage();
  for (std::size_t i = 0; i * 8 < length_; ++i)
    if ((theirs[i] & mask_octet(i, length_)) != ours[i]) return false;
  return true;
}

bool Prefix::contains(const Prefix& inner) const {
  return inner.length_ >= length_ && contains(inner.address_);
}

bool Prefix::overlaps(const Prefix& other) const {
  return contains(other) || other.contains(*this);
}

std::string Prefix::to_string() const {
  return fmt::format("{}/{}", address_.to_string(), length_);
}

IpAddress translate(const IpAddress& address, const Prefix& from, const Prefix& to) {
  auto octets = address.storage();
  const auto& network = to.address().storage();
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const auto mask = mask_octet(i, from.length());
    octets[i] = static_cast<std::uint8_t>((network[i] & mask) | (octets[i] & ~mask));
  }
  return address.is_v4() ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
}

Result<SocketAddress, std::string> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.size() > 64)
    return std::unexpected(
        fmt::format("\"{}\" is not an address with a port, as 198.51.100.7:51820", text.substr(0, 64)));
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = TRY(IpAddress::parse(host));
  if (address.is_v4() == bracketed)
    return std::unexpected(fmt::format("\"{}\": only IPv6, and always, stands in brackets before the port, as {}", text,
                                       "[2001:db8::1]:51820"));
  const auto port = decimal(text.substr(colon + 1), 65535);
  if (!port || *port == 0) return std::unexpected(fmt::format("\"{}\": the port is a number 1 to 65535", text));
  return SocketAddress{address, static_cast<std::uint16_t>(*port)};
}

std::string SocketAddress::to_string() const {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

std::size_t AddressHash::operator()(const IpAddress& a) const noexcept {
  std::uint64_t h = 0xcbf29ce484222325u ^ static_cast<std::uint64_t>(a.family());  // FNV-1a
  for (const auto octet : a.octets()) h = (h ^ octet) * 0x100000001b3u;
  return static_cast<std::size_t>(h ^ (h >> 32));
}

std::size_t AddressHash::operator()(const SocketAddress& a) const noexcept {
  const std::uint64_t h = ((*this)(a.address) ^ a.port) * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>(h ^ (h >> 29));
}

}  // namespace config::value
