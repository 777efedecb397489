// What an authority makes our certificate from (PKCS#10, RFC 2986): name, other names, key, signed by that key. The
// ASN.1 is OpenSSL's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/distinguished_name.h"
#include "tunnel/crypto/signature.h"

namespace tunnel::crypto {

// PEM. It asks for `names` and for the key usage digitalSignature (RFC 4945 5.1.3.2), and for nothing else: what more
// stands in the certificate is the authority's to say. Nothing: a name that is none of
// the three kinds, or text that is empty or not printable ASCII.
[[nodiscard]] std::optional<std::string> certificate_request(const SigningKey& key, const DistinguishedName& subject,
                                                             std::span<const AlternativeName> names);

}  // namespace tunnel::crypto
