// Messages in several datagrams (RFC 7383). Each fragment is authenticated before it is kept, so a stranger can neither
// fill the memory nor spoil a message; the peer itself is bounded by count and size.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tunnel/ike/encrypted.h"

namespace tunnel::ike {

inline constexpr std::size_t kMaximumFragments = 64;
inline constexpr std::size_t kMaximumJoined = 65536;  // octets of content

// The whole message in one datagram when it fits into `limit` octets, else in fragments of at most `limit`. Without a
// limit (the peer does not do RFC 7383) always one. Nothing when more than kMaximumFragments would be needed or one
// message does not hold it.
[[nodiscard]] std::optional<std::vector<std::vector<std::uint8_t>>> seal_message(const Header& header,
                                                                                 const Content& content,
                                                                                 std::optional<std::size_t> limit,
                                                                                 SendingCipher& sender,
                                                                                 crypto::Rng& rng);

// The fragments of one message at a time.
class Joiner {
 public:
  enum class Step : std::uint8_t { kIgnored, kKept, kComplete };

  // RFC 7383 2.6: whether this one may be of use; asked before the work of opening it.
  [[nodiscard]] bool wants(std::uint32_t message_id, const FragmentHeader& fragment) const;
  // Of a fragment that was opened. A fragment of another message, or one with a larger total (the peer cut anew),
  // begins afresh. On kComplete `content` is the message's.
  [[nodiscard]] Step add(std::uint32_t message_id, const Opened& opened);
  [[nodiscard]] Content content() const { return {first_, joined_}; }
  void clear();
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  void join();
  std::uint32_t message_id_ = 0;
  std::uint16_t total_ = 0;  // 0: nothing under way
  std::size_t kept_ = 0, octets_ = 0;
  PayloadType first_ = PayloadType::kNone;
  std::vector<std::optional<std::vector<std::uint8_t>>> pieces_;
  std::vector<std::uint8_t> joined_;
};

}  // namespace tunnel::ike
