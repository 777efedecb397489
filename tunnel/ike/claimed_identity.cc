#include "tunnel/ike/claimed_identity.h"

namespace tunnel::ike {

std::optional<crypto::ClaimedIdentity> claimed_identity(const Identity& identity) {
  using Kind = crypto::ClaimedIdentity::Kind;
  switch (identity.type) {
    case IdType::kIpv4:
    case IdType::kIpv6:
      return crypto::ClaimedIdentity{Kind::kIp, identity.data};
    case IdType::kFqdn:
      return crypto::ClaimedIdentity{Kind::kFqdn, identity.data};
    case IdType::kEmail:
      return crypto::ClaimedIdentity{Kind::kEmail, identity.data};
    case IdType::kDn:
      return crypto::ClaimedIdentity{Kind::kDn, identity.data};
    case IdType::kKeyId:
      return crypto::ClaimedIdentity{Kind::kKeyId, identity.data};
    case IdType::kGeneralName:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace tunnel::ike
