// What keyd does for IKEv2 with a facility's preshared key (RFC 7296 2.15).
#pragma once

#include <span>

#include "tunnel/wire/outputs.h"

namespace gateway::daemon {

// The preshared key of IKEv2 is the text as it stands in the key file, 44 characters of base64: routers take the key as
// text. False: an unknown prf, or nothing to sign.
[[nodiscard]] bool ike_psk_authentication(std::span<const std::uint8_t, 32> key,
                                          const tunnel::wire::KeyRequest& request, tunnel::wire::KeyReply& reply);
// OpenSSL loads what it needs; before the system calls for it are gone.
void prepare_ike();

}  // namespace gateway::daemon
