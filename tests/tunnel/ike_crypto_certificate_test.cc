// Certificates of peers, RFC 5280 and RFC 4945: one case for each reason to refuse, each beside what differs by that
// alone.
#include <catch2/catch.hpp>

#include <algorithm>
#include <list>

#include "tests/tunnel/test_authority.h"

using namespace test_authority;

namespace {

const ClaimedIdentity kRouter = fqdn("rtx.hakodate.example");

struct Scene {
  explicit Scene(Authority authority = Authority()) : root(std::move(authority)) {
    trust.add_authority(root.certificate());
  }
  std::optional<CertificateFault> fault(const Certificate& certificate, const ClaimedIdentity& identity = kRouter) {
    const auto verified = trust.verify(certificate, others, identity, rules);
    if (verified) return std::nullopt;
    CHECK_FALSE(verified.error().detail.empty());
    return verified.error().fault;
  }
  std::optional<CertificateFault> fault(const Wish& wish) { return fault(root.issue(wish)); }

  Authority root;
  CertificateTrust trust;
  std::vector<Certificate> others;
  CertificateRules rules{kNow, Revocation::kNotChecked, {}};
};

constexpr auto kGood = std::optional<CertificateFault>();

}  // namespace

TEST_CASE("a good certificate tells its key, its names and its end") {
  Scene scene;
  Wish wish;
  wish.to = kNow + 24h * 30;
  const Certificate certificate = scene.root.issue(wish);
  const auto verified = scene.trust.verify(certificate, {}, kRouter, scene.rules);
  REQUIRE(verified.has_value());
  CHECK(verified->key.kind() == KeyKind::kEcdsa);
  CHECK(verified->expires == kNow + 24h * 30);
  CHECK(verified->subject == "CN=router,O=Sekisho tests");
  CHECK(verified->issuer == "CN=root,O=Sekisho tests");
  CHECK(verified->serial == certificate.serial());
  CHECK_FALSE(verified->list_age.has_value());
  CHECK(certificate.not_before() == kNow - 24h);
  CHECK(certificate.not_after() == kNow + 24h * 30);
  wish.to = kNow + 24h * 365;  // then the authority ends first
  CHECK(scene.trust.verify(scene.root.issue(wish), {}, kRouter, scene.rules)->expires == kNow + 24h * 90);
}

TEST_CASE("RFC 5280 6.1: a stranger's certificate, and one with a wrong signature, have no chain") {
  Scene scene;
  const Authority stranger, same_name(Authority::root_wish("root"));
  CHECK(scene.fault(scene.root.issue({})) == kGood);
  CHECK(scene.fault(stranger.issue({})) == CertificateFault::kUntrusted);
  CHECK(scene.fault(same_name.issue({})) == CertificateFault::kUntrusted);
  scene.others = {stranger.certificate()};  // sent along is not trusted
  CHECK(scene.fault(stranger.issue({})) == CertificateFault::kUntrusted);
  Wish own;
  own.key = ec_key();
  CHECK(scene.fault(Authority(own).certificate()) == CertificateFault::kUntrusted);  // self-signed
  Octets der = scene.root.issue({}).der();
  der.back() ^= 1;
  CHECK(scene.fault(*Certificate::parse(der)) == CertificateFault::kUntrusted);
  CertificateTrust nobody;
  CHECK_FALSE(nobody.verify(scene.root.issue({}), {}, kRouter, scene.rules).has_value());
}

TEST_CASE("RFC 5280 6.1.3: the time is the argument's, to the second, for each certificate of the chain") {
  Scene scene;
  Wish wish;
  const Certificate certificate = scene.root.issue(wish);
  for (const auto& [now, expected] : {std::pair{wish.from - 1s, std::optional(CertificateFault::kNotYetValid)},
                                      {wish.from, kGood},
                                      {wish.to - 1s, kGood},
                                      {wish.to, std::optional(CertificateFault::kExpired)}}) {
    scene.rules.now = now;
    CHECK(scene.fault(certificate) == expected);
  }
  scene.rules.now = kNow;
  Wish old = Authority::root_wish("issuing");
  old.to = kNow - 1s;
  const Authority issuing(scene.root, old);
  scene.others = {issuing.certificate()};
  CHECK(scene.fault(issuing.issue({})) == CertificateFault::kExpired);
}

TEST_CASE("RFC 5280 4.2.1.9: only an authority issues, and the intermediate must be there") {
  Scene scene;
  const Authority issuing(scene.root, Authority::root_wish("issuing"));
  CHECK(scene.fault(issuing.issue({})) == CertificateFault::kUntrusted);
  scene.others = {issuing.certificate()};
  CHECK(scene.fault(issuing.issue({})) == kGood);
  Wish router;
  router.name = "another router";
  const Authority no_authority(scene.root, router);
  scene.others = {no_authority.certificate()};
  CHECK(scene.fault(no_authority.issue({})) == CertificateFault::kNotAnAuthority);
  Wish no_signing = Authority::root_wish("no signing");
  no_signing.usage = "critical,cRLSign";
  const Authority not_for_this(scene.root, no_signing);
  scene.others = {not_for_this.certificate()};
  CHECK(scene.fault(not_for_this.issue({})) == CertificateFault::kNotAnAuthority);
}

TEST_CASE("RFC 5280 4.2.1.10: name constraints of an authority bind the names below it") {
  Scene scene;
  Wish wish = Authority::root_wish("issuing");
  wish.constraints =
      "critical,permitted;DNS:hakodate.example,permitted;IP:192.0.2.0/255.255.255.0,excluded;DNS:old.hakodate.example";
  const Authority issuing(scene.root, wish);
  scene.others = {issuing.certificate()};
  const auto named = [&](const char* alternative) {
    Wish router;
    router.alternative = alternative;
    return scene.fault(issuing.issue(router), fqdn(std::string_view(alternative).substr(4)));
  };
  CHECK(named("DNS:rtx.hakodate.example") == kGood);
  CHECK(named("DNS:rtx.matsumae.example") == CertificateFault::kNameNotPermitted);
  CHECK(named("DNS:rtx.old.hakodate.example") == CertificateFault::kNameNotPermitted);
  CHECK(named("DNS:rtx.hakodate.example.evil.example") == CertificateFault::kNameNotPermitted);
  Wish address;
  address.alternative = "IP:198.51.100.7";
  CHECK(scene.fault(issuing.issue(address)) == CertificateFault::kNameNotPermitted);
}

TEST_CASE("RFC 5280 6.3: revoked, with the list required, where listed, and not asked for") {
  Scene scene;
  const Certificate good = scene.root.issue({}), revoked = scene.root.issue({});
  CHECK(scene.fault(revoked) == kGood);  // nobody asks
  scene.rules.revocation = Revocation::kRequired;
  CHECK(scene.fault(good) == CertificateFault::kNoRevocationList);
  scene.rules.revocation = Revocation::kWhereListed;
  CHECK(scene.fault(good) == kGood);
  REQUIRE(scene.trust.add_revocation_list(scene.root.revocation_list({kNow - 3h, kNow + 24h, {revoked}})));
  for (const Revocation revocation : {Revocation::kRequired, Revocation::kWhereListed}) {
    scene.rules.revocation = revocation;
    CHECK(scene.fault(good) == kGood);
    CHECK(scene.fault(revoked) == CertificateFault::kRevoked);
  }
  const auto verified = scene.trust.verify(good, {}, kRouter, scene.rules);
  REQUIRE((verified && verified->list_age));
  CHECK(*verified->list_age == 3h);
  CHECK_FALSE(verified->list_is_late);
}

TEST_CASE("the newer list is the one that counts, whichever came first") {
  for (const bool newer_first : {false, true}) {
    Scene scene;
    scene.rules.revocation = Revocation::kRequired;
    const Certificate certificate = scene.root.issue({});
    std::vector<Octets> lists = {scene.root.revocation_list({kNow - 48h, kNow + 24h, {}}),
                                 scene.root.revocation_list({kNow - 1h, kNow + 24h, {certificate}})};
    if (newer_first) std::ranges::reverse(lists);
    for (const Octets& list : lists) REQUIRE(scene.trust.add_revocation_list(list));
    CHECK(scene.fault(certificate) == CertificateFault::kRevoked);
  }
}

TEST_CASE("a trust is what it holds, not when it was read") {
  const Authority one(Authority::root_wish("one")), other(Authority::root_wish("other"));
  const Octets list = one.revocation_list({}), newer = one.revocation_list({kNow, kNow + 48h, {}});
  const auto trust = [&](const Authority* authority, const Octets* revoked) {
    CertificateTrust made;
    if (authority != nullptr) made.add_authority(authority->certificate());
    if (revoked != nullptr) REQUIRE(made.add_revocation_list(*revoked));
    return made;
  };
  const CertificateTrust all[] = {trust(nullptr, nullptr), trust(&one, nullptr), trust(&other, nullptr),
                                  trust(&one, &list),      trust(&one, &newer),  trust(&other, &list),
                                  trust(nullptr, &list)};
  for (std::size_t i = 0; i < std::size(all); ++i)
    for (std::size_t j = 0; j < std::size(all); ++j) CHECK((all[i] == all[j]) == (i == j));
  CHECK(trust(&one, &list) == trust(&one, &list));
}

TEST_CASE("a list is believed until its next update and for the grace after it, to the second") {
  Scene scene;
  scene.rules = {kNow, Revocation::kRequired, 0h};
  const Certificate good = scene.root.issue({}), revoked = scene.root.issue({});
  const WallTime next = kNow - 2h;
  REQUIRE(scene.trust.add_revocation_list(scene.root.revocation_list({kNow - 26h, next, {revoked}})));
  CHECK(scene.fault(good) == CertificateFault::kOldRevocationList);
  scene.rules.list_grace = 2h - 1s;
  CHECK(scene.fault(good) == CertificateFault::kOldRevocationList);
  scene.rules.list_grace = 2h;
  const auto verified = scene.trust.verify(good, {}, kRouter, scene.rules);
  REQUIRE(verified.has_value());
  CHECK(verified->list_is_late);
  CHECK(verified->list_age == std::optional<Duration>(26h));
  CHECK(scene.fault(revoked) == CertificateFault::kRevoked);  // an old list still revokes
}

TEST_CASE("a list of a wrong signer, from the future or for another authority protects nobody and lets nobody in") {
  Scene forged, future, other;
  for (Scene* scene : {&forged, &future, &other}) scene->rules.revocation = Revocation::kRequired;
  REQUIRE(forged.trust.add_revocation_list(forged.root.revocation_list({}, ec_key().get())));
  CHECK(forged.fault(Wish{}) == CertificateFault::kBadRevocationList);
  REQUIRE(future.trust.add_revocation_list(future.root.revocation_list({kNow + 1h, kNow + 24h, {}})));
  CHECK(future.fault(Wish{}) == CertificateFault::kBadRevocationList);
  REQUIRE(other.trust.add_revocation_list(Authority(Authority::root_wish("other")).revocation_list({})));
  CHECK(other.fault(Wish{}) == CertificateFault::kNoRevocationList);
  CHECK_FALSE(other.trust.add_revocation_list({}));
  CHECK_FALSE(other.trust.add_revocation_list(Octets{1, 2, 3}));
  Octets trailing = other.root.revocation_list({});
  trailing.push_back(0);
  CHECK_FALSE(other.trust.add_revocation_list(trailing));
}

TEST_CASE("a revoked intermediate takes its certificates with it; each issuer's list is required") {
  Scene scene;
  scene.rules.revocation = Revocation::kRequired;
  const Authority issuing(scene.root, Authority::root_wish("issuing"));
  scene.others = {issuing.certificate()};
  REQUIRE(scene.trust.add_revocation_list(issuing.revocation_list({})));
  CHECK(scene.fault(issuing.issue({})) == CertificateFault::kNoRevocationList);
  REQUIRE(scene.trust.add_revocation_list(scene.root.revocation_list({kNow - 2h, kNow + 1h, {}})));
  CHECK(scene.fault(issuing.issue({})) == kGood);
  REQUIRE(scene.trust.add_revocation_list(scene.root.revocation_list({kNow - 1h, kNow + 1h, {issuing.certificate()}})));
  CHECK(scene.fault(issuing.issue({})) == CertificateFault::kRevoked);
}

TEST_CASE("keys and hashes under 112 bits of strength are refused wherever they stand") {
  Scene scene;
  Wish wish;
  wish.key = rsa_key(2048);
  CHECK(scene.fault(wish) == kGood);
  wish.key = rsa_key(1024);
  CHECK(scene.fault(wish) == CertificateFault::kWeak);
  wish = Wish{};
  wish.hash = EVP_sha1();
  CHECK(scene.fault(wish) == CertificateFault::kWeak);
  wish = Wish{};
  wish.key = ec_key("secp256k1");  // strong enough, not ours
  CHECK(scene.fault(wish) == CertificateFault::kWeak);
  wish.key = ed25519_key();
  CHECK(scene.fault(wish) == kGood);
  Wish weak_root = Authority::root_wish("weak");
  weak_root.key = rsa_key(1024);
  Scene weak{Authority(weak_root)};
  CHECK(weak.fault(Wish{}) == CertificateFault::kWeak);
}

TEST_CASE("RFC 4945 5.1.3.2: where usages are named, signing is one of them") {
  Scene scene;
  Wish wish;
  for (const auto& [usage, expected] : {std::pair{"", kGood},
                                        {"critical,digitalSignature", kGood},
                                        {"nonRepudiation,keyEncipherment", kGood},
                                        {"keyEncipherment", std::optional(CertificateFault::kWrongUsage)},
                                        {"critical,keyAgreement", std::optional(CertificateFault::kWrongUsage)}}) {
    wish.usage = usage;
    CHECK(scene.fault(wish) == expected);
  }
}

TEST_CASE("RFC 4945 3.1: the claimed identity must be in the certificate, whole") {
  Scene scene;
  Wish wish;
  wish.alternative =
      "DNS:RTX.Hakodate.example,DNS:*.wild.example,IP:198.51.100.7,IP:2001:db8::7,email:rtx@hakodate.example";
  const Certificate certificate = scene.root.issue(wish);
  const auto judged = [&](ClaimedIdentity::Kind kind, const Octets& data) {
    return scene.fault(certificate, {kind, data});
  };
  const auto text = [](std::string_view t) { return Octets(t.begin(), t.end()); };
  using Kind = ClaimedIdentity::Kind;
  const auto kWrong = std::optional(CertificateFault::kWrongIdentity);

  CHECK(judged(Kind::kFqdn, text("rtx.hakodate.example")) == kGood);
  for (const char* name : {"hakodate.example", ".hakodate.example", "rtx.hakodate.example.", "xrtx.hakodate.example",
                           "rtx", "a.wild.example", "198.51.100.7", "router", "rtx@hakodate.example"}) {
    CHECK(judged(Kind::kFqdn, text(name)) == kWrong);
  }
  CHECK(judged(Kind::kFqdn, {}) == kWrong);
  Octets with_nul = text("rtx.hakodate.example");
  with_nul.push_back(0);
  CHECK(judged(Kind::kFqdn, with_nul) == kWrong);

  CHECK(judged(Kind::kIp, {198, 51, 100, 7}) == kGood);
  CHECK(judged(Kind::kIp, {198, 51, 100, 8}) == kWrong);
  CHECK(judged(Kind::kIp, {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}) == kGood);
  CHECK(judged(Kind::kIp, {198, 51, 100}) == kWrong);
  CHECK(judged(Kind::kIp, text("198.51.100.7")) == kWrong);

  CHECK(judged(Kind::kEmail, text("rtx@hakodate.example")) == kGood);
  CHECK(judged(Kind::kEmail, text("x@hakodate.example")) == kWrong);

  const Octets subject = certificate.subject_der();
  CHECK(judged(Kind::kDn, subject) == kGood);
  CHECK(judged(Kind::kDn, scene.root.certificate().subject_der()) == kWrong);
  Octets trailing = subject;
  trailing.push_back(0);
  CHECK(judged(Kind::kDn, trailing) == kWrong);
  CHECK(judged(Kind::kDn, {0x30, 0}) == kWrong);
  CHECK(judged(Kind::kDn, text("CN=router")) == kWrong);

  const ASN1_OCTET_STRING* const id = X509_get0_subject_key_id(certificate.handle());
  Octets key_id(ASN1_STRING_get0_data(id), ASN1_STRING_get0_data(id) + ASN1_STRING_length(id));
  CHECK(judged(Kind::kKeyId, key_id) == kGood);
  key_id[0] ^= 1;
  CHECK(judged(Kind::kKeyId, key_id) == kWrong);
  key_id.resize(4);
  CHECK(judged(Kind::kKeyId, key_id) == kWrong);

  wish.alternative = "";
  wish.name = "rtx.hakodate.example";  // a common name is no dNSName
  CHECK(scene.fault(wish) == kWrong);
}

TEST_CASE("more certificates than the bound are refused before any work") {
  Scene scene;
  const Certificate certificate = scene.root.issue({});
  for (std::size_t i = 0; i < CertificateTrust::kMostIntermediates; ++i) scene.others.push_back(scene.root.issue({}));
  CHECK(scene.fault(certificate) == kGood);
  scene.others.push_back(certificate);
  CHECK(scene.fault(certificate) == CertificateFault::kTooMany);
}

TEST_CASE("a chain may have as many intermediates as may be sent") {
  Scene scene;
  const Authority* issuer = &scene.root;
  std::list<Authority> chain;
  for (std::size_t i = 0; i < CertificateTrust::kMostIntermediates; ++i) {
    chain.emplace_back(*issuer, Authority::root_wish("intermediate " + std::to_string(i)));
    issuer = &chain.back();
    scene.others.push_back(issuer->certificate());
  }
  CHECK(scene.fault(issuer->issue({})) == kGood);
  scene.others.erase(scene.others.begin() + 3);
  CHECK(scene.fault(issuer->issue({})) == CertificateFault::kUntrusted);
}

TEST_CASE("octets that are no certificate, or one and more, give none") {
  const Authority root;
  Octets der = root.certificate().der();
  REQUIRE(Certificate::parse(der).has_value());
  CHECK(Certificate::parse(der)->der() == der);
  for (std::size_t size = 0; size < der.size(); ++size)
    CHECK_FALSE(Certificate::parse(std::span(der).first(size)).has_value());
  der.push_back(0);
  CHECK_FALSE(Certificate::parse(der).has_value());
  CHECK_FALSE(Certificate::parse(Octets(Certificate::kLargest + 1, 0x30)).has_value());
}

TEST_CASE("a PEM file gives every certificate in it, or none") {
  const Authority one, two;
  const auto pem = [](const Certificate& certificate) {
    BIO* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, certificate.handle());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
  };
  const auto count = [](const std::string& text) {
    const auto all = Certificate::parse_pem({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return all ? all->size() : 0;
  };
  const std::string both = "# ours\n" + pem(one.certificate()) + pem(two.certificate());
  CHECK(count(both) == 2);
  CHECK(count("") == 0);
  CHECK(count("no certificate") == 0);
  CHECK(count(both.substr(0, both.size() - 40)) == 0);
  std::string broken = both;
  broken[both.size() - 100] = '!';
  CHECK(count(broken) == 0);
}

TEST_CASE("RFC 5280 4.1.2.5: a certificate without an end ends where WallTime does") {
  Wish wish = Authority::root_wish("root");
  X509* const copy = X509_dup(Authority(wish).certificate().handle());
  ASN1_TIME_set_string_X509(X509_getm_notAfter(copy), "99991231235959Z");
  ASN1_TIME_set_string_X509(X509_getm_notBefore(copy), "19700101000000Z");
  CHECK(Certificate::of(copy).not_after() == WallTime::max());
  CHECK(Certificate::of(copy).not_before() == WallTime{});
  X509_free(copy);
}

TEST_CASE("a name in a record is short printable ASCII") {
  Wish wish;
  wish.name = "\u51fd\u9928 \x01\x7f router";
  const std::string subject = Authority().issue(wish).subject();
  CHECK(std::ranges::all_of(subject, [](char c) { return c >= 0x20 && c <= 0x7e; }));
  CHECK(subject.find("\\E5\\87\\BD") != std::string::npos);
}

TEST_CASE("RFC 7296 3.7: the hash of an authority is that of its public key info") {
  const Authority root;
  Octets hash(20);
  const Octets info = root.certificate().public_key()->info();
  EVP_Digest(info.data(), info.size(), hash.data(), nullptr, EVP_sha1(), nullptr);
  CHECK(std::ranges::equal(root.certificate().authority_hash(), hash));
}

// OpenSSL looks at the lists before it verifies the chain's signatures: a long list is dear, and a stranger must not
// make us read it.
TEST_CASE("a forged certificate is refused before a long list is looked at, and a long list still revokes") {
  const std::size_t entries = GENERATE(std::size_t{1}, std::size_t{3000});
  Scene scene;
  scene.rules = {kNow, Revocation::kRequired, 0h};
  const Certificate good = scene.root.issue({}), revoked = scene.root.issue({});
  std::vector<Certificate> gone(entries, scene.root.issue({}));
  gone.push_back(revoked);
  const Octets list = scene.root.revocation_list({kNow - 26h, kNow - 2h, gone});
  REQUIRE(scene.trust.add_revocation_list(list));
  const Authority same_name(Authority::root_wish("root"));
  // What is wrong with both tells what was looked at first.
  CHECK(scene.fault(same_name.issue({})) ==
        (list.size() > 32 * 1024 ? CertificateFault::kUntrusted : CertificateFault::kOldRevocationList));
  CHECK(scene.fault(good) == CertificateFault::kOldRevocationList);
  scene.rules.list_grace = 2h;
  CHECK(scene.fault(good) == kGood);
  CHECK(scene.fault(revoked) == CertificateFault::kRevoked);
  CHECK(scene.fault(same_name.issue({})) == CertificateFault::kUntrusted);
}
