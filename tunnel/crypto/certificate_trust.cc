// X509_verify_cert judges; the callback only knows two things it does not: how long an old revocation list may still be
// believed, and whether a missing one matters.
#include <algorithm>
#include <string_view>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/certificate_times.h"
#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/crypto/revocation_list.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using wire::require;
using StoreContext = std::unique_ptr<X509_STORE_CTX, openssl::Free<X509_STORE_CTX_free>>;
using Chain = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;

constexpr int kStrength = 2;  // OpenSSL's security level: 112 bits, so RSA of 2048 and no SHA-1

// Octets of lists from which on the chain is verified without them first: OpenSSL verifies the lists before the chain's
// signatures, and a stranger's forged certificate would cost as much as the longest list (46 ms for 6 MB).
constexpr std::size_t kShortLists = 32 * 1024;

struct Judgement {
  const CertificateRules& rules;
  std::optional<Duration> list_age;
  bool list_is_late = false;
};

void note_list(Judgement& judgement, const X509_CRL* list) {
  if (list == nullptr) return;
  const Duration age = judgement.rules.now - wall_time(X509_CRL_get0_lastUpdate(list));
  judgement.list_age = judgement.list_age ? std::max(*judgement.list_age, age) : age;
}

bool within_grace(Judgement& judgement, const X509_CRL* list) {
  const ASN1_TIME* const next = list == nullptr ? nullptr : X509_CRL_get0_nextUpdate(list);
  if (next == nullptr || judgement.rules.now - wall_time(next) > judgement.rules.list_grace) return false;
  judgement.list_is_late = true;
  return true;
}

int on_verdict(int good, X509_STORE_CTX* context) {
  auto& judgement = *static_cast<Judgement*>(X509_STORE_CTX_get_app_data(context));
  if (good == 1) return 1;
  const int error = X509_STORE_CTX_get_error(context);
  const bool listless = error == X509_V_ERR_UNABLE_TO_GET_CRL && judgement.rules.revocation == Revocation::kWhereListed;
  const bool late =
      error == X509_V_ERR_CRL_HAS_EXPIRED && within_grace(judgement, X509_STORE_CTX_get0_current_crl(context));
  if (!listless && !late) return 0;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

CertificateFault fault_of(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return CertificateFault::kExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return CertificateFault::kNotYetValid;
    case X509_V_ERR_CERT_REVOKED:
      return CertificateFault::kRevoked;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
      return CertificateFault::kNoRevocationList;
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return CertificateFault::kOldRevocationList;
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
      return CertificateFault::kBadRevocationList;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
      return CertificateFault::kNameNotPermitted;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
      return CertificateFault::kNotAnAuthority;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
      return CertificateFault::kWeak;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_CERT_UNTRUSTED:
      return CertificateFault::kUntrusted;
    default:
      return CertificateFault::kOther;
  }
}

std::unexpected<CertificateRefusal> refuse(CertificateFault fault, std::string subject, std::string detail) {
  ERR_clear_error();
  return std::unexpected(CertificateRefusal{fault, std::move(subject), std::move(detail)});
}

void apply(const CertificateRules& rules, X509_VERIFY_PARAM* parameters) {
  const auto now = std::chrono::floor<std::chrono::seconds>(rules.now.time_since_epoch()).count();
  X509_VERIFY_PARAM_set_time(parameters, now);
  X509_VERIFY_PARAM_set_auth_level(parameters, kStrength);
  if (rules.revocation == Revocation::kNotChecked) return;
  require(X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1);
}

WallTime first_end(const STACK_OF(X509) * chain) {
  WallTime first = WallTime::max();
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    first = std::min(first, wall_time(X509_get0_notAfter(sk_X509_value(chain, i))));
  }
  return first;
}

// The lists that the chain was judged by. The store holds those of every issuer; only this chain's count.
void note_lists(Judgement& judgement, X509_STORE_CTX* context) {
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    STACK_OF(X509_CRL)* const lists = X509_STORE_CTX_get1_crls(context, X509_get_issuer_name(sk_X509_value(chain, i)));
    const X509_CRL* newest = nullptr;
    for (int j = 0; lists != nullptr && j < sk_X509_CRL_num(lists); ++j) {
      const X509_CRL* const list = sk_X509_CRL_value(lists, j);
      if (newest == nullptr ||
          wall_time(X509_CRL_get0_lastUpdate(list)) > wall_time(X509_CRL_get0_lastUpdate(newest))) {
        newest = list;
      }
    }
    note_list(judgement, newest);
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
  }
}

}  // namespace

CertificateTrust::CertificateTrust() : store_(X509_STORE_new(), X509_STORE_free) {
  require(store_ != nullptr);
}

void CertificateTrust::add_authority(const Certificate& authority) {
  require(X509_STORE_add_cert(store_.get(), authority.handle()) == 1);
  digest_ = blake2s({digest_, std::array<std::uint8_t, 1>{'A'}, authority.der()});
}

bool CertificateTrust::add_revocation_list(Octets list) {
  const auto lists = RevocationList::parse(list);
  if (!lists) return false;
  for (const RevocationList& each : *lists) require(X509_STORE_add_crl(store_.get(), each.handle()) == 1);
  list_octets_ += list.size();
  digest_ = blake2s({digest_, std::array<std::uint8_t, 1>{'L'}, list});
  return true;
}

config::value::Result<VerifiedCertificate, CertificateRefusal> CertificateTrust::verify(
    const Certificate& certificate, std::span<const Certificate> others, const ClaimedIdentity& identity,
    const CertificateRules& rules) const {
  const std::string subject = certificate.subject();
  if (others.size() > kMostIntermediates) return refuse(CertificateFault::kTooMany, subject, "too many certificates");
  const Chain untrusted(sk_X509_new_null());
  for (const Certificate& other : others) require(sk_X509_push(untrusted.get(), other.handle()) > 0);
  const StoreContext context(X509_STORE_CTX_new());
  require(context != nullptr);
  const auto refused = [&](Judgement& by) -> std::optional<std::unexpected<CertificateRefusal>> {
    X509_STORE_CTX_cleanup(context.get());
    require(X509_STORE_CTX_init(context.get(), store_.get(), certificate.handle(), untrusted.get()) == 1);
    X509_STORE_CTX_set_app_data(context.get(), &by);
    X509_STORE_CTX_set_verify_cb(context.get(), on_verdict);
    apply(by.rules, X509_STORE_CTX_get0_param(context.get()));
    if (X509_verify_cert(context.get()) == 1) return std::nullopt;
    const int error = X509_STORE_CTX_get_error(context.get());
    X509* const at_fault = X509_STORE_CTX_get_current_cert(context.get());
    return refuse(fault_of(error), at_fault == nullptr ? subject : Certificate::of(at_fault).subject(),
                  X509_verify_cert_error_string(error));
  };
  if (list_octets_ > kShortLists && rules.revocation != Revocation::kNotChecked) {
    CertificateRules without_lists = rules;
    without_lists.revocation = Revocation::kNotChecked;
    Judgement first{without_lists, {}, false};
    if (auto refusal = refused(first)) return std::move(*refusal);
  }
  Judgement judgement{rules, {}, false};
  if (auto refusal = refused(judgement)) return std::move(*refusal);
  // RFC 4945 5.1.3.2: where key usages are named, one of the two that sign must be.
  const std::uint32_t usage = X509_get_key_usage(certificate.handle());
  if ((usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0) {
    return refuse(CertificateFault::kWrongUsage, subject, "key usage allows no signature");
  }
  auto key = certificate.public_key();
  if (!key) return refuse(CertificateFault::kWeak, subject, "a kind of key that is not accepted");
  if (!names(certificate, identity))
    return refuse(CertificateFault::kWrongIdentity, subject, "not the claimed identity");
  if (rules.revocation != Revocation::kNotChecked) note_lists(judgement, context.get());
  ERR_clear_error();
  return VerifiedCertificate{std::move(*key),
                             first_end(X509_STORE_CTX_get0_chain(context.get())),
                             subject,
                             certificate.issuer(),
                             certificate.serial(),
                             judgement.list_age,
                             judgement.list_is_late};
}

}  // namespace tunnel::crypto
