// An identity as a certificate is asked for it (RFC 4945 3.1).
#pragma once

#include <optional>

#include "tunnel/crypto/certificate.h"
#include "tunnel/ike/payload_auth.h"

namespace tunnel::ike {

// Shares the octets of `identity`. Nothing: a kind that is not looked for in certificates.
[[nodiscard]] std::optional<crypto::ClaimedIdentity> claimed_identity(const Identity& identity);

}  // namespace tunnel::ike
