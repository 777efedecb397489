// What one client has sent, cut into requests at their blank lines. Octets are wiped when they are done with: a request
// holds keys.
#pragma once

#include <optional>

#include "tunnel/wire/packet.h"
#include "tunnel/wire/secret.h"

namespace tunnel::uapi {

class RequestStream {
 public:
  static constexpr std::size_t kLongest = 16 << 20;  // octets of a request: some 300,000 prefixes

  void add(wire::ConstBytes octets);
  // The next whole request with its blank line; nothing when it is not all there.
  [[nodiscard]] std::optional<wire::WipedOctets> next();
  // All that is there, for who gives up on it.
  [[nodiscard]] wire::WipedOctets take_rest();
  // A whole request waits: next() will give one.
  [[nodiscard]] bool whole() { return end_of_request() != 0; }
  // Octets are there that are no whole request.
  [[nodiscard]] bool begun() { return begin_ < octets_.size() && !whole(); }
  // More than a request may have, and it has not ended.
  [[nodiscard]] bool overlong() { return octets_.size() - begin_ > kLongest && !whole(); }

 private:
  [[nodiscard]] std::size_t end_of_request();
  wire::WipedOctets octets_;
  std::size_t begin_ = 0;    // of octets_: what is before is done with
  std::size_t scanned_ = 0;  // no request that begins at begin_ ends before
};

}  // namespace tunnel::uapi
