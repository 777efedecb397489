#include "tunnel/uapi/request_stream.h"

namespace tunnel::uapi {

void RequestStream::add(wire::ConstBytes octets) {
  if (begin_ > 0) {
    wire::WipedOctets rest(octets_.begin() + static_cast<std::ptrdiff_t>(begin_), octets_.end());
    octets_ = std::move(rest);
    scanned_ -= begin_, begin_ = 0;
  }
  octets_.insert(octets_.end(), octets.begin(), octets.end());
}

// Where the first request ends, behind its blank line; 0 when it has not ended. Each octet is looked at once.
std::size_t RequestStream::end_of_request() {
  // A blank line where the operation belongs is a request too, one that is refused.
  if (begin_ < octets_.size() && octets_[begin_] == '\n') return begin_ + 1;
  for (; scanned_ + 1 < octets_.size(); ++scanned_)
    if (octets_[scanned_] == '\n' && octets_[scanned_ + 1] == '\n') return scanned_ + 2;
  return 0;
}

std::optional<wire::WipedOctets> RequestStream::next() {
  const std::size_t end = end_of_request();
  if (end == 0) return std::nullopt;
  wire::WipedOctets request(octets_.begin() + static_cast<std::ptrdiff_t>(begin_),
                            octets_.begin() + static_cast<std::ptrdiff_t>(end));
  begin_ = scanned_ = end;
  if (begin_ == octets_.size()) octets_ = {}, begin_ = scanned_ = 0;  // and so wiped
  return request;
}

wire::WipedOctets RequestStream::take_rest() {
  wire::WipedOctets rest(octets_.begin() + static_cast<std::ptrdiff_t>(begin_), octets_.end());
  octets_ = {}, begin_ = scanned_ = 0;
  return rest;
}

}  // namespace tunnel::uapi
