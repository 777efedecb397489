// New private keys for certificates, from OpenSSL's generator.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/os/error.h"
#include "tunnel/crypto/secret_octets.h"

namespace gateway::os {

// "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-3072", "rsa-4096", "ed25519".
[[nodiscard]] std::vector<std::string_view> signing_key_kinds();

// PEM (PKCS#8, not encrypted), as tunnel::crypto::SigningKey takes it. Error: no such kind, or OpenSSL made none.
[[nodiscard]] OsResult<tunnel::crypto::SecretOctets> make_signing_key(std::string_view kind);

}  // namespace gateway::os
