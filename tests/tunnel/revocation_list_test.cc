// RFC 5280 5: what is in a file of lists, whose it is, and that nothing else is taken for one.
#include "tunnel/crypto/revocation_list.h"

#include <openssl/pem.h>

#include <catch2/catch.hpp>

#include "tests/tunnel/test_authority.h"

using namespace test_authority;
using tunnel::crypto::RevocationList;

namespace {

Octets pem_list(const Octets& der) {
  BIO* const out = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio(out, "X509 CRL", "", der.data(), static_cast<long>(der.size())) > 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  Octets pem(data, data + size);
  BIO_free(out);
  return pem;
}

Octets joined(std::initializer_list<Octets> parts) {
  Octets all;
  for (const Octets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

TEST_CASE("revocation lists: one in DER, one or several in PEM, in their order") {
  const Authority one(Authority::root_wish("one")), other(Authority::root_wish("other"));
  const Octets first = one.revocation_list({kNow - 1h, kNow + 24h, {}});
  const Octets second = other.revocation_list({kNow - 1h, kNow + 48h, {}});
  const auto der = RevocationList::parse(first);
  REQUIRE((der && der->size() == 1));
  CHECK((*der)[0].issuer() == one.certificate().subject());
  CHECK((*der)[0].next_update() == kNow + 24h);
  const Octets words{'w', 'o', 'r', 'd', 's', '\n'};
  const auto both = RevocationList::parse(joined({pem_list(first), words, pem_list(second), words}));
  REQUIRE((both && both->size() == 2));
  CHECK((*both)[1].issuer() == other.certificate().subject());
  CHECK((*both)[1].next_update() == kNow + 48h);
}

TEST_CASE("revocation lists: an authority's is the one that has its name and its signature") {
  const Authority one(Authority::root_wish("one")), same_name(Authority::root_wish("one"));
  const Authority other(Authority::root_wish("other"));
  const auto list = RevocationList::parse(one.revocation_list({}));
  REQUIRE(list);
  CHECK((*list)[0].is_of(one.certificate()));
  CHECK_FALSE((*list)[0].is_of(same_name.certificate()));
  CHECK_FALSE((*list)[0].is_of(other.certificate()));
  auto wish = Authority::root_wish("other");
  wish.key = ec_key();
  const Authority renamed(wish);  // the signature fits, the name does not
  const auto foreign = RevocationList::parse(one.revocation_list({}, wish.key.get()));
  CHECK_FALSE((*foreign)[0].is_of(renamed.certificate()));
}

TEST_CASE("revocation lists: what is none, is cut, or is too many is refused whole") {
  const Authority authority;
  const Octets der = authority.revocation_list({}), pem = pem_list(der);
  CHECK_FALSE(RevocationList::parse({}));
  CHECK_FALSE(RevocationList::parse(Octets{'x'}));
  CHECK_FALSE(RevocationList::parse(joined({der, Octets{0}})));
  CHECK_FALSE(RevocationList::parse(joined({pem, Octets(pem.begin(), pem.begin() + 60)})));  // begun, never ended
  CHECK_FALSE(RevocationList::parse(pem_of(authority.certificate())));
  Octets most;
  for (std::size_t i = 0; i < RevocationList::kMost; ++i) most = joined({most, pem});
  CHECK(RevocationList::parse(most)->size() == RevocationList::kMost);
  CHECK_FALSE(RevocationList::parse(joined({most, pem})));
}
