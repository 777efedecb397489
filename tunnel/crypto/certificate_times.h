// ASN.1 times as WallTime. Internal to this folder's .cc files.
#pragma once

#include <openssl/asn1.h>

#include "config/value/instant.h"

namespace tunnel::crypto {

// One that cannot be read is the first one, one too far away the last (RFC 5280 4.1.2.5: 99991231235959Z).
[[nodiscard]] config::value::WallTime wall_time(const ASN1_TIME* time);

}  // namespace tunnel::crypto
