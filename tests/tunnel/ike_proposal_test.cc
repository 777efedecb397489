// The SA payload: round trips, each length and count at its limits, unknown attributes and protocols.
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/proposal.h"

using namespace ike_test;
using tunnel::crypto::Encryption;
using tunnel::crypto::Group;
using tunnel::crypto::Integrity;
using tunnel::crypto::Prf;

namespace {

std::vector<Proposal> two_proposals() {
  return {{1,
           Protocol::kIke,
           {},
           {transform(Encryption::kAesGcm16, 256), transform(Prf::kHmacSha384), transform(Group::kEcp384)}},
          {2,
           Protocol::kIke,
           {},
           {transform(Encryption::kAesCbc, 128), transform(Integrity::kHmacSha256_128), transform(Prf::kHmacSha256),
            transform(Group::kModp2048)}}};
}

Octets body(const std::vector<Proposal>& proposals) {
  return body_of([&](Chain& c) { append(c, proposals); });
}

std::optional<ParseError> error_of(const Octets& octets) {
  const auto parsed = parse_proposals(octets);
  return parsed ? std::nullopt : std::optional(parsed.error().error);
}

Octets changed(Octets octets, std::size_t at, int value) {
  octets.at(at) = static_cast<std::uint8_t>(value);
  return octets;
}

// One proposal head, SPI and raw transforms; lengths are right.
Octets proposal(int last, int number, int protocol, const Octets& spi, int count, const Octets& transforms) {
  const std::size_t length = 8 + spi.size() + transforms.size();
  Octets octets{static_cast<std::uint8_t>(last),        0,
                static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length),
                static_cast<std::uint8_t>(number),      static_cast<std::uint8_t>(protocol),
                static_cast<std::uint8_t>(spi.size()),  static_cast<std::uint8_t>(count)};
  octets.insert(octets.end(), spi.begin(), spi.end());
  octets.insert(octets.end(), transforms.begin(), transforms.end());
  return octets;
}

const Octets kPrfTransform = hex("0000000802000005");

Octets joined(std::initializer_list<Octets> parts) {
  Octets all;
  for (const Octets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

// RFC 7296 3.3: the SA payload.
TEST_CASE("proposals are read as they were written") {
  const auto proposals = two_proposals();
  const auto parsed = parse_proposals(body(proposals));
  REQUIRE(parsed);
  CHECK(*parsed == proposals);
  const std::vector<Proposal> rekey{{1, Protocol::kIke, ProposalSpi::ike(0x8000000000000001), proposals[0].transforms}};
  REQUIRE(parse_proposals(body(rekey)));
  CHECK(parse_proposals(body(rekey))->front().spi.number() == 0x8000000000000001);
  const std::vector<Proposal> esp{
      {7, Protocol::kEsp, ProposalSpi::esp(0xcafe), {transform(Encryption::kAesGcm16, 256)}}};
  REQUIRE(parse_proposals(body(esp)));
  CHECK(*parse_proposals(body(esp)) == esp);
}

TEST_CASE("an SA payload of strongSwan is read transform by transform") {
  const auto all = recorded();
  const Octets& first = all.at("cbc").messages.front().octets;
  const auto payloads = parse_message(first, *read_header(first));
  REQUIRE(payloads);
  const auto proposals = parse_proposals(payloads->find(PayloadType::kSa)->body);
  REQUIRE(proposals);
  REQUIRE(proposals->size() == 3);
  CHECK((*proposals)[0].transforms == std::vector<Transform>{transform(Encryption::kAesCbc, 256),
                                                             transform(Integrity::kHmacSha256_128),
                                                             transform(Prf::kHmacSha256), transform(Group::kModp2048)});
  CHECK((*proposals)[2].transforms[0] == Transform{TransformType::kEncryption, 3, 0, true});
  CHECK(body(*proposals) == copy(payloads->find(PayloadType::kSa)->body));  // and written as strongSwan wrote it
}

TEST_CASE("an SA payload cut at any octet is refused") {
  const Octets octets = body(two_proposals());
  for (std::size_t size = 0; size < octets.size(); ++size) {
    CHECK_FALSE(parse_proposals(ConstBytes(octets).first(size)));
  }
  Octets longer = octets;
  longer.push_back(0);
  CHECK_FALSE(parse_proposals(longer));
}

TEST_CASE("every octet with every value: never more than is there, lengths are believed nowhere") {
  const Octets octets = body(two_proposals());
  for (std::size_t at = 0; at < octets.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      const auto parsed = parse_proposals(changed(octets, at, value));
      if (!parsed) continue;
      CHECK(parsed->size() <= 2);
      for (const Proposal& p : *parsed) CHECK(p.transforms.size() <= 4);
    }
  }
}

// RFC 7296 3.3.1, RFC 7296 3.3.2: substructures.
TEST_CASE("lengths, counts and markers that contradict each other") {
  const Octets octets = body(two_proposals());
  CHECK(octets.size() == 36 + 44);
  CHECK(error_of(changed(octets, 0, 0)) == ParseError::kProposalLast);   // says it is the last and is not
  CHECK(error_of(changed(octets, 36, 2)) == ParseError::kProposalLast);  // says another follows and none does
  CHECK(error_of(changed(octets, 3, 7)) == ParseError::kProposalLength);
  CHECK(error_of(changed(octets, 3, 81)) == ParseError::kProposalLength);
  CHECK(error_of(changed(octets, 7, 2)) == ParseError::kTransformCount);
  CHECK(error_of(changed(octets, 7, 4)) == ParseError::kTransformCount);
  CHECK(error_of(changed(octets, 7, 65)) == ParseError::kTooManyTransforms);
  CHECK(error_of(changed(octets, 8, 0)) == ParseError::kProposalLast);      // transform: 3 for more, 0 for last
  CHECK(error_of(changed(octets, 11, 7)) == ParseError::kTransformLength);  // below its head
  CHECK(error_of(changed(octets, 11, 11)) == ParseError::kAttribute);       // attribute cut
  CHECK(error_of(changed(octets, 11, 255)) == ParseError::kTransformLength);
  CHECK(error_of(changed(octets, 4, 0)) == ParseError::kProposalNumber);
  CHECK(error_of(changed(octets, 40, 1)) == ParseError::kProposalNumber);
  CHECK(error_of(changed(octets, 40, 3)) == ParseError::kProposalNumber);
  CHECK(error_of({}) == ParseError::kProposalLength);
  // Reserved octets are ignored (RFC 7296 2.5).
  CHECK_FALSE(error_of(changed(changed(octets, 1, 0xff), 9, 0xff)));
}

TEST_CASE("SPI sizes and values by protocol") {
  const auto with_spi = [](int protocol, const Octets& spi) {
    return error_of(proposal(0, 1, protocol, spi, 1, kPrfTransform));
  };
  CHECK_FALSE(with_spi(1, {}));
  CHECK_FALSE(with_spi(1, hex("0000000000000001")));
  CHECK_FALSE(with_spi(3, hex("00000001")));
  CHECK_FALSE(with_spi(2, hex("00000001")));
  CHECK(with_spi(1, hex("00000001")) == ParseError::kProposalSpi);
  CHECK(with_spi(1, hex("0000000000000000")) == ParseError::kProposalSpi);
  CHECK(with_spi(3, {}) == ParseError::kProposalSpi);
  CHECK(with_spi(3, hex("00000000")) == ParseError::kProposalSpi);
  CHECK(with_spi(3, hex("0000000000000001")) == ParseError::kProposalSpi);
  Octets lying = proposal(0, 1, 3, hex("00000001"), 1, kPrfTransform);
  lying[6] = 255;
  CHECK(error_of(lying) == ParseError::kProposalLength);
}

TEST_CASE("a proposal of an unknown protocol is left out, its neighbours stay") {
  const auto parsed = parse_proposals(
      joined({proposal(2, 1, 77, hex("0102030405"), 9, hex("ffff")), proposal(0, 2, 1, {}, 1, kPrfTransform)}));
  REQUIRE(parsed);
  REQUIRE(parsed->size() == 1);
  CHECK(parsed->front().number == 2);
}

TEST_CASE("RFC 7296 3.3.6: a transform with an unknown attribute is there, but not understood") {
  const auto of = [](const Octets& attributes) {
    Octets t = hex("0000000001000014");
    t.insert(t.end(), attributes.begin(), attributes.end());
    t[3] = static_cast<std::uint8_t>(t.size());
    const auto parsed = parse_proposals(proposal(0, 1, 1, {}, 1, t));
    return parsed ? std::optional(parsed->front().transforms.front()) : std::nullopt;
  };
  CHECK(of(hex("800e0100")) == Transform{TransformType::kEncryption, 20, 256, true});
  CHECK(of({}) == Transform{TransformType::kEncryption, 20, 0, true});
  CHECK_FALSE(of(hex("800f0100"))->understood);          // another attribute
  CHECK_FALSE(of(hex("800e0100800e0080"))->understood);  // two key lengths
  CHECK_FALSE(of(hex("800e0000"))->understood);          // a key of no length
  CHECK_FALSE(of(hex("000e00020100"))->understood);      // RFC 7296 3.3.5: key length has the short form only
  CHECK_FALSE(of(hex("00110000"))->understood);
  CHECK_FALSE(of(hex("000e00030100")).has_value());  // long form runs over
  CHECK_FALSE(of(hex("800e01")).has_value());
}

TEST_CASE("32 proposals and 64 transforms are read, one more of either is not") {
  const auto many = [](std::size_t count) {
    Octets all;
    for (std::size_t i = 1; i <= count; ++i) {
      const Octets one = proposal(i == count ? 0 : 2, static_cast<int>(i), 1, {}, 1, kPrfTransform);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  };
  CHECK(parse_proposals(many(32))->size() == 32);
  CHECK(error_of(many(33)) == ParseError::kTooManyProposals);
  const auto long_one = [](std::size_t count) {
    Octets transforms;
    for (std::size_t i = 1; i <= count; ++i) {
      transforms.insert(transforms.end(), kPrfTransform.begin(), kPrfTransform.end());
      transforms[transforms.size() - 8] = i == count ? 0 : 3;
    }
    return proposal(0, 1, 1, {}, static_cast<int>(count), transforms);
  };
  CHECK(parse_proposals(long_one(64))->front().transforms.size() == 64);
  CHECK(error_of(long_one(65)) == ParseError::kTooManyTransforms);
}

// RFC 7634 2: ChaCha20-Poly1305 has one key length and goes without the attribute.
TEST_CASE("key lengths are written where the cipher has several") {
  CHECK(transform(Encryption::kChaCha20Poly1305, 256).key_bits == 0);
  CHECK(transform(Encryption::kAesCbc, 128).key_bits == 128);
  const auto all = recorded();
  const Octets& first = all.at("chacha").messages.front().octets;
  const auto payloads = parse_message(first, *read_header(first));
  REQUIRE(payloads);
  const auto proposals = parse_proposals(payloads->find(PayloadType::kSa)->body);
  REQUIRE(proposals);
  CHECK(proposals->front().transforms.front() == transform(Encryption::kChaCha20Poly1305, 256));
}
