// What can be read of a packet that was refused, for the records: as much as is there, whether or not it is regular.
// Decides nothing.
#pragma once

#include "gateway/core/messages.h"
#include "tunnel/wire/packet.h"

namespace gateway::core {

// Fills the addresses, protocol and ports; what cannot be read stays empty.
[[nodiscard]] RefusedPacket describe_refused(tunnel::wire::ConstBytes bytes);

}  // namespace gateway::core
