// A file with one 32-octet key in base64, as `wg genkey` writes it. Refused unless only its owner may read it.
#pragma once

#include <string>

#include "gateway/os/error.h"
#include "tunnel/crypto/secret.h"

namespace gateway::os {

// Errors: no such file, a symbolic link, not a regular file, a foreign owner, readable or writable by others ("mode
// 0644"), not base64 of 32 octets, all zero. What was read is wiped.
[[nodiscard]] OsResult<tunnel::crypto::Secret<32>> read_key_file(const std::string& path);

}  // namespace gateway::os
