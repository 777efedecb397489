// Certificates of peers and of ourselves: read and judged by OpenSSL's verification alone (RFC 5280), with the time an
// argument. Trust anchors and revocation lists are given as octets; nothing is fetched, no file is opened.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "config/value/instant.h"
#include "config/value/result.h"
#include "tunnel/crypto/signature.h"

struct x509_st;
struct x509_store_st;

namespace tunnel::crypto {

using config::value::Duration;
using config::value::WallTime;

class Certificate {
 public:
  using Octets = std::span<const std::uint8_t>;
  // One DER certificate and nothing after it, at most kLargest octets.
  static constexpr std::size_t kLargest = 16 * 1024;
  [[nodiscard]] static std::optional<Certificate> parse(Octets der);
  // Every certificate of a PEM file; nothing when there is none or one cannot be read.
  [[nodiscard]] static std::optional<std::vector<Certificate>> parse_pem(Octets pem);
  [[nodiscard]] static Certificate of(x509_st* handle);  // shares it

  [[nodiscard]] std::vector<std::uint8_t> der() const;
  [[nodiscard]] std::optional<PublicKey> public_key() const;  // nothing: not one PublicKey takes
  // Ends of its validity. A date beyond what WallTime holds is its last one.
  [[nodiscard]] WallTime not_before() const;
  [[nodiscard]] WallTime not_after() const;
  // For records: RFC 2253 text, printable ASCII; the serial number in hexadecimal.
  [[nodiscard]] std::string subject() const;
  [[nodiscard]] std::string issuer() const;
  [[nodiscard]] std::string serial() const;
  [[nodiscard]] std::vector<std::uint8_t> subject_der() const;  // for an ID payload of type DN
  // SHA-1 of the SubjectPublicKeyInfo, as CERTREQ names authorities (RFC 7296 3.7): a hint, no security rests on it.
  [[nodiscard]] std::array<std::uint8_t, 20> authority_hash() const;

  [[nodiscard]] x509_st* handle() const { return handle_.get(); }

 private:
  explicit Certificate(std::shared_ptr<x509_st> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<x509_st> handle_;
};

// What the peer claims in its ID payload (RFC 7296 3.5), to be found in its certificate (RFC 4945 3.1).
struct ClaimedIdentity {
  enum class Kind : std::uint8_t {
    kFqdn,   // equals a dNSName of the subjectAltName, no wildcards
    kEmail,  // equals an rfc822Name
    kIp,     // 4 or 16 octets; equals an iPAddress
    kDn,     // DER; equals the subject (RFC 5280 7.1)
    kKeyId,  // equals the subjectKeyIdentifier
  };
  Kind kind = Kind::kFqdn;
  std::span<const std::uint8_t> data;
};
[[nodiscard]] bool names(const Certificate& certificate, const ClaimedIdentity& identity);

// One of a subjectAltName: kFqdn, kEmail (their text) or kIp (4 or 16 octets).
struct AlternativeName {
  ClaimedIdentity::Kind kind = ClaimedIdentity::Kind::kFqdn;
  std::vector<std::uint8_t> data;
};
// Those a certificate has of these kinds, in its order.
[[nodiscard]] std::vector<AlternativeName> alternative_names(const Certificate& certificate);

enum class CertificateFault : std::uint8_t {
  kUntrusted,  // no chain to one of our authorities, or a wrong signature in it
  kExpired,    // of any certificate of the chain
  kNotYetValid,
  kRevoked,
  kNoRevocationList,   // none for an issuer of the chain, and one is required
  kOldRevocationList,  // its next update passed by more than the grace
  kBadRevocationList,  // signature, or from the future
  kNameNotPermitted,   // name constraints of an authority
  kNotAnAuthority,     // a certificate that may not issue stands in the chain
  kWeak,               // a key or hash under 112 bits in the chain, or a kind of key we do not take
  kWrongUsage,         // may not sign (RFC 4945 5.1.3.2)
  kWrongIdentity,      // good, but another's
  kTooMany,            // more than kMostIntermediates
  kOther,
};

struct CertificateRefusal {
  CertificateFault fault = CertificateFault::kOther;
  std::string subject;  // of the certificate that is at fault
  std::string detail;   // OpenSSL's word for it; for the record, not for the peer
};

enum class Revocation : std::uint8_t { kNotChecked, kWhereListed, kRequired };

struct CertificateRules {
  WallTime now{};
  Revocation revocation = Revocation::kRequired;
  Duration list_grace{};  // how long after its next update a list is still believed
};

struct VerifiedCertificate {
  PublicKey key;
  WallTime expires;  // the first end in the chain, the trust anchor's included
  std::string subject, issuer, serial;
  // Of the oldest list that was used; none when none was. `list_is_late`: beyond its next update, within the grace.
  std::optional<Duration> list_age;
  bool list_is_late = false;
};

// Whom we trust for one group of peers.
class CertificateTrust {
 public:
  using Octets = std::span<const std::uint8_t>;
  static constexpr std::size_t kMostIntermediates = 8;  // that come with a certificate; bounds the chain
  CertificateTrust();
  // A self-signed certificate: a chain ends there and nowhere else.
  void add_authority(const Certificate& authority);
  // DER or PEM, several of them too (revocation_list.h); false: no revocation list. A newer list of the same issuer is
  // used instead of an older one.
  [[nodiscard]] bool add_revocation_list(Octets list);

  // The same authorities and lists, added in the same order.
  friend bool operator==(const CertificateTrust& a, const CertificateTrust& b) { return a.digest_ == b.digest_; }

  // `others`: the certificates that came with it, in any order; none of them is trusted for being there.
  [[nodiscard]] config::value::Result<VerifiedCertificate, CertificateRefusal> verify(
      const Certificate& certificate, std::span<const Certificate> others, const ClaimedIdentity& identity,
      const CertificateRules& rules) const;

 private:
  std::shared_ptr<x509_store_st> store_;
  std::array<std::uint8_t, 32> digest_{};  // of what was added
  std::size_t list_octets_ = 0;
};

}  // namespace tunnel::crypto
