// The choice among proposals under a profile (RFC 7296 2.7, 3.3.6), for both roles; and when there is none, what was
// offered, what is accepted and what lies nearest, as data for the record (explain.h has the words).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tunnel/ike/profile.h"
#include "tunnel/ike/proposal.h"

namespace tunnel::ike {

struct IkeChoice {
  std::uint8_t proposal = 1;  // number of the one that was accepted
  crypto::CipherSuite cipher;
  crypto::Prf prf = crypto::Prf::kHmacSha384;
  crypto::Group group = crypto::Group::kNone;
  Spi peer_spi = 0;                 // of a rekeying proposal
  bool names_no_integrity = false;  // the proposal had integrity NONE in it, so the answer has it too
  friend constexpr bool operator==(const IkeChoice&, const IkeChoice&) = default;
};

struct EspChoice {
  std::uint8_t proposal = 1;
  crypto::CipherSuite cipher;
  crypto::Group group = crypto::Group::kNone;  // kNone: no new key exchange
  bool names_no_group = false;                 // the proposal had group NONE and it was chosen
  bool esn = false;
  std::uint32_t peer_spi = 0;
  bool names_no_integrity = false;
  friend constexpr bool operator==(const EspChoice&, const EspChoice&) = default;
};

// One type of transform in which the nearest proposal and the profile do not meet.
struct Gap {
  TransformType type = TransformType::kEncryption;
  std::vector<std::string> offered;   // names; empty: the proposal lacks this type
  std::vector<std::string> accepted;  // in order of preference
  friend bool operator==(const Gap&, const Gap&) = default;
};

struct Mismatch {
  Protocol protocol = Protocol::kIke;
  ProfileName profile = ProfileName::kStrict;
  std::vector<std::string> offered;  // one line each proposal, at most 8
  std::size_t proposals = 0;         // how many there were
  std::uint8_t nearest = 0;          // number of the proposal with the fewest gaps; 0: none of this protocol
  std::vector<Gap> gaps;             // of the nearest
};

struct NegotiationFailure {
  enum class Reason : std::uint8_t {
    kNoProposal,   // NO_PROPOSAL_CHOSEN; `mismatch` says why
    kInvalidKe,    // INVALID_KE_PAYLOAD with `group`: the proposals are fine, the public value is of another group
    kMissingKe,    // INVALID_SYNTAX: the chosen proposal needs a KE payload and there is none
    kWrongAnswer,  // initiator: the answer is not one of our proposals
  };
  Reason reason = Reason::kNoProposal;
  crypto::Group group = crypto::Group::kNone;
  Mismatch mismatch;
};

// Responder. `public_value`: group of the peer's KE payload. `rekey`: proposals with an SPI of 8 octets
// (CREATE_CHILD_SA).
[[nodiscard]] Result<IkeChoice, NegotiationFailure> choose_ike(std::span<const Proposal> proposals,
                                                               const Profile& profile, crypto::Group public_value,
                                                               bool rekey);
// `public_value`: of the KE payload in CREATE_CHILD_SA, if there is one. `first`: in IKE_AUTH, where groups play no
// part (RFC 7296 1.2).
[[nodiscard]] Result<EspChoice, NegotiationFailure> choose_esp(std::span<const Proposal> proposals,
                                                               const Profile& profile,
                                                               std::optional<crypto::Group> public_value, bool first);

// What we answer with: the chosen proposal with one transform of each type and our SPI.
[[nodiscard]] Proposal answer(const IkeChoice& choice, std::optional<Spi> our_spi);
[[nodiscard]] Proposal answer(const EspChoice& choice, std::uint32_t our_spi);

// Initiator: what we propose. Combined-mode ciphers and those with integrity stand in proposals of their own (RFC 7296
// 3.3). Groups begin with `preferred` when the profile has it: the group of our KE payload.
[[nodiscard]] std::vector<Proposal> offer_ike(const Profile& profile, crypto::Group preferred,
                                              std::optional<Spi> our_spi);
// `first`: in IKE_AUTH, without groups.
[[nodiscard]] std::vector<Proposal> offer_esp(const Profile& profile, crypto::Group preferred, std::uint32_t our_spi,
                                              bool first);
// Initiator: the answer must be exactly one proposal, one of ours, with one transform of each type. `public_value`: of
// the KE payload in the answer.
[[nodiscard]] Result<IkeChoice, NegotiationFailure> accept_ike(std::span<const Proposal> answered,
                                                               std::span<const Proposal> offered,
                                                               crypto::Group public_value);
[[nodiscard]] Result<EspChoice, NegotiationFailure> accept_esp(std::span<const Proposal> answered,
                                                               std::span<const Proposal> offered,
                                                               std::optional<crypto::Group> public_value);
// INVALID_KE_PAYLOAD came: try again with `group`? Only one we offered, and not the one we sent (RFC 7296 1.2, 2.7).
[[nodiscard]] bool may_retry_with(crypto::Group group, crypto::Group sent, std::span<const Proposal> offered);

// What was agreed, for the record: the rows of the table, and "AES-256-GCM (REC), ..., MODP-2048 (REC until
// 2030-12-31)".
[[nodiscard]] std::vector<const Algorithm*> algorithms_of(const IkeChoice& choice);
[[nodiscard]] std::vector<const Algorithm*> algorithms_of(const EspChoice& choice);
[[nodiscard]] std::string to_string(const IkeChoice& choice);
[[nodiscard]] std::string to_string(const EspChoice& choice);

}  // namespace tunnel::ike
