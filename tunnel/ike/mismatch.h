// Questions to one proposal, and which of its types keep it from being chosen. For negotiation only.
#pragma once

#include <span>

#include "tunnel/ike/negotiation.h"

namespace tunnel::ike {

inline constexpr Transform kEsnTransform{TransformType::kSequenceNumbers, kEsn, 0, true};
inline constexpr Transform kNoEsnTransform{TransformType::kSequenceNumbers, kNoEsn, 0, true};

// The very transform is there, and no attribute of it is unknown (RFC 7296 3.3.6).
[[nodiscard]] bool offers(const Proposal& proposal, const Transform& transform);
[[nodiscard]] bool offers_type(const Proposal& proposal, TransformType type);
// Cipher and integrity together. RFC 5282 8: a combined mode goes with no integrity, or with NONE.
[[nodiscard]] bool offers_suite(const Proposal& proposal, const crypto::CipherSuite& suite);
// No group is named, or NONE is among them.
[[nodiscard]] bool group_is_optional(const Proposal& proposal);
// RFC 7296 3.3.6: a type that its protocol does not have, or that we do not know, spoils the proposal.
[[nodiscard]] bool has_only_known_types(const Proposal& proposal);

// `with_group`: whether groups play a part (not in IKE_AUTH).
[[nodiscard]] Mismatch explain_mismatch(std::span<const Proposal> proposals, const Profile& profile, Protocol protocol,
                                        bool with_group);

}  // namespace tunnel::ike
