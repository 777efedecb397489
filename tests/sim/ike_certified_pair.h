// A pair of endpoints with certificates of one authority; each may be spoiled before `connect`.
#pragma once

#include "tests/sim/ike_nodes.h"
#include "tests/tunnel/test_authority.h"

namespace ike_sim {

namespace authority = test_authority;
using authority::Wish;

inline Wish wish_of(const std::string& name, authority::KeyPair key = authority::ec_key()) {
  Wish wish;
  wish.name = name;
  wish.alternative = "DNS:" + name;
  wish.key = std::move(key);
  return wish;
}

struct CertifiedPair : Pair {
  explicit CertifiedPair(Wish of_a = wish_of("a.example"), Wish of_b = wish_of("b.example"),
                         ike::EndpointParams params = {})
      : Pair({}, params) {
    certify(a, b_at_a, of_a);
    certify(b, a_at_b, of_b);
  }
  void certify(Node& node, ike::PeerParams& peer, const Wish& wish) {
    ike::CertificateAuthentication own;
    own.key = "own";
    auto key = tunnel::crypto::SigningKey::parse_pem(authority::pem_of(wish.key.get()));
    own.schemes = key->schemes();
    node.keyd.signing.clear();
    node.keyd.signing.emplace("own", std::move(*key));
    own.chain = {root.issue(wish).der()};
    own.trust = trust_in(root, {});
    own.authorities = {root.certificate().authority_hash()};
    peer.certificate = own;
    peer.preshared_key.clear();
    peer.profile = ike::profile_at(ike::ProfileName::kStrict, {}, kWall);
  }
  static std::shared_ptr<const tunnel::crypto::CertificateTrust> trust_in(const authority::Authority& root,
                                                                          const authority::Authority::List& list) {
    auto trust = std::make_shared<tunnel::crypto::CertificateTrust>();
    trust->add_authority(root.certificate());
    authority::must(trust->add_revocation_list(root.revocation_list(list)));
    return trust;
  }
  authority::Authority root;
};

}  // namespace ike_sim
