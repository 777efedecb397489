// Inner packets of one batch joined into super-packets for the TUN, as the kernel's own generic receive offload would:
// in-order TCP segments of one flow that differ in nothing but their place, and equal UDP datagrams of one flow. What
// the kernel cuts again has the very headers that came. The order inside a flow never changes.
#pragma once

#include <span>
#include <vector>

#include "gateway/core/inner_packet.h"

namespace gateway::core {

// One write: the first piece is a whole packet, the others are payload behind it. `segmentation` none: one packet as it
// came.
struct TunWrite {
  tunnel::wire::Segmentation segmentation;
  std::span<const tunnel::wire::ConstBytes> pieces;
};

struct Joins {
  bool tcp = false, udp = false;
};

class Coalescer {
 public:
  static constexpr std::size_t kMostPieces = 64;  // of a super-packet
  static constexpr std::size_t kOpenFlows = 32;   // that may still grow; the oldest is closed for another

  // `packets` are whole IP packets, as parse_inner() takes them; of those that are joined the first's header is
  // changed. Valid until the next call. `joins`: of which protocols the kernel takes super-packets.
  [[nodiscard]] std::span<const TunWrite> join(std::span<const tunnel::wire::Bytes> packets, Joins joins);

 private:
  struct Segment {  // what joining asks of one packet
    tunnel::wire::Bytes bytes;
    std::size_t headers = 0;    // IP and transport
    std::size_t transport = 0;  // where it begins
    bool joins = false;         // may stand in a super-packet; else it only closes what is open of its flow
    bool tcp = false;
  };
  struct Group {
    Segment first;
    std::size_t octets = 0;  // of all payloads
    std::uint32_t next = 0;  // TCP: the sequence number that follows
    std::size_t flow = 0;    // hash of the flow
    bool pushed = false;     // a segment with PSH has come: it is the last
    std::vector<tunnel::wire::ConstBytes> pieces;
  };
  [[nodiscard]] static Segment look(tunnel::wire::Bytes bytes, Joins joins);
  void place(const Segment& segment);
  [[nodiscard]] static bool follows(const Group& group, const Segment& segment);
  // Where in open_ the segment's flow stands; its end when nowhere.
  [[nodiscard]] std::vector<std::size_t>::iterator open_group(const Segment& segment, std::size_t flow);
  void begin_group(const Segment& segment, std::size_t flow);
  static void finish(Group& group, TunWrite& write);

  std::vector<Group> groups_;  // those in use stand first, in the order they leave
  std::size_t used_ = 0;
  std::vector<std::size_t> open_;  // of groups_: those that may grow, the oldest first
  std::vector<TunWrite> writes_;
};

}  // namespace gateway::core
