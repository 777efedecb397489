// IKE_AUTH with certificates (RFC 7427): what comes up, and every reason why it must not.
#include <catch2/catch.hpp>

#include "tests/sim/ike_certified_pair.h"
#include "tunnel/crypto/distinguished_name.h"

using namespace ike_sim;

namespace {

void check_refused(CertifiedPair& pair, std::string_view words) {
  pair.connect(3s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK_FALSE(pair.b.counters().up);
  INFO(words);
  CHECK(pair.b.told(words));
  CHECK(pair.a.told("AUTHENTICATION_FAILED"));
}

ike::IdentityValue dn(std::string_view text) {
  return {ike::IdType::kDn, tunnel::crypto::DistinguishedName::parse_text(text).value().der()};
}

// Each end is configured by a person of its own, who writes the names as he likes.
void call_by_subject(CertifiedPair& pair) {
  pair.b_at_a.local_id = dn("CN=a.example, O=Sekisho tests");
  pair.b_at_a.remote_id = dn("cn=B.Example,o=sekisho  TESTS");
  pair.a_at_b.local_id = dn("CN=b.example,O=Sekisho tests");
  pair.a_at_b.remote_id = dn("CN=A.EXAMPLE, O=Sekisho Tests");
}

}  // namespace

TEST_CASE("ike certificates: every kind of key comes up in both roles") {
  const std::pair<authority::KeyPair, authority::KeyPair> keys[] = {
      {authority::ec_key("P-256"), authority::ec_key("P-384")},
      {authority::ec_key("P-521"), authority::ed25519_key()},
      {authority::rsa_key(3072), authority::ec_key("P-256")},
      {authority::ed25519_key(), authority::rsa_key(2048)},
  };
  for (const auto& [of_a, of_b] : keys) {
    CertifiedPair pair(wish_of("a.example", of_a), wish_of("b.example", of_b));
    pair.connect(3s);
    CHECK(pair.up());
    CHECK(pair.a.keyd.asked == 1);
  }
}

// RFC 7427 4: one of the hash algorithms that the other end has named, and of nothing else.
TEST_CASE("ike certificates: to an initiator's peer that names no hash nothing is signed") {
  CertifiedPair pair;
  pair.middle = [&](Sent& s) {
    static constexpr std::uint8_t kHashes[] = {16431 >> 8, 16431 & 255}, kPrivate[] = {0xbf, 0xff};
    if (s.from.address == pair.b.address)
      if (const auto at = std::ranges::search(s.bytes, kHashes); !at.empty()) std::ranges::copy(kPrivate, at.begin());
    return true;
  };
  pair.connect(3s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK(pair.a.told("the peer names no hash algorithm that our signature can have (RFC 7427)"));
  CHECK(pair.a.keyd.asked == 0);
}

TEST_CASE("ike certificates: as responder without a hash in common nothing is signed either") {
  CertifiedPair pair;
  pair.a_at_b.certificate->schemes.clear();
  pair.connect(3s);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.b.told("the peer names no hash algorithm that our signature can have (RFC 7427)"));
  CHECK(pair.a.told("AUTHENTICATION_FAILED"));
  CHECK(pair.b.keyd.asked == 0);
}

TEST_CASE("ike certificates: fragments carry them where one datagram does not") {
  ike::EndpointParams params;
  params.fragment_size = 300;
  CertifiedPair pair(wish_of("a.example"), wish_of("b.example"), params);
  pair.connect(3s);
  CHECK(pair.up());
  CHECK(pair.carried > 6);
}

TEST_CASE("ike certificates: one of another authority is refused") {
  CertifiedPair pair;
  const authority::Authority other;
  pair.b_at_a.certificate->chain = {other.issue(wish_of("a.example")).der()};
  check_refused(pair, "the peer's certificate is refused");
}

TEST_CASE("ike certificates: the initiator refuses one of another authority, and tells the peer") {
  CertifiedPair pair;
  const authority::Authority other;
  pair.a_at_b.certificate->chain = {other.issue(wish_of("b.example")).der()};
  pair.connect(3s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK(pair.a.told("the peer's certificate is refused"));
  CHECK(pair.b.counters().ike_sas == 0);
}

TEST_CASE("ike certificates: an expired one is refused, and so is one that is not valid yet") {
  for (const auto& [from, to] : {std::pair{kWall - 48h, kWall - 1h}, std::pair{kWall + 1h, kWall + 48h}}) {
    Wish wish = wish_of("a.example");
    wish.from = from, wish.to = to;
    CertifiedPair pair(wish);
    check_refused(pair, "the peer's certificate is refused");
  }
}

// LS-0003-2022R1: the 112-bit level ends with 2030, and with it RSA of 2048 bits, however long its certificate is.
TEST_CASE("ike certificates: a key that is no longer allowed is refused, whatever its certificate says") {
  const tunnel::wire::WallTime end_of_2030{std::chrono::sys_days{std::chrono::year(2031) / 1 / 1}.time_since_epoch()};
  for (const bool late : {false, true}) {
    CertifiedPair pair;
    Wish root = authority::Authority::root_wish("root"), of_a = wish_of("a.example", authority::rsa_key(2048)),
         of_b = wish_of("b.example");
    for (Wish* const wish : {&root, &of_a, &of_b}) wish->to = end_of_2030 + 24h * 365;
    pair.root = authority::Authority(root);
    pair.certify(pair.a, pair.b_at_a, of_a);
    pair.certify(pair.b, pair.a_at_b, of_b);
    for (auto* const peer : {&pair.b_at_a, &pair.a_at_b})
      peer->certificate->revocation = tunnel::crypto::Revocation::kNotChecked;
    for (Node* const node : {&pair.a, &pair.b})
      node->endpoint->set_wall_time(end_of_2030 + (late ? 0s : -60s), pair.now);
    if (late) {
      check_refused(pair, "the peer's key is not allowed: RSA key under 3072 bits");
      continue;
    }
    pair.connect(3s);
    CHECK(pair.up());
  }
}

TEST_CASE("ike certificates: the clock goes on from what the shell has set") {
  Wish wish = wish_of("a.example");
  wish.to = kWall + 1h;
  CertifiedPair pair(wish);
  pair.b.endpoint->set_wall_time(kWall, pair.now);
  pair.now += 2h;
  check_refused(pair, "the peer's certificate is refused");
}

TEST_CASE("ike certificates: a revoked one is refused") {
  CertifiedPair pair;
  const auto revoked = tunnel::crypto::Certificate::parse(pair.b_at_a.certificate->chain.front());
  authority::Authority::List list;
  list.revoked = {*revoked};
  pair.a_at_b.certificate->trust = CertifiedPair::trust_in(pair.root, list);
  check_refused(pair, "the peer's certificate is refused");
}

TEST_CASE("ike certificates: a good one of somebody else is refused") {
  CertifiedPair pair(wish_of("c.example"));
  check_refused(pair, "the peer's certificate is refused");
}

TEST_CASE("ike certificates: the right certificate without its key is refused") {
  CertifiedPair pair;
  auto other = tunnel::crypto::SigningKey::parse_pem(authority::pem_of(authority::ec_key().get()));
  pair.a.keyd.signing.clear();
  pair.a.keyd.signing.emplace("own", std::move(*other));
  check_refused(pair, "the peer's signature is not that of its certificate");
}

TEST_CASE("ike certificates: none at all is refused") {
  CertifiedPair pair;
  pair.b_at_a.certificate->chain.clear();
  check_refused(pair, "the peer sends no certificate");
}

TEST_CASE("ike certificates: a preshared key is no certificate, and a certificate no preshared key") {
  CertifiedPair pair;
  pair.b_at_a.certificate.reset();
  pair.b_at_a.preshared_key = "psk";
  check_refused(pair, "we expect a digital signature");
  CertifiedPair turned;
  turned.a_at_b.certificate.reset();
  turned.a_at_b.preshared_key = "psk";
  turned.a_at_b.profile.preshared_key = true;
  check_refused(turned, "the peer authenticates without its preshared key");
}

// RFC 7296 3.5, RFC 5280 7.1.
TEST_CASE("ike certificates: a distinguished name is found in the certificate's subject") {
  CertifiedPair pair;
  call_by_subject(pair);
  pair.connect(3s);
  CHECK(pair.up());
  pair.b.endpoint->set_peer(pair.a_at_b, pair.now, pair.b.out);
  CHECK(pair.up());
}

TEST_CASE("ike certificates: a distinguished name of nobody, or of somebody else's certificate, is refused") {
  CertifiedPair nobody;
  call_by_subject(nobody);
  nobody.b_at_a.local_id = dn("O=Sekisho tests, CN=a.example");  // the other order is another name
  nobody.connect(3s);
  CHECK_FALSE(nobody.b.counters().up);
  CHECK(nobody.b.told("calls itself dn:O=Sekisho tests,CN=a.example"));
  CertifiedPair other(wish_of("c.example"));
  call_by_subject(other);
  check_refused(other, "the peer's certificate is refused");
  CertifiedPair wanted;  // whom the initiator expects is not sent: it looks at the answer
  call_by_subject(wanted);
  wanted.b_at_a.remote_id = dn("CN=c.example, O=Sekisho tests");
  wanted.connect(3s);
  CHECK_FALSE(wanted.a.counters().up);
  CHECK(wanted.a.told("calls itself dn:CN=b.example,O=Sekisho tests, we expect dn:CN=c.example,O=Sekisho tests"));
}
