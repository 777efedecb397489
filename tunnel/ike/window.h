// Message IDs, retransmission and kept answers of one IKE SA (RFC 7296 2.1-2.3). Both windows have size 1, the RFC's
// default: one request of ours is outstanding, one of the peer's is expected. Only whole, authenticated messages move
// a window.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "tunnel/wire/packet.h"

namespace tunnel::ike {

inline constexpr wire::Instant kNever = wire::Instant::max();

// One message as it goes out: several datagrams when it is fragmented (RFC 7383). Without the non-ESP marker.
using Datagrams = std::vector<std::vector<std::uint8_t>>;

// RFC 7296 2.4: at least a dozen times over several minutes. The defaults give up after 3.5 minutes.
struct Backoff {
  wire::Duration first = std::chrono::milliseconds(500);
  wire::Duration longest = std::chrono::seconds(40);
  std::uint32_t tries = 12;  // retransmissions after the first sending
  // How long to wait after sending number `sent` (0: the first); each step is 1.6 times the one before.
  [[nodiscard]] wire::Duration wait(std::uint32_t sent) const;
  friend bool operator==(const Backoff&, const Backoff&) = default;
};

class OurRequests {
 public:
  enum class Due : std::uint8_t { kNothing, kResend, kGiveUp };

  [[nodiscard]] std::uint32_t next_id() const { return next_id_; }
  [[nodiscard]] bool outstanding() const { return !kept_.empty(); }
  // RFC 7296 2.2: IDs never wrap; the SA is replaced or closed long before.
  [[nodiscard]] bool exhausted() const { return next_id_ >= UINT32_MAX - 1; }
  [[nodiscard]] bool awaits(std::uint32_t id) const { return outstanding() && id == next_id_; }
  // A request with next_id() goes out now, or is put in place of one with the same ID (a cookie was added, RFC 7296
  // 2.6).
  void sent(Datagrams request, wire::Instant now, const Backoff& backoff);
  [[nodiscard]] const Datagrams& kept() const { return kept_; }
  void answered();  // and accepted
  // kResend counts as sent.
  [[nodiscard]] Due on_deadline(wire::Instant now, const Backoff& backoff);
  [[nodiscard]] wire::Instant deadline() const { return deadline_; }
  [[nodiscard]] std::uint32_t retransmissions() const { return retransmissions_; }
  void skip_first() { next_id_ = 1; }  // the IKE_SA_INIT exchange had ID 0

 private:
  std::uint32_t next_id_ = 0;
  std::uint32_t retransmissions_ = 0;
  wire::Instant deadline_ = kNever;
  Datagrams kept_;
};

// What a request is recognised by when it comes again: it must be the same octets (RFC 7296 2.1).
using Digest = std::array<std::uint8_t, 16>;
[[nodiscard]] Digest digest_of(wire::ConstBytes datagram);

class PeerRequests {
 public:
  enum class Verdict : std::uint8_t {
    kNew,
    kRepeated,  // the very octets that were answered last
    kOldId,     // the ID answered last with other octets: the peer may have cut the message anew (RFC 7383 2.5.2)
    kOutside,
  };

  [[nodiscard]] std::uint32_t expected_id() const { return expected_id_; }
  // Only an authenticated message may act on anything but kRepeated.
  [[nodiscard]] Verdict judge(std::uint32_t id, wire::ConstBytes datagram) const;
  // `request`: of the request's first datagram.
  void answered(const Digest& request, Datagrams answer);
  [[nodiscard]] const Datagrams& kept() const { return kept_; }
  void skip_first() { expected_id_ = 1; }

 private:
  std::uint32_t expected_id_ = 0;
  std::optional<Digest> last_;
  Datagrams kept_;
};

}  // namespace tunnel::ike
