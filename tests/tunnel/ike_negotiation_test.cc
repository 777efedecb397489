// The choice (RFC 7296 2.7, 3.3.6), both roles; and the words when there is none.
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/explain.h"
#include "tunnel/ike/negotiation.h"

using namespace ike_test;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Group;
using tunnel::crypto::Integrity;
using tunnel::crypto::Prf;
using Reason = NegotiationFailure::Reason;
using Transforms = std::vector<Transform>;

namespace {

const tunnel::wire::WallTime kToday{std::chrono::hours(24 * 20782)};  // 2026-11-25
const Profile kStrictProfile = profile_at(ProfileName::kStrict, {}, kToday);
const Profile kCompatProfile = profile_at(ProfileName::kCompat, {}, kToday);

const Transform kGcm = transform(Encryption::kAesGcm16, 256);
const Transform kCbc = transform(Encryption::kAesCbc, 256);
const Transform kSha256 = transform(Integrity::kHmacSha256_128);
const Transform kPrf384 = transform(Prf::kHmacSha384), kPrf256 = transform(Prf::kHmacSha256);
const Transform kWithEsn{TransformType::kSequenceNumbers, 1, 0, true},
    kWithoutEsn{TransformType::kSequenceNumbers, 0, 0, true};
const Transform kSha1{TransformType::kIntegrity, 2, 0, true}, kTripleDes{TransformType::kEncryption, 3, 0, true};
const Transform kPrfSha1{TransformType::kPrf, 2, 0, true}, kModp1024{TransformType::kKeyExchange, 2, 0, true};
Transform group(Group g) {
  return transform(g);
}

Proposal ike(int number, Transforms transforms) {
  return {static_cast<std::uint8_t>(number), Protocol::kIke, {}, std::move(transforms)};
}
Proposal esp(int number, Transforms transforms) {
  return {static_cast<std::uint8_t>(number), Protocol::kEsp, ProposalSpi::esp(0x12345678), std::move(transforms)};
}

auto choose(const std::vector<Proposal>& proposals, const Profile& profile, Group sent) {
  return choose_ike(proposals, profile, sent, false);
}
auto choose_first(const std::vector<Proposal>& proposals, const Profile& profile) {
  return choose_esp(proposals, profile, std::nullopt, true);
}
std::optional<Reason> reason(const auto& result) {
  return result ? std::nullopt : std::optional(result.error().reason);
}

}  // namespace

TEST_CASE("our preference decides across all proposals") {
  const auto result = choose({ike(1, {kCbc, kSha256, kPrf256, group(Group::kEcp256)}),
                              ike(2, {kGcm, kPrf256, kPrf384, group(Group::kEcp256)})},
                             kCompatProfile, Group::kEcp256);
  REQUIRE(result);
  CHECK(result->proposal == 2);
  CHECK(result->cipher == CipherSuite{Encryption::kAesGcm16, 256, Integrity::kNone});
  CHECK(result->prf == Prf::kHmacSha384);
  // Equal ones: the peer's first.
  CHECK(choose({ike(1, {kGcm, kPrf384, group(Group::kEcp256)}), ike(2, {kGcm, kPrf384, group(Group::kEcp256)})},
               kCompatProfile, Group::kEcp256)
            ->proposal == 1);
}

TEST_CASE("a router that offers everything gets the best it has") {
  // Yamaha without `proposal-limitation`: weak ones first, and the public value of a weak group.
  const std::vector<Proposal> everything{
      ike(1, {kTripleDes, kSha1, kPrfSha1, kModp1024}),
      ike(2, {kTripleDes, kCbc, kSha1, kSha256, kPrfSha1, kPrf256, kModp1024, group(Group::kModp2048)}),
      ike(3, {kCbc, kSha256, kPrf256, group(Group::kModp2048), group(Group::kEcp384)})};
  const auto first = choose(everything, kCompatProfile, Group{2});
  REQUIRE(reason(first) == Reason::kInvalidKe);
  CHECK(first.error().group == Group::kEcp384);
  const auto second = choose(everything, kCompatProfile, Group::kEcp384);
  REQUIRE(second);
  CHECK(second->proposal == 3);
  // An expiring group is taken when it is all there is.
  const auto only = choose({everything[1]}, kCompatProfile, Group::kModp2048);
  REQUIRE(only);
  CHECK(only->group == Group::kModp2048);
  CHECK(to_string(*only) ==
        "AES-256-CBC (REC), HMAC-SHA-256 (REC), PRF-HMAC-SHA-256 (REC), MODP-2048 (REC until "
        "2030-12-31)");
  // ... but not when the peer has better, although its public value is of that group.
  CHECK(choose({everything[1], everything[2]}, kCompatProfile, Group::kModp2048).error().group == Group::kEcp384);
}

TEST_CASE("RFC 7296 1.2: the group of the public value is taken when it is as good, else the peer is told") {
  const std::vector<Proposal> offered{ike(1, {kGcm, kPrf384, group(Group::kEcp384), group(Group::kEcp256)})};
  CHECK(choose(offered, kStrictProfile, Group::kEcp256)->group == Group::kEcp256);
  CHECK(choose(offered, kStrictProfile, Group::kEcp384)->group == Group::kEcp384);
  const auto other = choose(offered, kStrictProfile, Group::kModp2048);
  REQUIRE(reason(other) == Reason::kInvalidKe);
  CHECK(other.error().group == Group::kEcp384);
  // Of a group that is not in the chosen proposal at all: RFC 7296 1.3.
  CHECK(reason(choose(offered, kStrictProfile, Group::kEcp521)) == Reason::kInvalidKe);
}

// RFC 5282 8: integrity NONE or none at all.
TEST_CASE("RFC 5282 8: combined modes go without integrity, others only with it") {
  CHECK(choose({ike(1, {kGcm, transform(Integrity::kNone), kPrf384, group(Group::kEcp384)})}, kStrictProfile,
               Group::kEcp384)
            ->names_no_integrity);
  CHECK(reason(choose({ike(1, {kGcm, kSha256, kPrf384, group(Group::kEcp384)})}, kStrictProfile, Group::kEcp384)) ==
        Reason::kNoProposal);
  CHECK(reason(choose({ike(1, {kCbc, kPrf384, group(Group::kEcp384)})}, kCompatProfile, Group::kEcp384)) ==
        Reason::kNoProposal);
  CHECK(reason(choose({ike(1, {kCbc, transform(Integrity::kNone), kPrf384, group(Group::kEcp384)})}, kCompatProfile,
                      Group::kEcp384)) == Reason::kNoProposal);
  // Both kinds mixed in one proposal: what fits together is found.
  CHECK(choose({ike(1, {kGcm, kCbc, kSha256, kPrf384, group(Group::kEcp384)})}, kCompatProfile, Group::kEcp384)
            ->cipher.encryption == Encryption::kAesCbc);
}

TEST_CASE("missing transforms, wrong key lengths, unknown attributes and types") {
  const Transforms good{kGcm, kPrf384, group(Group::kEcp384)};
  REQUIRE(choose({ike(1, good)}, kStrictProfile, Group::kEcp384));
  for (std::size_t missing = 0; missing < good.size(); ++missing) {
    Transforms less = good;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(missing));
    CHECK(reason(choose({ike(1, less)}, kStrictProfile, Group::kEcp384)) == Reason::kNoProposal);
  }
  Transforms changed = good;
  changed[0].key_bits = 0;  // RFC 7296 3.3.5: AES without a key length
  CHECK_FALSE(choose({ike(1, changed)}, kStrictProfile, Group::kEcp384));
  changed[0].key_bits = 128;
  CHECK_FALSE(choose({ike(1, changed)}, kStrictProfile, Group::kEcp384));
  changed = good;
  changed[0].understood = false;
  CHECK_FALSE(choose({ike(1, changed)}, kStrictProfile, Group::kEcp384));
  changed.push_back(kGcm);  // its sibling without the attribute
  CHECK(choose({ike(1, changed)}, kStrictProfile, Group::kEcp384));
  // RFC 7296 3.3.6: a type we do not know spoils its proposal, not the others.
  changed = good;
  changed.push_back({TransformType{6}, 36, 0, true});
  CHECK_FALSE(choose({ike(1, changed)}, kStrictProfile, Group::kEcp384));
  CHECK(choose({ike(1, changed), ike(2, good)}, kStrictProfile, Group::kEcp384)->proposal == 2);
  // Types of the other protocol.
  changed = good;
  changed.push_back(kWithEsn);
  CHECK_FALSE(choose({ike(1, changed)}, kStrictProfile, Group::kEcp384));
  CHECK_FALSE(choose_first({esp(1, {kGcm, kWithEsn, kPrf384})}, kStrictProfile));
  CHECK_FALSE(choose({}, kStrictProfile, Group::kEcp384));
  CHECK_FALSE(choose({ike(1, good)}, Profile{}, Group::kEcp384));
}

TEST_CASE("the SPI belongs to rekeying") {
  Proposal proposal = ike(1, {kGcm, kPrf384, group(Group::kEcp384)});
  CHECK_FALSE(choose_ike(std::vector{proposal}, kStrictProfile, Group::kEcp384, true));
  proposal.spi = ProposalSpi::ike(77);
  CHECK_FALSE(choose_ike(std::vector{proposal}, kStrictProfile, Group::kEcp384, false));
  CHECK(choose_ike(std::vector{proposal}, kStrictProfile, Group::kEcp384, true)->peer_spi == 77);
  Proposal child = esp(1, {kGcm, kWithEsn});
  child.spi = ProposalSpi::esp(255);  // RFC 4303 2.1: reserved
  CHECK_FALSE(choose_first({child}, kStrictProfile));
  child.spi = ProposalSpi::esp(256);
  CHECK(choose_first({child}, kStrictProfile)->peer_spi == 256);
  child.protocol = Protocol::kAh;
  CHECK_FALSE(choose_first({child}, kStrictProfile));
}

TEST_CASE("ESN: taken when offered, none needed, one of both must be there") {
  CHECK(choose_first({esp(1, {kGcm, kWithoutEsn, kWithEsn})}, kStrictProfile)->esn);
  CHECK_FALSE(choose_first({esp(1, {kGcm, kWithoutEsn})}, kStrictProfile)->esn);
  CHECK(reason(choose_first({esp(1, {kGcm})}, kStrictProfile)) == Reason::kNoProposal);
}

TEST_CASE("groups of a CHILD SA") {
  const auto choose_later = [](Transforms transforms, const Profile& profile, std::optional<Group> sent) {
    transforms.insert(transforms.begin(), {kGcm, kWithEsn});
    return choose_esp(std::vector{esp(1, std::move(transforms))}, profile, sent, false);
  };
  // RFC 7296 1.2: in IKE_AUTH they play no part.
  CHECK(choose_first({esp(1, {kGcm, kWithEsn, kModp1024})}, kStrictProfile)->group == Group::kNone);
  const Transform p384 = group(Group::kEcp384), none = group(Group::kNone);
  CHECK(choose_later({p384}, kStrictProfile, Group::kEcp384)->group == Group::kEcp384);
  CHECK(reason(choose_later({p384}, kStrictProfile, Group::kEcp256)) == Reason::kInvalidKe);
  CHECK(reason(choose_later({p384}, kStrictProfile, std::nullopt)) == Reason::kMissingKe);
  CHECK(reason(choose_later({p384}, kCompatProfile, std::nullopt)) == Reason::kMissingKe);
  // PFS: strict needs it, compat does without when the peer does.
  CHECK(reason(choose_later({}, kStrictProfile, std::nullopt)) == Reason::kNoProposal);
  CHECK(choose_later({}, kCompatProfile, std::nullopt)->group == Group::kNone);
  CHECK(reason(choose_later({p384, none}, kStrictProfile, std::nullopt)) == Reason::kMissingKe);
  CHECK(choose_later({p384, none}, kCompatProfile, std::nullopt)->names_no_group);
  CHECK(choose_later({p384, none}, kCompatProfile, Group::kEcp384)->group == Group::kEcp384);
  CHECK(reason(choose_later({kModp1024}, kCompatProfile, Group{2})) == Reason::kNoProposal);
}

TEST_CASE("both roles agree, for every pair of profiles and each group of the public value") {
  for (const Profile* ours : {&kStrictProfile, &kCompatProfile}) {
    for (const Profile* theirs : {&kStrictProfile, &kCompatProfile}) {
      for (const Group sent : ours->groups) {
        const auto offered = offer_ike(*ours, sent, std::nullopt);
        CHECK(offered.front().transforms.size() <= kMaximumTransforms);
        auto chosen = choose(offered, *theirs, sent);
        if (!chosen) {  // the peer asks for another group; the second try succeeds
          REQUIRE(reason(chosen) == Reason::kInvalidKe);
          REQUIRE(may_retry_with(chosen.error().group, sent, offered));
          chosen = choose(offered, *theirs, chosen.error().group);
        }
        REQUIRE(chosen);
        const auto accepted = accept_ike(std::vector{answer(*chosen, std::nullopt)}, offered, chosen->group);
        REQUIRE(accepted);
        CHECK(accepted->cipher == chosen->cipher);
        CHECK(accepted->prf == chosen->prf);
        CHECK(accepted->group == chosen->group);
        for (const bool first : {true, false}) {
          const auto children = offer_esp(*ours, sent, 0xabcd, first);
          const auto public_value = first ? std::nullopt : std::optional(chosen->group);
          const auto child = choose_esp(children, *theirs, public_value, first);
          REQUIRE(child);
          CHECK(child->peer_spi == 0xabcd);
          CHECK(child->esn);
          const auto agreed = accept_esp(std::vector{answer(*child, 0x9999)}, children, public_value);
          REQUIRE(agreed);
          CHECK(agreed->cipher == child->cipher);
          CHECK(agreed->group == child->group);
          CHECK(agreed->esn == child->esn);
          CHECK(agreed->peer_spi == 0x9999);
        }
      }
    }
  }
}

TEST_CASE("offers: the group of the public value first, kinds of ciphers apart") {
  const auto offered = offer_ike(kCompatProfile, Group::kModp3072, 5);
  REQUIRE(offered.size() == 2);
  CHECK(offered[0].spi.number() == 5);
  for (const Proposal& p : offered) {
    const auto first_group = std::ranges::find(p.transforms, TransformType::kKeyExchange, &Transform::type);
    CHECK(*first_group == group(Group::kModp3072));
    const bool has_integrity =
        std::ranges::find(p.transforms, TransformType::kIntegrity, &Transform::type) != p.transforms.end();
    for (const Transform& t : p.transforms) {
      if (t.type == TransformType::kEncryption) CHECK((t.id == 12) == has_integrity);
    }
  }
  CHECK(offer_ike(kStrictProfile, Group::kNone, std::nullopt).size() == 1);
}

TEST_CASE("as initiator: an answer that is not one of our proposals is refused") {
  const auto offered = offer_ike(kCompatProfile, Group::kEcp384, std::nullopt);
  const Proposal good{1, Protocol::kIke, {}, {kGcm, kPrf384, group(Group::kEcp384)}};
  const auto accept = [&](const Proposal& p) { return accept_ike(std::vector{p}, offered, Group::kEcp384); };
  REQUIRE(accept(good));
  CHECK_FALSE(accept_ike(std::vector{good, good}, offered, Group::kEcp384));
  CHECK_FALSE(accept_ike({}, offered, Group::kEcp384));
  CHECK_FALSE(accept_ike(std::vector{good}, offered, Group::kEcp256));  // KE payload of another group
  const auto with = [&](std::size_t index, const Transform& t) {
    Proposal p = good;
    p.transforms[index] = t;
    return p;
  };
  CHECK_FALSE(accept(with(0, kCbc)));                                   // of our other proposal
  CHECK_FALSE(accept(with(0, transform(Encryption::kAesGcm16, 192))));  // never offered
  CHECK_FALSE(accept(with(1, kPrfSha1)));
  CHECK_FALSE(accept(with(2, group(Group::kCurve25519))));
  Proposal p = good;
  p.number = 9;
  CHECK_FALSE(accept(p));
  p = good;
  p.transforms.push_back(kPrf256);  // two of a type
  CHECK_FALSE(accept(p));
  p = good;
  p.transforms.pop_back();
  CHECK_FALSE(accept(p));
  p = good;
  p.transforms.push_back(kSha256);  // integrity beside a combined mode
  CHECK_FALSE(accept(p));
  p = good;
  p.transforms.push_back(transform(Integrity::kNone));
  CHECK(accept(p));
  p = good;
  p.spi = ProposalSpi::ike(1);
  CHECK_FALSE(accept(p));
  Proposal cbc{2, Protocol::kIke, {}, {kCbc, kPrf384, group(Group::kEcp384)}};  // CBC without integrity
  CHECK_FALSE(accept(cbc));
  cbc.transforms.push_back(kSha256);
  CHECK(accept(cbc));
}

TEST_CASE("as initiator: answers for a CHILD SA") {
  const auto first = offer_esp(kStrictProfile, Group::kEcp384, 0xabcd, true);
  const auto later = offer_esp(kStrictProfile, Group::kEcp384, 0xabcd, false);
  const auto accept = [](const Proposal& p, const auto& offered, std::optional<Group> sent) {
    return accept_esp(std::vector{p}, offered, sent).has_value();
  };
  CHECK(accept(esp(1, {kGcm, kWithEsn}), first, std::nullopt));
  CHECK(accept(esp(1, {kGcm, kWithoutEsn, group(Group::kNone)}), first, std::nullopt));
  CHECK_FALSE(accept(esp(1, {kGcm}), first, std::nullopt));
  CHECK_FALSE(accept(esp(1, {kGcm, kWithEsn, kWithoutEsn}), first, std::nullopt));
  CHECK_FALSE(accept(esp(1, {kGcm, kWithEsn, group(Group::kEcp384)}), first, Group::kEcp384));
  CHECK(accept(esp(1, {kGcm, kWithEsn, group(Group::kEcp384)}), later, Group::kEcp384));
  CHECK_FALSE(accept(esp(1, {kGcm, kWithEsn, group(Group::kEcp384)}), later, std::nullopt));
  CHECK_FALSE(accept(esp(1, {kGcm, kWithEsn}), later, std::nullopt));  // PFS taken away
  Proposal low = esp(1, {kGcm, kWithEsn});
  low.spi = ProposalSpi::esp(255);
  CHECK_FALSE(accept(low, first, std::nullopt));
}

TEST_CASE("RFC 7296 2.7: INVALID_KE_PAYLOAD is followed only to another group we offered") {
  const auto offered = offer_ike(kStrictProfile, Group::kEcp384, std::nullopt);
  CHECK(may_retry_with(Group::kEcp256, Group::kEcp384, offered));
  CHECK_FALSE(may_retry_with(Group::kEcp384, Group::kEcp384, offered));
  CHECK_FALSE(may_retry_with(Group::kModp2048, Group::kEcp384, offered));
  CHECK_FALSE(may_retry_with(Group{2}, Group::kEcp384, offered));
  CHECK_FALSE(may_retry_with(Group::kNone, Group::kEcp384, offered));
}

TEST_CASE("the words: what was offered, what is accepted, which setting of the router") {
  const auto failed = choose(
      {ike(1, {kTripleDes, kSha1, kPrfSha1, kModp1024}), ike(2, {kCbc, kSha1, kPrf256, group(Group::kModp2048)})},
      kCompatProfile, Group{2});
  REQUIRE(reason(failed) == Reason::kNoProposal);
  const Mismatch& mismatch = failed.error().mismatch;
  CHECK(mismatch.nearest == 2);
  REQUIRE(mismatch.gaps.size() == 1);
  CHECK(mismatch.gaps[0] ==
        Gap{TransformType::kIntegrity, {"HMAC-SHA1"}, {"HMAC-SHA-256", "HMAC-SHA-384", "HMAC-SHA-512"}});
  CHECK(explain(failed.error(), Vendor::kYamahaRtx) ==
        "IKE SA: nothing the router offers is allowed by ipsec-compat\n"
        "offered 1: 3DES / HMAC-SHA1 / PRF-HMAC-SHA1 / MODP-1024\n"
        "offered 2: AES-256-CBC / HMAC-SHA1 / PRF-HMAC-SHA-256 / MODP-2048\n"
        "nearest: proposal 2\n"
        "change integrity: offered HMAC-SHA1; accepted HMAC-SHA-256, HMAC-SHA-384, HMAC-SHA-512; the router's setting: "
        "ipsec ike hash\n");
  CHECK(explain(failed.error()).find("setting") == std::string::npos);
}

TEST_CASE("the words for a strict profile, a missing PFS and a foreign network") {
  const auto failed =
      choose({ike(1, {kCbc, kSha256, kPrf256, group(Group::kModp2048)})}, kStrictProfile, Group::kModp2048);
  const std::string text = explain(failed.error(), Vendor::kFortigate);
  CHECK(text.find("change encryption: offered AES-256-CBC; accepted AES-256-GCM; the router's setting: "
                  "phase1-interface: set proposal\n") != std::string::npos);
  CHECK(text.find("change PRF: offered PRF-HMAC-SHA-256; accepted PRF-HMAC-SHA-384") != std::string::npos);
  CHECK(text.find("phase1-interface: set dhgrp") != std::string::npos);
  const auto no_pfs = choose_esp(std::vector{esp(1, {kGcm, kWithoutEsn})}, kStrictProfile, std::nullopt, false);
  CHECK(explain(no_pfs.error(), Vendor::kNecIx)
            .find("change PFS group: offered none; accepted ECP-384, ECP-256, ECP-521, "
                  "MODP-4096; the router's setting: ikev2 child-pfs\n") != std::string::npos);
  const std::vector<Selector> own{Selector::of(*tunnel::wire::Prefix::parse("10.1.0.0/24"))};
  const std::vector<Selector> other{Selector::of(*tunnel::wire::Prefix::parse("10.2.0.0/24"))};
  const SelectorRefusal refusal{SelectorRefusal::Reason::kForeign, true, other[0]};
  CHECK(explain(refusal, other, own, {own, own, {}}) ==
        "traffic selectors: 10.2.0.0/24 on the router's side belongs to another facility\n"
        "the router's side: offered 10.2.0.0/24; allowed 10.1.0.0/24\n"
        "our side: offered 10.1.0.0/24; allowed 10.1.0.0/24\n");
}

TEST_CASE("every vendor has a setting for each type, and the words stay short") {
  for (const char* text : {"yamaha-rtx", "nec-ix", "cisco-ios-xe", "fortigate", "alliedware-plus", "strongswan"}) {
    const auto vendor = vendor_named(text);
    REQUIRE(vendor);
    for (const TransformType type :
         {TransformType::kEncryption, TransformType::kIntegrity, TransformType::kKeyExchange}) {
      CHECK_FALSE(setting(*vendor, Protocol::kIke, type).empty());
      CHECK_FALSE(setting(*vendor, Protocol::kEsp, type).empty());
    }
  }
  CHECK_FALSE(vendor_named("nobody"));
  Transforms all;
  for (std::uint16_t id = 1000; id < 1064; ++id) all.push_back({TransformType::kEncryption, id, 128, false});
  std::vector<Proposal> many;
  for (int i = 1; i <= 32; ++i) many.push_back(ike(i, all));
  const auto failed = choose(many, kStrictProfile, Group::kEcp384);
  const std::string text = explain(failed.error());
  CHECK(text.size() < 8000);
  CHECK(text.find("and 24 more proposals") != std::string::npos);
  CHECK(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
}
