// Any octets as a peer's certificate, as the one behind it, as a revocation list, a key, an identifier or an identity.
// Our authority's key is not in the seeds, so nothing but the certificates it signed may ever be accepted.
#include <cstdlib>

#include "tests/tunnel/test_authority.h"

using namespace test_authority;

namespace {

using Bytes = std::span<const std::uint8_t>;

struct World {
  Authority root;
  Certificate good = root.issue({});
  CertificateTrust trust;
  World() {
    trust.add_authority(root.certificate());
    must(trust.add_revocation_list(root.revocation_list({})));
  }
};

void describe(const Certificate& certificate) {
  must(certificate.subject().size() <= 512 && certificate.issuer().size() <= 512 && certificate.serial().size() <= 64);
  must(!certificate.der().empty());
  (void)certificate.not_before(), (void)certificate.not_after(), (void)certificate.authority_hash();
  const ClaimedIdentity own{ClaimedIdentity::Kind::kDn, {}};
  must(!names(certificate, own));
  if (const auto key = certificate.public_key()) must(!key->verify(SignatureScheme::kRsaPssSha256, own.data, own.data));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  const ClaimedIdentity router = fqdn("rtx.hakodate.example");
  const CertificateRules rules{kNow, (data[0] & 1) != 0 ? Revocation::kRequired : Revocation::kNotChecked, {}};
  if (const auto certificate = Certificate::parse(rest)) {
    describe(*certificate);
    must(!world.trust.verify(*certificate, {}, router, rules).has_value());
    must(!world.trust.verify(*certificate, {&*certificate, 1}, router, rules).has_value());
    must(world.trust.verify(world.good, {&*certificate, 1}, router, rules).has_value());
  }
  const std::size_t half = rest.size() / 2;
  (void)Certificate::parse_pem(rest);
  CertificateTrust other;
  (void)other.add_revocation_list(rest);
  (void)scheme_of(rest);
  if (const auto key = PublicKey::parse(rest.first(half))) {
    must(!key->verify(SignatureScheme::kEcdsaSha256, {}, rest.subspan(half)) || key->kind() == KeyKind::kEcdsa);
  }
  const ClaimedIdentity any{static_cast<ClaimedIdentity::Kind>(data[0] % 5), rest};
  if (names(world.good, any)) must(!rest.empty());
  return 0;
}
