// Who may begin an IKE SA with us (RFC 7296 2.6, RFC 8019 4 without puzzles): half-open SAs are counted in total, for
// each source and for each network of sources; under pressure a cookie is demanded and half-open ones live shorter.
// Everything here is bounded. Sources: an IPv4 address or an IPv6 /64; networks: /24 or /48.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "tunnel/crypto/rng.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

struct AdmissionLimits {
  std::size_t cookies_from = 30;         // half-open in total: from then on a cookie is demanded
  std::size_t cookies_from_source = 3;   // or of one source
  std::uint32_t cookies_from_rate = 50;  // or first messages in this second, from anywhere
  std::size_t most = 1024;               // half-open in total: beyond, even a good cookie has to wait
  std::size_t most_of_source = 5;
  std::size_t most_of_network = 50;
  std::uint32_t work = 1000;          // units accepted a second, from all together (work.h)
  std::uint32_t rate_of_source = 20;  // accepted a second, also when each one failed at once
  wire::Duration lifetime = std::chrono::seconds(30);
  wire::Duration lifetime_loaded = std::chrono::seconds(5);
};

class Admission {
 public:
  enum class Verdict : std::uint8_t { kAccept, kAskCookie, kRefuse };

  Admission(const AdmissionLimits& limits, crypto::Rng& rng);
  // A well-formed first message came. `proven`: with a good cookie. `work`: of its key exchange (work.h). kAccept
  // counts it until `closed`.
  [[nodiscard]] Verdict judge(const wire::IpAddress& source, bool proven, wire::Instant now, std::uint32_t work = 1);
  // A counted one was authenticated, failed or expired.
  void closed(const wire::IpAddress& source);
  [[nodiscard]] wire::Duration lifetime() const { return loaded() ? limits_.lifetime_loaded : limits_.lifetime; }
  [[nodiscard]] bool loaded() const { return half_open_ >= limits_.cookies_from; }
  [[nodiscard]] std::size_t half_open() const { return half_open_; }
  [[nodiscard]] std::size_t remembered() const { return counts_.size() + accepted_.size(); }

 private:
  struct Hasher {  // SipHash: sources are chosen by strangers
    static Hasher keyed(crypto::Rng& rng);
    std::size_t operator()(const wire::Prefix& prefix) const noexcept;
    std::array<std::uint8_t, 16> key{};
  };
  using Counts = std::unordered_map<wire::Prefix, std::uint32_t, Hasher>;
  [[nodiscard]] bool pressed(const wire::Prefix& source) const;
  void begin_second(wire::Instant now);
  static std::size_t of(const Counts& counts, const wire::Prefix& prefix);
  static void lower(Counts& counts, const wire::Prefix& prefix);

  AdmissionLimits limits_;
  std::size_t half_open_ = 0;
  Counts counts_;    // half-open of sources and of networks (their lengths differ); bounded by `most`
  Counts accepted_;  // of sources in this second; bounded by `work`, of which each has some
  std::optional<wire::Instant> second_;
  std::uint32_t worked_ = 0;                  // units in this second
  std::uint32_t seen_ = 0, seen_before_ = 0;  // first messages in this second and in the one before
};

}  // namespace tunnel::ike
