// Is there a NAT between us (RFC 7296 2.23)? Hashes of what each end believes its addresses to be.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "tunnel/ike/key_material.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

using NatHash = std::array<std::uint8_t, 20>;

// SHA-1(SPIi | SPIr | address | port), the SPIs as in the header of the message that carries it.
[[nodiscard]] NatHash nat_hash(const SpiPair& spis, const wire::SocketAddress& address);

struct NatFindings {
  bool supported = false;  // the peer sent both notifies
  bool peer_behind = false, we_behind = false;
  [[nodiscard]] bool any() const { return peer_behind || we_behind; }
  friend bool operator==(const NatFindings&, const NatFindings&) = default;
};

// `sources` and `destinations`: the data of every NAT_DETECTION_*_IP notify of one message; `from` and `to`: the
// addresses of the datagram that brought it, as we saw them.
[[nodiscard]] NatFindings judge_nat(std::span<const wire::ConstBytes> sources,
                                    std::span<const wire::ConstBytes> destinations, const SpiPair& spis,
                                    const wire::SocketAddress& from, const wire::SocketAddress& to);

}  // namespace tunnel::ike
