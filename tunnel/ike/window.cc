// Nothing here looks into a message.
#include "tunnel/ike/window.h"

#include <algorithm>

#include <sodium.h>

#include "tunnel/wire/require.h"

namespace tunnel::ike {

wire::Duration Backoff::wait(std::uint32_t sent) const {
  wire::Duration step = first;
  for (std::uint32_t i = 0; i < sent && step < longest; ++i) step = step * 8 / 5;
  return std::min(step, longest);
}

void OurRequests::sent(Datagrams request, wire::Instant now, const Backoff& backoff) {
  wire::require(!request.empty());
  kept_ = std::move(request);
  retransmissions_ = 0;
  deadline_ = now + backoff.wait(0);
}

void OurRequests::answered() {
  wire::require(outstanding());
  kept_.clear();
  deadline_ = kNever;
  ++next_id_;
}

// RFC 7296 2.4.
OurRequests::Due OurRequests::on_deadline(wire::Instant now, const Backoff& backoff) {
  if (!outstanding() || now < deadline_) return Due::kNothing;
  if (retransmissions_ >= backoff.tries) {
    deadline_ = kNever;
    return Due::kGiveUp;
  }
  deadline_ = now + backoff.wait(++retransmissions_);
  return Due::kResend;
}

Digest digest_of(wire::ConstBytes datagram) {
  Digest digest{};
  crypto_generichash(digest.data(), digest.size(), datagram.data(), datagram.size(), nullptr, 0);
  return digest;
}

// RFC 7296 2.1: a repeated request brings the kept answer and changes nothing.
PeerRequests::Verdict PeerRequests::judge(std::uint32_t id, wire::ConstBytes datagram) const {
  if (id == expected_id_ && expected_id_ != UINT32_MAX) return Verdict::kNew;
  if (!last_ || id != expected_id_ - 1) return Verdict::kOutside;
  return digest_of(datagram) == *last_ ? Verdict::kRepeated : Verdict::kOldId;
}

void PeerRequests::answered(const Digest& request, Datagrams answer) {
  last_ = request;
  kept_ = std::move(answer);
  ++expected_id_;
}

}  // namespace tunnel::ike
