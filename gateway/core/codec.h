// Values <-> octets for the borders between our processes. Little-endian, length-prefixed, no pointers; one description
// (`fields`) serves both directions. Decoding checks every length against what is left and every enum against its
// limit, and must consume everything: a process trusts no other (design 6).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "config/value/address.h"
#include "config/value/ids.h"
#include "config/value/instant.h"
#include "tunnel/wire/secret.h"

namespace gateway::core {

template <class Buffer>
class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}
  static constexpr bool kReads = false;
  // Out of line: inlined, GCC 12 invents an overflow here (-Wstringop-overflow).
  [[gnu::noinline]] void raw(const void* data, std::size_t size) {
    const std::size_t at = out_.size();
    out_.resize(at + size);
    if (size > 0) std::memcpy(out_.data() + at, data, size);
  }
  void fail() {}
  [[nodiscard]] bool good() const { return true; }

 private:
  Buffer& out_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> in) : in_(in) {}
  static constexpr bool kReads = true;
  void raw(void* data, std::size_t size) {
    if (size > in_.size()) return fail();
    if (size == 0) return;  // an empty span may have no address, which memcpy does not take
    std::memcpy(data, in_.data(), size);
    in_ = in_.subspan(size);
  }
  void fail() { good_ = false, in_ = {}; }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t left() const { return in_.size(); }

 private:
  std::span<const std::uint8_t> in_;
  bool good_ = true;
};

// An enum on the border states its highest value: constexpr E limit_of(E) found by argument-dependent look-up,
// or specialise EnumLimit.
template <class E>
struct EnumLimit;

template <class Ar, class T>
void transfer(Ar& ar, T& value);

template <class Ar>
void transfer_length(Ar& ar, std::uint32_t& length, std::size_t least_element) {
  ar.raw(&length, sizeof length);
  if constexpr (Ar::kReads)
    if (!ar.good() || std::size_t{length} * least_element > ar.left()) ar.fail(), length = 0;
}

template <class Ar, class T>
void transfer_elements(Ar& ar, std::vector<T>& values) {
  auto length = static_cast<std::uint32_t>(values.size());
  transfer_length(ar, length, 1);
  if constexpr (Ar::kReads) {
    values.clear();
    values.reserve(std::min<std::size_t>(length, ar.left() / 16));  // a length that lies takes no more than its message
  }
  for (std::uint32_t i = 0; i < length && ar.good(); ++i) {
    if constexpr (Ar::kReads) values.emplace_back();
    transfer(ar, values[i]);
  }
}

template <class Ar>
void transfer_one(Ar& ar, std::string& text) {
  auto length = static_cast<std::uint32_t>(text.size());
  transfer_length(ar, length, 1);
  if constexpr (Ar::kReads) text.resize(length);
  ar.raw(text.data(), text.size());
}

template <class Ar>
void transfer_one(Ar& ar, config::value::IpAddress& address) {
  auto family = static_cast<std::uint8_t>(address.family());
  auto octets = address.storage();
  ar.raw(&family, 1);
  if (family != 4 && family != 6) return ar.fail();
  const std::size_t size = family == 4 ? 4 : 16;
  ar.raw(octets.data(), size);
  if constexpr (Ar::kReads)
    address = family == 4 ? config::value::IpAddress::v4({octets[0], octets[1], octets[2], octets[3]})
                          : config::value::IpAddress::v6(octets);
}

template <class Ar>
void transfer_one(Ar& ar, config::value::Prefix& prefix) {
  auto address = prefix.address();
  auto length = prefix.length();
  transfer_one(ar, address);
  ar.raw(&length, 1);
  if constexpr (Ar::kReads) {
    if (!ar.good() || length > address.bits()) return ar.fail();
    prefix = config::value::Prefix::masked(address, length);
    if (prefix.address() != address) ar.fail();
  }
}

template <class Ar, class Clock>
void transfer_one(Ar& ar, std::chrono::time_point<Clock, config::value::Duration>& time) {
  std::int64_t count = time.time_since_epoch().count();
  ar.raw(&count, sizeof count);
  if constexpr (Ar::kReads)
    time = std::chrono::time_point<Clock, config::value::Duration>(config::value::Duration(count));
}

template <class Ar, std::size_t N>
void transfer_one(Ar& ar, tunnel::wire::Secret<N>& secret) {
  ar.raw(secret.fill().data(), N);
}

template <class Ar>
void transfer_one(Ar& ar, tunnel::wire::WipedOctets& octets) {
  auto length = static_cast<std::uint32_t>(octets.size());
  transfer_length(ar, length, 1);
  if constexpr (Ar::kReads) octets.resize(length);
  ar.raw(octets.data(), octets.size());
}

template <class Ar, class T>
void transfer_one(Ar& ar, std::vector<T>& values) {
  transfer_elements(ar, values);
}

template <class Ar, class T, std::size_t N>
void transfer_one(Ar& ar, std::array<T, N>& values) {
  for (auto& value : values) transfer(ar, value);
}

template <class Ar, class T>
void transfer_one(Ar& ar, std::optional<T>& value) {
  std::uint8_t present = value.has_value();
  ar.raw(&present, 1);
  if (present > 1) return ar.fail();
  if constexpr (Ar::kReads) value = present ? std::optional<T>(T{}) : std::nullopt;
  if (present && ar.good()) transfer(ar, *value);
}

template <class Ar, class T>
concept HasFields = requires(Ar& ar, T& value) { fields(ar, value); };

template <class Ar, class T>
void transfer(Ar& ar, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    std::uint8_t octet = value;
    ar.raw(&octet, 1);
    if (octet > 1) return ar.fail();
    value = octet == 1;
  } else if constexpr (std::is_integral_v<T>) {
    ar.raw(&value, sizeof value);
  } else if constexpr (std::is_enum_v<T>) {
    auto number = static_cast<std::underlying_type_t<T>>(value);
    ar.raw(&number, sizeof number);
    if (!EnumLimit<T>::valid(number)) return ar.fail();
    value = static_cast<T>(number);
  } else if constexpr (HasFields<Ar, T>) {
    fields(ar, value);
  } else {
    transfer_one(ar, value);
  }
}

template <class Ar, class... Ts>
void transfer_all(Ar& ar, Ts&... values) {
  (transfer(ar, values), ...);
}

// Buffer: tunnel::wire::WipedOctets where the value may hold a secret.
template <class Buffer = std::vector<std::uint8_t>, class T>
[[nodiscard]] Buffer encode(const T& value) {
  Buffer out;
  Writer writer(out);
  transfer(writer, const_cast<T&>(value));  // a Writer never writes to the value
  return out;
}

template <class T>
[[nodiscard]] std::optional<T> decode(std::span<const std::uint8_t> octets) {
  T value{};
  Reader reader(octets);
  transfer(reader, value);
  if (!reader.good() || reader.left() != 0) return std::nullopt;
  return value;
}

}  // namespace gateway::core
