// What goes out: our proposals, our answers; and whether an answer is one of our proposals (RFC 7296 2.7, 3.3).
#include <algorithm>

#include "tunnel/ike/mismatch.h"
#include "tunnel/ike/negotiation.h"

namespace tunnel::ike {
namespace {

using crypto::CipherSuite;
using crypto::Encryption;
using crypto::Group;
using crypto::Integrity;
using Reason = NegotiationFailure::Reason;
using enum TransformType;

constexpr std::uint32_t kFirstFreeSpi = 256;  // RFC 4303 2.1

void add_once(std::vector<Transform>& list, const Transform& transform) {
  if (std::ranges::find(list, transform) == list.end()) list.push_back(transform);
}

// Ciphers and integrity of one kind, combined or not; empty when the profile has none of it.
std::vector<Transform> cipher_transforms(const std::vector<CipherSuite>& suites, bool combined) {
  std::vector<Transform> ciphers, integrities;
  for (const CipherSuite& suite : suites) {
    if ((suite.integrity == Integrity::kNone) != combined) continue;
    add_once(ciphers, transform(suite.encryption, suite.key_bits));
    if (!combined) add_once(integrities, transform(suite.integrity));
  }
  std::ranges::copy(integrities, std::back_inserter(ciphers));
  return ciphers;
}

void add_groups(std::vector<Transform>& list, const Profile& profile, Group preferred) {
  if (std::ranges::find(profile.groups, preferred) != profile.groups.end()) add_once(list, transform(preferred));
  for (const Group group : profile.groups) add_once(list, transform(group));
}

std::vector<Proposal> numbered(const std::vector<CipherSuite>& suites, Protocol protocol, const ProposalSpi& spi,
                               const std::vector<Transform>& rest) {
  std::vector<Proposal> proposals;
  for (const bool combined : {true, false}) {
    std::vector<Transform> transforms = cipher_transforms(suites, combined);
    if (transforms.empty()) continue;
    std::ranges::copy(rest, std::back_inserter(transforms));
    const auto number = static_cast<std::uint8_t>(proposals.size() + 1);
    proposals.push_back({number, protocol, spi, std::move(transforms)});
  }
  return proposals;
}

void add_suite(std::vector<Transform>& transforms, const CipherSuite& suite, bool names_no_integrity) {
  transforms.push_back(transform(suite.encryption, suite.key_bits));
  if (suite.integrity != Integrity::kNone || names_no_integrity) transforms.push_back(transform(suite.integrity));
}

// One transform of each type, each one of those offered. Nothing: it is no answer to `offered`.
struct Picked {
  std::optional<Transform> encryption, prf, integrity, group, esn;

  std::optional<Transform>* slot(TransformType type) {
    switch (type) {
      case kEncryption:
        return &encryption;
      case kPrf:
        return &prf;
      case kIntegrity:
        return &integrity;
      case kKeyExchange:
        return &group;
      case kSequenceNumbers:
        return &esn;
    }
    return nullptr;
  }
};

std::optional<Picked> pick(const Proposal& answered, const Proposal& offered) {
  Picked picked;
  for (const Transform& t : answered.transforms) {
    std::optional<Transform>* const slot = picked.slot(t.type);
    const bool none_of_integrity = t == transform(Integrity::kNone) && !offers_type(offered, kIntegrity);
    const bool none_of_group = t == transform(Group::kNone) && !offers_type(offered, kKeyExchange);
    if (slot == nullptr || *slot || !(offers(offered, t) || none_of_integrity || none_of_group)) return std::nullopt;
    *slot = t;
  }
  return picked;
}

const Proposal* matching(std::span<const Proposal> answered, std::span<const Proposal> offered) {
  if (answered.size() != 1) return nullptr;
  const auto found = std::ranges::find_if(offered, [&](const Proposal& p) {
    return p.number == answered[0].number && p.protocol == answered[0].protocol &&
           p.spi.size() == answered[0].spi.size();
  });
  return found == offered.end() ? nullptr : &*found;
}

std::optional<CipherSuite> suite_of(const Picked& picked) {
  if (!picked.encryption) return std::nullopt;
  CipherSuite suite;
  suite.encryption = Encryption{picked.encryption->id};
  suite.key_bits = picked.encryption->key_bits == 0 ? std::uint16_t{256} : picked.encryption->key_bits;
  suite.integrity = picked.integrity ? Integrity{picked.integrity->id} : Integrity::kNone;
  return crypto::is_supported(suite) ? std::optional(suite) : std::nullopt;
}

Group group_of(const Picked& picked) {
  return picked.group ? Group{picked.group->id} : Group::kNone;
}

std::unexpected<NegotiationFailure> wrong_answer() {
  return std::unexpected(NegotiationFailure{Reason::kWrongAnswer, Group::kNone, {}});
}

}  // namespace

Proposal answer(const IkeChoice& choice, std::optional<Spi> our_spi) {
  Proposal proposal{choice.proposal, Protocol::kIke, our_spi ? ProposalSpi::ike(*our_spi) : ProposalSpi{}, {}};
  add_suite(proposal.transforms, choice.cipher, choice.names_no_integrity);
  proposal.transforms.push_back(transform(choice.prf));
  proposal.transforms.push_back(transform(choice.group));
  return proposal;
}

Proposal answer(const EspChoice& choice, std::uint32_t our_spi) {
  Proposal proposal{choice.proposal, Protocol::kEsp, ProposalSpi::esp(our_spi), {}};
  add_suite(proposal.transforms, choice.cipher, choice.names_no_integrity);
  if (choice.group != Group::kNone || choice.names_no_group) proposal.transforms.push_back(transform(choice.group));
  proposal.transforms.push_back(choice.esn ? kEsnTransform : kNoEsnTransform);
  return proposal;
}

std::vector<Proposal> offer_ike(const Profile& profile, Group preferred, std::optional<Spi> our_spi) {
  std::vector<Transform> rest;
  for (const crypto::Prf prf : profile.prfs) rest.push_back(transform(prf));
  add_groups(rest, profile, preferred);
  return numbered(profile.ike, Protocol::kIke, our_spi ? ProposalSpi::ike(*our_spi) : ProposalSpi{}, rest);
}

std::vector<Proposal> offer_esp(const Profile& profile, Group preferred, std::uint32_t our_spi, bool first) {
  std::vector<Transform> rest;
  if (!first) {
    add_groups(rest, profile, preferred);
    if (!profile.pfs_required) rest.push_back(transform(Group::kNone));
  }
  rest.push_back(kEsnTransform);
  rest.push_back(kNoEsnTransform);
  return numbered(profile.esp, Protocol::kEsp, ProposalSpi::esp(our_spi), rest);
}

Result<IkeChoice, NegotiationFailure> accept_ike(std::span<const Proposal> answered, std::span<const Proposal> offered,
                                                 Group public_value) {
  const Proposal* const ours = matching(answered, offered);
  if (ours == nullptr) return wrong_answer();
  const auto picked = pick(answered[0], *ours);
  if (!picked || !picked->prf || group_of(*picked) == Group::kNone) return wrong_answer();
  const auto suite = suite_of(*picked);
  if (!suite || group_of(*picked) != public_value) return wrong_answer();
  return IkeChoice{answered[0].number,           *suite,
                   crypto::Prf{picked->prf->id}, public_value,
                   answered[0].spi.number(),     picked->integrity == transform(Integrity::kNone)};
}

Result<EspChoice, NegotiationFailure> accept_esp(std::span<const Proposal> answered, std::span<const Proposal> offered,
                                                 std::optional<Group> public_value) {
  const Proposal* const ours = matching(answered, offered);
  if (ours == nullptr || answered[0].spi.number() < kFirstFreeSpi) return wrong_answer();
  const auto picked = pick(answered[0], *ours);
  if (!picked || !picked->esn) return wrong_answer();
  const auto suite = suite_of(*picked);
  const Group group = group_of(*picked);
  if (!suite || group != public_value.value_or(Group::kNone)) return wrong_answer();
  if (group == Group::kNone && !group_is_optional(*ours)) return wrong_answer();
  EspChoice choice;
  choice.proposal = answered[0].number;
  choice.cipher = *suite;
  choice.group = group;
  choice.names_no_group = picked->group == transform(Group::kNone);
  choice.esn = *picked->esn == kEsnTransform;
  choice.peer_spi = static_cast<std::uint32_t>(answered[0].spi.number());
  choice.names_no_integrity = picked->integrity == transform(Integrity::kNone);
  return choice;
}

bool may_retry_with(Group group, Group sent, std::span<const Proposal> offered) {
  return group != Group::kNone && group != sent &&
         std::ranges::any_of(offered, [&](const Proposal& p) { return offers(p, transform(group)); });
}

}  // namespace tunnel::ike
