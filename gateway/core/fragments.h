// Lends later fragments the transport header of their first, so that the guard judges each of them by the same rule.
// Bounded: per owner (facility and direction) a few datagrams at a time, 30 s each; a flood displaces only its own.
// Not reassembly: the kernel does that. RFC 5722, RFC 3128.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "config/value/instant.h"
#include "gateway/core/inner_packet.h"

namespace gateway::core {

class FragmentTable {
 public:
  static constexpr std::size_t kDatagramsPerOwner = 32;
  static constexpr config::value::Duration kLifetime = std::chrono::seconds(30);

  // A first fragment the guard let pass. kFragmentOverlap when the datagram is already known: a second first fragment.
  [[nodiscard]] Refusal remember(std::uint32_t owner, const InnerPacketView& first, config::value::Instant now);
  // Completes `later.flow` from its first fragment; kUnknownFragment or kFragmentOverlap otherwise.
  [[nodiscard]] Refusal complete(std::uint32_t owner, InnerPacketView& later, config::value::Instant now);
  void forget(std::uint32_t owner);

 private:
  struct Range {
    std::uint32_t begin = 0, end = 0;
  };
  struct Datagram {
    config::value::Instant expires;
    FlowView flow;
    std::uint32_t id = 0;
    bool used = false;
    bool poisoned = false;        // overlap seen: the rest is dropped, RFC 5722 3
    std::array<Range, 8> seen{};  // disjoint; in-order arrival needs one
    std::size_t seen_count = 0;
  };
  using Slots = std::array<Datagram, kDatagramsPerOwner>;
  static Datagram* find(Slots& slots, const InnerPacketView& view, config::value::Instant now);
  static bool add_range(Datagram& datagram, Range range);
  std::vector<std::unique_ptr<Slots>> owners_;  // made when an owner first sends fragments
};

}  // namespace gateway::core
