// Views of packets on their way through a protocol object. Bytes belong to the caller until the batch is flushed.
#pragma once

#include <cstdint>
#include <span>

#include "config/value/address.h"
#include "config/value/instant.h"

namespace tunnel::wire {

using config::value::Duration;
using config::value::Instant;
using config::value::IpAddress;
using config::value::Prefix;
using config::value::SocketAddress;
using config::value::WallTime;

using Bytes = std::span<std::uint8_t>;
using ConstBytes = std::span<const std::uint8_t>;

// Our tunnel of one peer, chosen by the caller; stable while the peer is configured.
struct PeerId {
  std::uint32_t number = 0;
  friend constexpr auto operator<=>(const PeerId&, const PeerId&) = default;
};

// The two ends of an outer datagram as our host sees them. `socket` is the caller's index of the bound socket.
struct OuterPath {
  SocketAddress remote;
  IpAddress local;
  std::uint16_t socket = 0;
  friend constexpr bool operator==(const OuterPath&, const OuterPath&) = default;
};

// Received from the outside. `bytes` may be changed in place (decryption); inner packets delivered from it point into
// it.
struct OuterDatagram {
  OuterPath path;
  Bytes bytes;
  std::uint8_t ecn = 0;  // two bits of the outer header (RFC 6040)
};

// The virtio_net_hdr of a super-packet (linux/virtio_net.h); gso_size 0: one complete packet with good checksums.
struct Segmentation {
  enum class Kind : std::uint8_t { kNone, kTcpV4, kTcpV6, kUdp };
  Kind kind = Kind::kNone;
  std::uint16_t header_length = 0;
  std::uint16_t segment_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
  bool needs_checksum = false;
};

// What whoever makes a packet may leave free around it in the same buffer, so that it is sealed where it stands: header
// and IV before it (WireGuard 16 octets, ESP up to 24), padding, trailer and ICV behind it (up to 15 + 2 + 32).
inline constexpr std::size_t kRoomBefore = 32, kRoomAfter = 64;

// An inner IP packet from our TUN, to be sealed for `peer`. Bytes are read, not kept.
struct InnerPacket {
  PeerId peer;
  Bytes bytes;
  Segmentation segmentation{};
  bool room = false;  // the room around `bytes` is the packet's too; once it is sealed they are not its own any more
};

}  // namespace tunnel::wire
