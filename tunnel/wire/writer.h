// Bounded writing into a buffer of known size. Running over is our own mistake, never the peer's: it aborts.
#pragma once

#include <algorithm>

#include "tunnel/wire/packet.h"
#include "tunnel/wire/require.h"

namespace tunnel::wire {

class Writer {
 public:
  explicit Writer(Bytes buffer) : buffer_(buffer) {}

  // The next `count` octets, to be filled by the caller.
  [[nodiscard]] Bytes reserve(std::size_t count) {
    require(count <= buffer_.size() - used_);
    const Bytes taken = buffer_.subspan(used_, count);
    used_ += count;
    return taken;
  }
  // std::copy, not std::ranges::copy: of spans, GCC 12 makes an octet-by-octet loop of the latter (1 us a packet).
  // Nothing is moved that stands there already.
  void octets(ConstBytes bytes) {
    const Bytes to = reserve(bytes.size());
    if (to.data() != bytes.data()) std::copy(bytes.begin(), bytes.end(), to.begin());
  }
  void u8(std::uint8_t value) { reserve(1)[0] = value; }
  void u32_le(std::uint32_t value) { little_endian(value, 4); }
  void u64_le(std::uint64_t value) { little_endian(value, 8); }
  void u16_be(std::uint16_t value) { big_endian(value, 2); }
  void u32_be(std::uint32_t value) { big_endian(value, 4); }
  void u64_be(std::uint64_t value) { big_endian(value, 8); }
  void zeros(std::size_t count) { std::ranges::fill(reserve(count), std::uint8_t{0}); }

  [[nodiscard]] Bytes written() const { return buffer_.first(used_); }
  [[nodiscard]] std::size_t size() const { return used_; }

 private:
  void little_endian(std::uint64_t value, std::size_t count) {
    for (std::uint8_t& octet : reserve(count)) octet = static_cast<std::uint8_t>(value), value >>= 8;
  }
  void big_endian(std::uint64_t value, std::size_t count) {
    for (std::uint8_t& octet : reserve(count)) octet = static_cast<std::uint8_t>(value >> (8 * --count));
  }
  Bytes buffer_;
  std::size_t used_ = 0;
};

}  // namespace tunnel::wire
