// Makes connection tracking forget flows, so that nothing that was open before is known as such after it was cut. What
// stops the packets are the rules; this ends the flow in the kernel's books (and so on record) and leaves no state that
// a later rejoin would take up again.
#pragma once

#include <cstddef>
#include <span>

#include "config/value/address.h"
#include "gateway/os/error.h"

namespace gateway::os {

// Every flow of which one end, as its first packet had it, lies in one of `networks`; of both families, of any
// protocol. Gives how many were there. A flow that ended meanwhile is no error.
[[nodiscard]] OsResult<std::size_t> forget_flows(std::span<const config::value::Prefix> networks);

}  // namespace gateway::os
