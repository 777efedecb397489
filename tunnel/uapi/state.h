// What "get=1" answers with: the interface and its peers as text.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tunnel/uapi/request.h"

namespace tunnel::uapi {

struct PeerState {
  PublicKey public_key{};
  Key preshared_key;                            // all zero: none
  std::optional<wire::SocketAddress> endpoint;  // where the peer is now
  std::optional<wire::WallTime> last_handshake;
  std::uint64_t sent_bytes = 0, received_bytes = 0;  // octets of UDP payload
  std::uint16_t persistent_keepalive = 0;            // seconds
  std::vector<wire::Prefix> allowed_ips;
};

struct InterfaceState {
  Key private_key;  // all zero: none
  std::uint16_t listen_port = 0;
  std::uint32_t fwmark = 0;
  std::vector<PeerState> peers;
};

// The whole answer to a get, "errno=0" and the blank line included. It holds keys.
[[nodiscard]] wire::WipedOctets to_text(const InterfaceState& state);
// The whole answer to a set, or to what failed.
[[nodiscard]] wire::WipedOctets to_text(Status status);

}  // namespace tunnel::uapi
