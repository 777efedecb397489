// Why no proposal could be chosen. The nearest is the one that differs in the fewest types.
#include "tunnel/ike/mismatch.h"

#include <algorithm>

namespace tunnel::ike {
namespace {

using crypto::CipherSuite;
using crypto::Integrity;
using enum TransformType;

constexpr std::size_t kMostLines = 8, kMostNames = 12;  // a record stays readable whatever is offered

std::vector<std::string> names_of(const Proposal& proposal, TransformType type) {
  std::vector<std::string> names;
  for (const Transform& t : proposal.transforms) {
    if (t.type != type) continue;
    if (names.size() == kMostNames) {
      names.emplace_back("...");
      break;
    }
    names.push_back(name(t));
  }
  return names;
}

std::string line_of(const Proposal& proposal) {
  std::string line = std::to_string(proposal.number) + ":";
  for (const TransformType type : {kEncryption, kIntegrity, kPrf, kKeyExchange, kSequenceNumbers}) {
    std::string part;
    for (const std::string& n : names_of(proposal, type)) part += (part.empty() ? "" : ", ") + n;
    if (!part.empty()) line += (line.back() == ':' ? " " : " / ") + part;
  }
  if (!has_only_known_types(proposal)) line += " / and a transform type we do not have";
  return line;
}

void add_once(std::vector<std::string>& names, std::string text) {
  if (std::ranges::find(names, text) == names.end()) names.push_back(std::move(text));
}

class Gaps {
 public:
  Gaps(const Proposal& proposal, const Profile& profile)
      : proposal_(proposal),
        profile_(profile),
        suites_(proposal.protocol == Protocol::kIke ? profile.ike : profile.esp) {}

  std::vector<Gap> find(bool with_group) {
    cipher();
    if (proposal_.protocol == Protocol::kIke) prf();
    if (with_group) group();
    if (proposal_.protocol == Protocol::kEsp && !offers(proposal_, kEsnTransform) &&
        !offers(proposal_, kNoEsnTransform)) {
      add(kSequenceNumbers, {"no ESN", "ESN"});
    }
    return std::move(gaps_);
  }

 private:
  void add(TransformType type, std::vector<std::string> accepted) {
    gaps_.push_back({type, names_of(proposal_, type), std::move(accepted)});
  }

  // With a cipher we accept, integrity is what is missing for it; else both are shown where the profile has both.
  void cipher() {
    if (std::ranges::any_of(suites_, [&](const CipherSuite& s) { return offers_suite(proposal_, s); })) return;
    std::vector<std::string> ciphers, fitting, all;
    for (const CipherSuite& suite : suites_) {
      add_once(ciphers, name(transform(suite.encryption, suite.key_bits)));
      const std::string integrity = name(transform(suite.integrity));
      if (offers(proposal_, transform(suite.encryption, suite.key_bits))) add_once(fitting, integrity);
      if (suite.integrity != Integrity::kNone) add_once(all, integrity);
    }
    if (!fitting.empty()) return add(kIntegrity, std::move(fitting));
    const bool other_integrity = !all.empty() && std::ranges::none_of(suites_, [&](const CipherSuite& s) {
      return s.integrity != Integrity::kNone && offers(proposal_, transform(s.integrity));
    });
    add(kEncryption, std::move(ciphers));
    if (other_integrity) add(kIntegrity, std::move(all));
  }

  void prf() {
    if (std::ranges::any_of(profile_.prfs, [&](crypto::Prf p) { return offers(proposal_, transform(p)); })) return;
    std::vector<std::string> accepted;
    for (const crypto::Prf p : profile_.prfs) accepted.push_back(name(transform(p)));
    add(kPrf, std::move(accepted));
  }

  void group() {
    const auto usable = [&](crypto::Group g) { return offers(proposal_, transform(g)); };
    const bool may_go_without =
        proposal_.protocol == Protocol::kEsp && !profile_.pfs_required && group_is_optional(proposal_);
    if (may_go_without || std::ranges::any_of(profile_.groups, usable)) return;
    std::vector<std::string> accepted;
    for (const crypto::Group g : profile_.groups) accepted.push_back(name(transform(g)));
    add(kKeyExchange, std::move(accepted));
  }

  const Proposal& proposal_;
  const Profile& profile_;
  const std::vector<CipherSuite>& suites_;
  std::vector<Gap> gaps_;
};

bool is_type_of(TransformType type, Protocol protocol) {
  switch (type) {
    case kEncryption:
    case kIntegrity:
    case kKeyExchange:
      return true;
    case kPrf:
      return protocol == Protocol::kIke;
    case kSequenceNumbers:
      return protocol == Protocol::kEsp;
  }
  return false;
}

}  // namespace

bool offers(const Proposal& proposal, const Transform& wanted) {
  return std::ranges::find(proposal.transforms, wanted) != proposal.transforms.end();
}

bool offers_type(const Proposal& proposal, TransformType type) {
  return std::ranges::find(proposal.transforms, type, &Transform::type) != proposal.transforms.end();
}

bool offers_suite(const Proposal& proposal, const CipherSuite& suite) {
  if (!offers(proposal, transform(suite.encryption, suite.key_bits))) return false;
  return offers(proposal, transform(suite.integrity)) ||
         (suite.integrity == Integrity::kNone && !offers_type(proposal, kIntegrity));
}

bool group_is_optional(const Proposal& proposal) {
  return !offers_type(proposal, kKeyExchange) || offers(proposal, transform(crypto::Group::kNone));
}

bool has_only_known_types(const Proposal& proposal) {
  return std::ranges::all_of(proposal.transforms,
                             [&](const Transform& t) { return is_type_of(t.type, proposal.protocol); });
}

Mismatch explain_mismatch(std::span<const Proposal> proposals, const Profile& profile, Protocol protocol,
                          bool with_group) {
  Mismatch mismatch{protocol, profile.name, {}, proposals.size(), 0, {}};
  for (const Proposal& proposal : proposals) {
    if (mismatch.offered.size() < kMostLines) mismatch.offered.push_back(line_of(proposal));
    if (proposal.protocol != protocol) continue;
    std::vector<Gap> gaps = Gaps(proposal, profile).find(with_group);
    if (mismatch.nearest != 0 && gaps.size() >= mismatch.gaps.size()) continue;
    mismatch.nearest = proposal.number;
    mismatch.gaps = std::move(gaps);
  }
  return mismatch;
}

}  // namespace tunnel::ike
