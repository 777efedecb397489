// SK: what strongSwan sealed is opened octet for octet, what we seal is opened again, and one changed bit is seen.
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/fragments.h"
#include "tunnel/ike/payload_auth.h"
#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/payload_notify.h"
#include "tunnel/ike/proposal.h"
#include "tunnel/ike/selectors.h"

using namespace ike_test;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Integrity;
using tunnel::crypto::PacketCipher;

namespace {

const std::vector<CipherSuite> kSuites{
    {Encryption::kAesGcm16, 256, Integrity::kNone},         {Encryption::kAesGcm16, 128, Integrity::kNone},
    {Encryption::kChaCha20Poly1305, 256, Integrity::kNone}, {Encryption::kAesCbc, 256, Integrity::kHmacSha256_128},
    {Encryption::kAesCbc, 128, Integrity::kHmacSha384_192}, {Encryption::kAesCbc, 256, Integrity::kHmacSha512_256}};

PacketCipher cipher(const CipherSuite& suite, std::uint8_t seed = 1) {
  return std::move(*PacketCipher::make(suite, Octets(tunnel::crypto::key_sizes(suite).total(), seed)));
}

const Header kAuth{
    .initiator_spi = 1, .responder_spi = 2, .exchange = Exchange::kAuth, .from_initiator = true, .message_id = 1};

Octets sealed(const CipherSuite& suite, const Content& content, std::optional<FragmentHeader> fragment = {}) {
  SendingCipher sender{cipher(suite), 0};
  CountingRng rng;
  Octets buffer(4096);
  Writer writer(buffer);
  return copy(seal(writer, kAuth, content, fragment, sender, rng));
}

Result<Opened, ParseFailure> opened(Octets& message, PacketCipher& with) {
  const auto header = read_header(message);
  REQUIRE(header);
  if (const auto failure = judge(*header, message.size())) return std::unexpected(*failure);
  const auto payloads = parse_message(message, *header);
  if (!payloads) return std::unexpected(payloads.error());
  return open(message, *payloads, with);
}

}  // namespace

TEST_CASE("what is sealed is opened, for every cipher and length") {
  for (const CipherSuite& suite : kSuites) {
    for (std::size_t size = 0; size <= 40; ++size) {
      Octets inner = body_of([&](Chain& c) { c.begin(PayloadType::kVendor).octets(Octets(size, 5)); });
      inner.insert(inner.begin(), {0, 0, 0, static_cast<std::uint8_t>(size + 4)});
      Octets message = sealed(suite, {PayloadType::kVendor, inner});
      CHECK(message.size() == sealed_size(suite, inner.size(), false));
      PacketCipher receiver = cipher(suite);
      const auto result = opened(message, receiver);
      REQUIRE(result);
      CHECK(result->content.first == PayloadType::kVendor);
      CHECK(copy(result->content.octets) == inner);
      CHECK_FALSE(result->fragment);
    }
    // RFC 7296 2.4: the liveness message has nothing inside.
    Octets empty = sealed(suite, {});
    PacketCipher receiver = cipher(suite);
    const auto result = opened(empty, receiver);
    REQUIRE(result);
    CHECK(result->content.octets.empty());
    CHECK(parse_inner(result->content.first, result->content.octets));
  }
}

TEST_CASE("any changed bit and any other key is refused") {
  for (const CipherSuite& suite : kSuites) {
    for (const bool fragment : {false, true}) {
      const Octets message = sealed(suite, {PayloadType::kVendor, Octets(21, 9)},
                                    fragment ? std::optional(FragmentHeader{1, 2}) : std::nullopt);
      for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
        Octets bad = message;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ 1 << bit % 8);
        PacketCipher receiver = cipher(suite);
        CHECK_FALSE(opened(bad, receiver));
      }
      PacketCipher other = cipher(suite, 2);
      Octets intact = message;
      CHECK(opened(intact, other).error().error == ParseError::kIntegrity);
      PacketCipher right = cipher(suite);
      intact = message;
      CHECK(opened(intact, right));
    }
  }
}

TEST_CASE("a message cut anywhere is refused, also with its lengths put right") {
  for (const CipherSuite& suite : kSuites) {
    const Octets message = sealed(suite, {PayloadType::kVendor, Octets(21, 9)});
    for (std::size_t size = kHeaderSize + kGenericHeaderSize; size < message.size(); ++size) {
      Octets cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
      cut[27] = static_cast<std::uint8_t>(size);
      cut[kHeaderSize + 3] = static_cast<std::uint8_t>(size - kHeaderSize);
      PacketCipher receiver = cipher(suite);
      CHECK(opened(cut, receiver).error().error == ParseError::kIntegrity);
    }
  }
}

TEST_CASE("padding: any octets of any length that fits, none that does not") {
  // RFC 7296 3.14: text made by hand with the pad length `pad` at its end.
  for (const CipherSuite& suite : kSuites) {
    const std::size_t iv_size = tunnel::crypto::explicit_iv_size(suite), text_size = 32;
    for (const std::uint8_t pad : hex("00011e1f20ff")) {
      Octets message = sealed(suite, {PayloadType::kNone, Octets(31, 0x11)});
      const std::size_t start = kHeaderSize + kGenericHeaderSize + iv_size;
      REQUIRE(message.size() == start + text_size + tunnel::crypto::tag_size(suite));
      PacketCipher by_hand = cipher(suite);
      const auto span = std::span(message);
      std::ranges::fill(span.subspan(start, text_size), std::uint8_t{0x77});
      message[start + text_size - 1] = pad;
      const auto before = span.first(kHeaderSize + kGenericHeaderSize);
      by_hand.seal(span.subspan(before.size(), iv_size), {before, {}}, span.subspan(start));
      PacketCipher receiver = cipher(suite);
      const auto result = opened(message, receiver);
      CHECK(result.has_value() == (pad < 32));
      if (result) CHECK(result->content.octets.size() == 31u - pad);
      if (!result) CHECK(result.error().error == ParseError::kPadding);
    }
  }
}

// RFC 5282 3.1: unique for combined modes.
TEST_CASE("IVs never repeat under one key") {
  for (const CipherSuite& suite : {kSuites[0], kSuites[3]}) {
    SendingCipher sender{cipher(suite), 0};
    CountingRng rng;
    std::vector<Octets> ivs;
    for (int i = 0; i < 100; ++i) {
      Octets buffer(256);
      Writer writer(buffer);
      const auto message = seal(writer, kAuth, {}, {}, sender, rng);
      ivs.push_back(copy(message.subspan(32, tunnel::crypto::explicit_iv_size(suite))));
    }
    std::ranges::sort(ivs);
    CHECK(std::ranges::adjacent_find(ivs) == ivs.end());
  }
}

TEST_CASE("a payload beside SK is refused") {
  Octets message = sealed(kSuites[0], {});
  Octets beside(message.begin(), message.begin() + kHeaderSize);
  beside[16] = 43;
  for (const std::uint8_t octet : hex("2e000004")) beside.push_back(octet);
  beside.insert(beside.end(), message.begin() + kHeaderSize, message.end());
  beside[27] = static_cast<std::uint8_t>(beside.size());
  PacketCipher receiver = cipher(kSuites[0]);
  CHECK(opened(beside, receiver).error().error == ParseError::kNotProtected);
}

namespace {

void check_auth_request(const Payloads& payloads) {
  const auto id = parse_identity(payloads.find(PayloadType::kIdInitiator)->body);
  CHECK(to_string(*id) == "fqdn:left.example");
  CHECK(parse_authentication(payloads.find(PayloadType::kAuthentication)->body)->method == AuthMethod::kSharedKey);
  const auto proposals = parse_proposals(payloads.find(PayloadType::kSa)->body);
  REQUIRE(proposals);
  CHECK(proposals->front().protocol == Protocol::kEsp);
  const auto ts = parse_selectors(payloads.find(PayloadType::kSelectorsInitiator)->body);
  REQUIRE(ts);
  CHECK(to_string(*ts) == "10.211.1.0/24, 2001:db8:1::/64");
}

// Everything a known payload can be is parsed; nothing may be refused that strongSwan sends.
void check_every_payload(const Payloads& payloads) {
  for (const Payload& p : payloads) {
    if (p.type == PayloadType::kSa) CHECK(parse_proposals(p.body));
    if (p.type == PayloadType::kKeyExchange) CHECK(parse_key_exchange(p.body));
    if (p.type == PayloadType::kNonce) CHECK(parse_nonce(p.body));
    if (p.type == PayloadType::kNotify) CHECK(parse_notify(p.body));
    if (p.type == PayloadType::kNotify) CHECK(name(parse_notify(p.body)->type) != "unknown");
    if (p.type == PayloadType::kDelete) CHECK(parse_delete(p.body));
    if (p.type == PayloadType::kSelectorsInitiator) CHECK(parse_selectors(p.body));
    if (p.type == PayloadType::kSelectorsResponder) CHECK(parse_selectors(p.body));
  }
}

}  // namespace

TEST_CASE("known answers: whole conversations of strongSwan are opened and understood") {
  const auto all = recorded();
  REQUIRE(all.size() == 3);
  std::size_t fragments = 0, deletes = 0;
  for (const auto& [name, conversation] : all) {
    INFO(name);
    CHECK(conversation.messages.size() >= 10);
    PacketCipher from_initiator = conversation.cipher(true), from_responder = conversation.cipher(false);
    Joiner joiners[2];
    for (const auto& [is_initiator, octets] : conversation.messages) {
      Octets message = octets;
      const auto header = read_header(message);
      REQUIRE(header);
      CHECK_FALSE(judge(*header, message.size()));
      CHECK(header->from_initiator == is_initiator);
      auto payloads = parse_message(message, *header);
      REQUIRE(payloads);
      if (header->exchange == Exchange::kSaInit) {
        check_every_payload(*payloads);
        continue;
      }
      const auto result = open(message, *payloads, is_initiator ? from_initiator : from_responder);
      REQUIRE(result);
      Content content = result->content;
      Joiner& joiner = joiners[is_initiator];
      if (result->fragment) {
        ++fragments;
        if (joiner.add(header->message_id, *result) != Joiner::Step::kComplete) continue;
        content = joiner.content();
      }
      payloads = parse_inner(content.first, content.octets);
      REQUIRE(payloads);
      check_every_payload(*payloads);
      if (header->exchange == Exchange::kAuth && is_initiator) check_auth_request(*payloads);
      deletes += payloads->count(PayloadType::kDelete);
    }
  }
  CHECK(fragments == 6);
  CHECK(deletes == 9);  // a CHILD SA from both ends and the IKE SA, in each of three
}
