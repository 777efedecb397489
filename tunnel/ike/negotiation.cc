// RFC 7296 2.7, 3.3.6 as responder. Our order of preference decides, across all proposals; an expiring group is taken
// only when nothing better is offered, so that a router that offers everything gets the best it has.
#include "tunnel/ike/negotiation.h"

#include <algorithm>
#include <tuple>

#include "tunnel/ike/mismatch.h"

namespace tunnel::ike {
namespace {

using crypto::CipherSuite;
using crypto::Group;
using Reason = NegotiationFailure::Reason;

constexpr std::uint32_t kFirstFreeSpi = 256;  // RFC 4303 2.1: below is reserved

// Lower is better: expiring group, then positions in the profile's lists.
using Rank = std::tuple<bool, std::size_t, std::size_t>;

template <class Choice>
struct Candidate {
  Choice choice;
  Rank rank;
};

bool is_expiring(Group group) {
  const Algorithm* const row = find_algorithm(transform(group));
  return group != Group::kNone && (row == nullptr || row->expires);
}

std::optional<std::size_t> best_cipher(const Proposal& proposal, const std::vector<CipherSuite>& suites) {
  const auto found =
      std::ranges::find_if(suites, [&](const CipherSuite& suite) { return offers_suite(proposal, suite); });
  if (found == suites.end()) return std::nullopt;
  return static_cast<std::size_t>(found - suites.begin());
}

// The group of the public value that is already there saves a round trip, unless it expires.
Group best_group(const Proposal& proposal, const std::vector<Group>& groups, std::optional<Group> public_value) {
  const auto usable = [&](Group group) { return offers(proposal, transform(group)); };
  const auto sent = std::ranges::find(groups, public_value.value_or(Group::kNone));
  if (sent != groups.end() && usable(*sent) && !is_expiring(*sent)) return *sent;
  const auto best = std::ranges::find_if(groups, usable);
  return best == groups.end() ? Group::kNone : *best;
}

std::optional<Candidate<IkeChoice>> judge(const Proposal& proposal, const Profile& profile, Group public_value) {
  const auto cipher = best_cipher(proposal, profile.ike);
  const auto prf = std::ranges::find_if(profile.prfs, [&](crypto::Prf p) { return offers(proposal, transform(p)); });
  const Group group = best_group(proposal, profile.groups, public_value);
  if (!cipher || prf == profile.prfs.end() || group == Group::kNone) return std::nullopt;
  IkeChoice choice{proposal.number, profile.ike[*cipher], *prf, group, proposal.spi.number()};
  choice.names_no_integrity = offers(proposal, transform(crypto::Integrity::kNone));
  return Candidate<IkeChoice>{choice, {is_expiring(group), *cipher, prf - profile.prfs.begin()}};
}

// Nothing: no acceptable group, and going without is not acceptable either.
std::optional<Group> pfs_group(const Proposal& proposal, const Profile& profile, std::optional<Group> public_value) {
  const Group group = best_group(proposal, profile.groups, public_value);
  const bool may_go_without = !profile.pfs_required && group_is_optional(proposal);
  if (group == Group::kNone || (!public_value && may_go_without)) {
    return may_go_without ? std::optional(Group::kNone) : std::nullopt;
  }
  return group;
}

std::optional<Candidate<EspChoice>> judge_esp(const Proposal& proposal, const Profile& profile,
                                              std::optional<Group> public_value, bool first) {
  const auto cipher = best_cipher(proposal, profile.esp);
  const auto group = first ? std::optional(Group::kNone) : pfs_group(proposal, profile, public_value);
  const bool esn = offers(proposal, kEsnTransform);
  if (!cipher || !group || !(esn || offers(proposal, kNoEsnTransform))) return std::nullopt;
  EspChoice choice;
  choice.proposal = proposal.number;
  choice.cipher = profile.esp[*cipher];
  choice.group = *group;
  choice.names_no_group = *group == Group::kNone && offers(proposal, transform(Group::kNone));
  choice.esn = esn;
  choice.peer_spi = static_cast<std::uint32_t>(proposal.spi.number());
  choice.names_no_integrity = offers(proposal, transform(crypto::Integrity::kNone));
  return Candidate<EspChoice>{choice, {is_expiring(*group), *cipher, 0}};
}

template <class Choice>
void keep_better(std::optional<Candidate<Choice>>& best, std::optional<Candidate<Choice>> other) {
  if (other && (!best || other->rank < best->rank)) best = std::move(other);
}

}  // namespace

Result<IkeChoice, NegotiationFailure> choose_ike(std::span<const Proposal> proposals, const Profile& profile,
                                                 Group public_value, bool rekey) {
  std::optional<Candidate<IkeChoice>> best;
  for (const Proposal& proposal : proposals) {
    const bool fits = proposal.protocol == Protocol::kIke && proposal.spi.size() == (rekey ? 8u : 0u);
    if (fits && has_only_known_types(proposal)) keep_better(best, judge(proposal, profile, public_value));
  }
  if (!best) {
    return std::unexpected(
        NegotiationFailure{Reason::kNoProposal, {}, explain_mismatch(proposals, profile, Protocol::kIke, true)});
  }
  // RFC 7296 1.2: the peer learns the group and tries again.
  if (best->choice.group != public_value) {
    return std::unexpected(NegotiationFailure{Reason::kInvalidKe, best->choice.group, {}});
  }
  return best->choice;
}

Result<EspChoice, NegotiationFailure> choose_esp(std::span<const Proposal> proposals, const Profile& profile,
                                                 std::optional<Group> public_value, bool first) {
  std::optional<Candidate<EspChoice>> best;
  for (const Proposal& proposal : proposals) {
    const bool fits = proposal.protocol == Protocol::kEsp && proposal.spi.number() >= kFirstFreeSpi;
    if (fits && has_only_known_types(proposal)) {
      keep_better(best, judge_esp(proposal, profile, public_value, first));
    }
  }
  if (!best) {
    return std::unexpected(
        NegotiationFailure{Reason::kNoProposal, {}, explain_mismatch(proposals, profile, Protocol::kEsp, !first)});
  }
  const Group group = best->choice.group;
  if (group == Group::kNone || group == public_value) return best->choice;
  const Reason reason = public_value ? Reason::kInvalidKe : Reason::kMissingKe;
  return std::unexpected(NegotiationFailure{reason, group, {}});
}

}  // namespace tunnel::ike
