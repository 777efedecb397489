// Who the peer says it is and how it shows it: Identification, Certificate, Certificate Request, Authentication
// (RFC 7296 3.5-3.8, RFC 7427). Nothing is believed here.
#pragma once

#include <string>

#include "tunnel/ike/message.h"

namespace tunnel::ike {

enum class IdType : std::uint8_t {
  kIpv4 = 1,
  kFqdn = 2,
  kEmail = 3,
  kIpv6 = 5,
  kDn = 9,            // DER
  kGeneralName = 10,  // DER
  kKeyId = 11,
};

struct Identity {
  IdType type = IdType::kFqdn;
  wire::ConstBytes data;  // of the type's length for addresses; printable ASCII for FQDN and e-mail; never empty; a DN
                          // is one that OpenSSL reads
};

enum class CertificateEncoding : std::uint8_t { kX509Signature = 4, kCrl = 7, kHashAndUrl = 12 };

struct CertificatePayload {
  CertificateEncoding encoding = CertificateEncoding::kX509Signature;
  wire::ConstBytes data;  // never empty
};

inline constexpr std::size_t kAuthorityHash = 20;  // SHA-1 of a CA's public key info: a hint, no security rests on it
struct CertificateRequest {
  CertificateEncoding encoding = CertificateEncoding::kX509Signature;
  wire::ConstBytes authorities;  // any number of hashes one after another; for X.509 a multiple of kAuthorityHash
};

enum class AuthMethod : std::uint8_t {
  kRsa = 1,
  kSharedKey = 2,
  kEcdsa256 = 9,  // RFC 4754
  kEcdsa384 = 10,
  kEcdsa521 = 11,
  kNull = 13,  // RFC 7619: never accepted
  kDigitalSignature = 14,
};

struct Authentication {
  AuthMethod method = AuthMethod::kSharedKey;
  wire::ConstBytes data;  // never empty
};

// RFC 7427 3: what `data` holds with kDigitalSignature.
struct DigitalSignature {
  wire::ConstBytes algorithm;  // DER of AlgorithmIdentifier
  wire::ConstBytes signature;
};

[[nodiscard]] Result<Identity, ParseFailure> parse_identity(wire::ConstBytes body);
[[nodiscard]] Result<CertificatePayload, ParseFailure> parse_certificate(wire::ConstBytes body);
[[nodiscard]] Result<CertificateRequest, ParseFailure> parse_certificate_request(wire::ConstBytes body);
[[nodiscard]] Result<Authentication, ParseFailure> parse_authentication(wire::ConstBytes body);
[[nodiscard]] Result<DigitalSignature, ParseFailure> parse_digital_signature(wire::ConstBytes data);

// `type`: kIdInitiator or kIdResponder. The body is what prf(SK_p, ...) is taken of (RFC 7296 2.15).
void append(Chain& chain, PayloadType type, const Identity& identity);
void append(Chain& chain, const CertificatePayload& payload);
void append(Chain& chain, const CertificateRequest& payload);
void append(Chain& chain, const Authentication& payload);
void append(Chain& chain, const DigitalSignature& signature);  // an AUTH payload with kDigitalSignature

// For records and for comparing with a configured `remote_id`: "fqdn:rtx.example", "ip:198.51.100.7", "email:...",
// "keyid:686f...", "dn:CN=rtx,O=Hakodate,C=JP". Printable ASCII only.
[[nodiscard]] std::string to_string(const Identity& identity);

}  // namespace tunnel::ike
