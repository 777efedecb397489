// Lends later fragments the transport header of their first, so that the guard judges each of them by the same rule.
// Not reassembly: the kernel does that, in a queue that all share (4 MiB a family, net.ipv4.ipfrag_high_thresh and its
// IPv6 kin; full, it drops the fragments of everybody), so this table also bounds what one owner (facility and
// direction) may leave unfinished there: at most an eighth of it, whatever is sent. RFC 5722, RFC 3128.
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
  // Begun and neither finished nor given up by the kernel. Honest fragments come back to back, so what is unfinished is
  // what the network lost: 16 in 30 s.
  static constexpr std::size_t kDatagramsPerOwner = 16;
  // Kernel memory of their fragments, by the upper bound of memory_of(): two whole datagrams of 64 KiB at a time, and
  // 4 MiB / 512 KiB = 8 owners that do their worst together to fill the queue.
  static constexpr std::size_t kMemoryPerOwner = 512 * 1024;
  // How long the kernel waits for the rest: net.ipv4.ipfrag_time; nf_conntrack_frag6_timeout.
  static constexpr config::value::Duration kLifetime = std::chrono::seconds(30);
  static constexpr config::value::Duration kLifetimeV6 = std::chrono::seconds(60);
  // What the kernel books for one fragment (skb->truesize) is less: the packet and 320 octets of skb_shared_info in a
  // power of two, 256 of sk_buff. 276 octets: 1280; 1420: 2304.
  [[nodiscard]] static constexpr std::size_t memory_of(std::size_t packet_length) { return 1280 + 2 * packet_length; }

  // A first fragment the guard let pass. kFragmentOverlap when the datagram is already known: a second first fragment.
  // kFragmentLimit when the owner has too much unfinished; then nothing is displaced, the kernel holds it all.
  [[nodiscard]] Refusal remember(std::uint32_t owner, const InnerPacketView& first, config::value::Instant now);
  // Completes `later.flow` from its first fragment; kUnknownFragment, kFragmentOverlap or kFragmentLimit otherwise.
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
    std::uint32_t farthest = 0;  // end of what was seen
    std::uint32_t end = 0;       // where the last fragment ends; 0: not seen
    std::uint32_t memory = 0;    // of its fragments in the kernel, upper bound
    bool used = false;
    bool poisoned = false;        // overlap seen: the rest is dropped, RFC 5722 3
    std::array<Range, 8> seen{};  // disjoint; in-order arrival needs one
    std::size_t seen_count = 0;
  };
  using Slots = std::array<Datagram, kDatagramsPerOwner>;
  static Datagram* find(Slots& slots, const InnerPacketView& view, config::value::Instant now);
  static std::size_t unfinished_memory(const Slots& slots, config::value::Instant now);
  static Refusal add(Datagram& datagram, const InnerPacketView& view);
  static bool add_range(Datagram& datagram, Range range);
  std::vector<std::unique_ptr<Slots>> owners_;  // made when an owner first sends fragments
};

}  // namespace gateway::core
