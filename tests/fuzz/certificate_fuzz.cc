// Any octets as a peer's certificate, as the one behind it, as a revocation list, a key, an identifier, an identity, a
// distinguished name or its text.
// Our authority's key is not in the seeds, so nothing but the certificates it signed may ever be accepted.
#include <cstdlib>

#include "tests/tunnel/test_authority.h"
#include "tunnel/crypto/distinguished_name.h"

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
  for (const auto& [kind, name] : alternative_names(certificate)) {
    using Kind = ClaimedIdentity::Kind;
    must(kind == Kind::kFqdn || kind == Kind::kEmail || (kind == Kind::kIp && (name.size() == 4 || name.size() == 16)));
  }
  const ClaimedIdentity own{ClaimedIdentity::Kind::kDn, {}};
  must(!names(certificate, own));
  if (const auto key = certificate.public_key()) must(!key->verify(SignatureScheme::kRsaPssSha256, own.data, own.data));
}

// What a person may write is printed so that it can be written again.
void name_text(std::string_view text) {
  const auto name = DistinguishedName::parse_text(text);
  if (!name) return must(name.error().at <= text.size() && !name.error().what.empty());
  must(name->der().size() <= DistinguishedName::kLargest);
  const auto printed = name->text();
  if (printed.size() >= DistinguishedName::kLongestText) return;
  const auto again = DistinguishedName::parse_text(printed);
  must(again.has_value() && *again == *name);
}

void names_of(Bytes whole, std::size_t half) {
  name_text({reinterpret_cast<const char*>(whole.data()), whole.size()});
  const Bytes first = whole.first(half), second = whole.subspan(half);
  must((compare_names(first, second) < 0) == (compare_names(second, first) > 0));
  must(compare_names(whole, whole) == 0);
  const auto name = DistinguishedName::parse(whole);
  if (!name) return;
  must(DistinguishedName::parse(name->der()) == name && compare_names(name->der(), whole) == 0);
  must(name->text().size() <= DistinguishedName::kLongestText);
  name_text(name->text());
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
  names_of(rest, half);
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
