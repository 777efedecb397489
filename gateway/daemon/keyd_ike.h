// What keyd does for IKEv2 with a facility's preshared key (RFC 7296 2.15) and its PPK (RFC 8784 3).
#pragma once

#include <span>

#include "tunnel/wire/outputs.h"

namespace gateway::daemon {

// The preshared key of IKEv2 is the text as it stands in the key file, 44 characters of base64: routers take the key as
// text. False: an unknown prf, or nothing to sign.
[[nodiscard]] bool ike_psk_authentication(std::span<const std::uint8_t, 32> key,
                                          const tunnel::wire::KeyRequest& request, tunnel::wire::KeyReply& reply);
// Likewise with the text of the PPK's file. False: an unknown prf, or `secrets` is not three of its outputs.
[[nodiscard]] bool ike_ppk_mix(std::span<const std::uint8_t, 32> key, const tunnel::wire::KeyRequest& request,
                               tunnel::wire::KeyReply& reply);
// OpenSSL loads what it needs; before the system calls for it are gone.
void prepare_ike();

}  // namespace gateway::daemon
