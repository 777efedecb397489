// Header, payload chain and the smaller payloads: round trips, and every way to be wrong.
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/payload_auth.h"
#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/payload_notify.h"
#include "tunnel/ike/payload_other.h"

using namespace ike_test;

namespace {

const Header kRequest{.initiator_spi = 0x0102030405060708, .from_initiator = true};

// Nonce (20 octets) and a notify with data.
Octets small_message(const Header& header = kRequest) {
  Octets buffer(512);
  Writer writer(buffer);
  PlainMessage message(writer, header);
  append_nonce(message.chain(), Octets(20, 0xaa));
  append(message.chain(), NotifyType::kCookie, Octets{1, 2, 3});
  return copy(message.finish());
}

std::optional<ParseError> error_of(const Octets& octets) {
  const auto header = read_header(octets);
  if (!header) return ParseError::kHeaderTooShort;
  if (const auto failure = judge(*header, octets.size())) return failure->error;
  const auto payloads = parse_message(octets, *header);
  return payloads ? std::nullopt : std::optional(payloads.error().error);
}

Octets with_length(Octets octets) {
  octets[26] = static_cast<std::uint8_t>(octets.size() >> 8);
  octets[27] = static_cast<std::uint8_t>(octets.size());
  return octets;
}

Octets changed(Octets octets, std::size_t at, std::uint8_t value) {
  octets.at(at) = value;
  return octets;
}

}  // namespace

TEST_CASE("a message is read as it was written") {
  const Octets octets = small_message();
  const auto header = read_header(octets);
  REQUIRE(header);
  CHECK_FALSE(judge(*header, octets.size()));
  CHECK(header->initiator_spi == 0x0102030405060708);
  CHECK(header->responder_spi == 0);
  CHECK(header->exchange == Exchange::kSaInit);
  CHECK(header->from_initiator);
  CHECK_FALSE(header->response);
  CHECK(header->length == octets.size());
  const auto payloads = parse_message(octets, *header);
  REQUIRE(payloads);
  REQUIRE(payloads->size() == 2);
  CHECK((*payloads)[0].type == PayloadType::kNonce);
  CHECK((*payloads)[0].offset == kHeaderSize + kGenericHeaderSize);
  CHECK(copy((*payloads)[0].body) == Octets(20, 0xaa));
  REQUIRE(payloads->find(PayloadType::kNotify) != nullptr);
  CHECK(payloads->find(PayloadType::kSa) == nullptr);
  CHECK(payloads->count(PayloadType::kNonce) == 1);
  const auto notify = parse_notify(payloads->find(PayloadType::kNotify)->body);
  REQUIRE(notify);
  CHECK(notify->type == NotifyType::kCookie);
  CHECK(copy(notify->data) == Octets{1, 2, 3});
}

TEST_CASE("a message cut at any octet is refused") {
  const Octets octets = small_message();
  for (std::size_t size = 0; size < octets.size(); ++size) {
    const Octets cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(error_of(cut));                                        // the header's length says otherwise
    if (size >= kHeaderSize) CHECK(error_of(with_length(cut)));  // and with the header's length changed along
  }
  Octets longer = octets;
  longer.push_back(0);
  CHECK(error_of(longer) == ParseError::kHeaderLength);
  CHECK(error_of(with_length(longer)) == ParseError::kTrailingOctets);
}

// RFC 7296 3.1, RFC 7296 2.2: SPIs, version, exchange, number and flags.
TEST_CASE("each header field that is wrong has its own error") {
  const Octets octets = small_message();
  CHECK_FALSE(error_of(octets));
  // RFC 7296 2.5: minor versions and reserved flags are ignored.
  CHECK_FALSE(error_of(changed(octets, 17, 0x2f)));
  CHECK_FALSE(error_of(changed(octets, 19, 0x08 | 0xd7)));
  CHECK(error_of(changed(octets, 17, 0x30)) == ParseError::kMajorVersion);
  CHECK(error_of(changed(octets, 17, 0x10)) == ParseError::kOldVersion);
  CHECK(error_of(changed(octets, 18, 33)) == ParseError::kUnknownExchange);
  CHECK(error_of(changed(octets, 18, 38)) == ParseError::kUnknownExchange);
  CHECK(error_of(changed(octets, 23, 1)) == ParseError::kMessageId);
  CHECK(error_of(changed(octets, 19, 0)) == ParseError::kMessageId);
  CHECK(error_of(changed(octets, 15, 1)) == ParseError::kResponderSpi);
  CHECK(error_of(changed(octets, 18, 35)) == ParseError::kResponderSpi);
  Octets no_spi = octets;
  std::fill_n(no_spi.begin(), 8, std::uint8_t{0});
  CHECK(error_of(no_spi) == ParseError::kZeroSpi);
  // RFC 7296 2.5: the answer to a higher version carries what we can do; IKEv1 gets none.
  CHECK(answer_to(ParseError::kMajorVersion) == NotifyType::kInvalidMajorVersion);
  CHECK_FALSE(answer_to(ParseError::kOldVersion));
}

TEST_CASE("payload lengths at their limits") {
  const Octets octets = small_message();
  const std::size_t first_length = kHeaderSize + 3;  // low octet of the nonce payload's length, 24
  for (std::uint8_t low = 0; low < 4; ++low) {
    CHECK(error_of(changed(octets, first_length, low)) == ParseError::kPayloadLength);
  }
  CHECK(error_of(changed(octets, first_length, 255)) == ParseError::kPayloadLength);
  CHECK(error_of(changed(octets, first_length - 1, 255)) == ParseError::kPayloadLength);
  const std::size_t last_length = kHeaderSize + 24 + 3;  // 11
  CHECK(error_of(changed(octets, last_length, 12)) == ParseError::kPayloadLength);
  CHECK(error_of(changed(octets, last_length, 10)) == ParseError::kTrailingOctets);
  // A payload without body is no error of the chain.
  Octets empty =
      with_length(hex("01020304050607080000000000000000"
                      "2820220800000000"
                      "00000020"
                      "00000004"));
  empty[18] = 34;
  CHECK_FALSE(error_of(empty));
}

TEST_CASE("unknown payloads: skipped without the critical bit, refused with it") {
  Octets octets = small_message();
  octets[16] = 200;  // the nonce payload becomes a type nobody knows
  const auto header = read_header(octets);
  auto payloads = parse_message(octets, *header);
  REQUIRE(payloads);
  CHECK(payloads->size() == 1);
  octets[kHeaderSize + 1] = 0x7f;  // RFC 7296 3.2: reserved bits are ignored
  CHECK(parse_message(octets, *header));
  octets[kHeaderSize + 1] = 0x80;  // RFC 7296 2.5: critical
  payloads = parse_message(octets, *header);
  REQUIRE_FALSE(payloads);
  CHECK(payloads.error() == ParseFailure{ParseError::kUnsupportedCritical, 200});
  CHECK(answer_to(payloads.error().error) == NotifyType::kUnsupportedCriticalPayload);
  // On a known type the bit means nothing.
  Octets known = small_message();
  known[kHeaderSize + 1] = 0x80;
  CHECK_FALSE(error_of(known));
}

TEST_CASE("32 payloads are read, 33 are not, known or unknown") {
  for (const std::uint8_t type : {std::uint8_t{43}, std::uint8_t{201}}) {
    const auto message = [&](std::size_t count) {
      Octets octets = small_message();
      octets.resize(kHeaderSize);
      octets[16] = type;
      for (std::size_t i = 0; i < count; ++i) {
        const Octets one{i + 1 == count ? std::uint8_t{0} : type, 0, 0, 4};
        octets.insert(octets.end(), one.begin(), one.end());
      }
      return with_length(octets);
    };
    CHECK_FALSE(error_of(message(kMaximumPayloads)));
    CHECK(error_of(message(kMaximumPayloads + 1)) == ParseError::kTooManyPayloads);
  }
}

TEST_CASE("SK is the last payload and stands in no other") {
  Octets octets = small_message({.initiator_spi = 1, .responder_spi = 2, .exchange = Exchange::kAuth, .message_id = 1});
  octets[16] = 46;  // the first becomes SK; a payload follows it
  CHECK(error_of(octets) == ParseError::kEncryptedNotLast);
  CHECK(parse_inner(PayloadType::kEncrypted, hex("00000004")).error().error == ParseError::kNestedEncrypted);
  CHECK(parse_inner(PayloadType::kEncryptedFragment, hex("00000004")).error().error == ParseError::kNestedEncrypted);
  CHECK(parse_inner(PayloadType::kNone, {})->size() == 0);
  CHECK(parse_inner(PayloadType::kNone, hex("00")).error().error == ParseError::kTrailingOctets);
  // RFC 7296 3.14: the type in SK's own header is the first payload inside, not one that follows.
  Octets last =
      with_length(hex("00000000000000010000000000000002"
                      "2e20230800000001"
                      "00000024"
                      "2700000801020304"));
  const auto payloads = parse_message(last, *read_header(last));
  REQUIRE(payloads);
  REQUIRE(payloads->size() == 1);
  CHECK((*payloads)[0].next == PayloadType::kAuthentication);
}

// RFC 7296 2.21: who is answered. RFC 7296 3.10.1: errors and status by number.
TEST_CASE("every error has words, a section and a place among answered or silent ones") {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(ParseError::kUnexpectedPayload); ++i) {
    CHECK(describe(ParseError(i)).section.starts_with("RFC 7"));
    CHECK_FALSE(describe(ParseError(i)).words.empty());
  }
  // What is not authenticated is never answered: an attacker could ask for it in the peer's name.
  for (const ParseError error : {ParseError::kIntegrity, ParseError::kNotProtected, ParseError::kFragmentNumber,
                                 ParseError::kHeaderLength, ParseError::kZeroSpi}) {
    CHECK_FALSE(answer_to(error));
  }
  CHECK(answer_to(ParseError::kPadding) == NotifyType::kInvalidSyntax);
  CHECK(name(NotifyType::kNoProposalChosen) == "NO_PROPOSAL_CHOSEN");
  CHECK(name(NotifyType{9999}) == "unknown");
  CHECK(is_error(NotifyType{16383}));
  CHECK_FALSE(is_error(NotifyType::kInitialContact));
}

// RFC 7296 3.4: group, reserved octets, value.
TEST_CASE("key exchange and nonce") {
  const Octets body = body_of([](Chain& c) { append(c, {tunnel::crypto::Group::kEcp256, Octets(64, 7)}); });
  const auto parsed = parse_key_exchange(body);
  REQUIRE(parsed);
  CHECK(parsed->group == tunnel::crypto::Group::kEcp256);
  CHECK(parsed->public_value.size() == 64);
  for (std::size_t size = 0; size <= 4; ++size) CHECK_FALSE(parse_key_exchange(ConstBytes(body).first(size)));
  CHECK(parse_key_exchange(ConstBytes(body).first(5)));
  // RFC 7296 3.9: 16 to 256 octets.
  CHECK_FALSE(parse_nonce(Octets(15)));
  CHECK(parse_nonce(Octets(16)));
  CHECK(parse_nonce(Octets(256)));
  CHECK_FALSE(parse_nonce(Octets(257)));
}

TEST_CASE("identities") {
  const auto round = [](IdType type, const Octets& data) {
    const Octets body = body_of([&](Chain& c) { append(c, PayloadType::kIdInitiator, {type, data}); });
    const auto parsed = parse_identity(body);
    return parsed ? to_string(*parsed) : std::string(describe(parsed.error().error).words);
  };
  CHECK(round(IdType::kFqdn, ascii("rtx.hakodate.example")) == "fqdn:rtx.hakodate.example");
  CHECK(round(IdType::kEmail, ascii("a@b.example")) == "email:a@b.example");
  CHECK(round(IdType::kIpv4, {198, 51, 100, 7}) == "ip:198.51.100.7");
  CHECK(round(IdType::kIpv6, hex("20010db8000000000000000000000001")) == "ip:2001:db8::1");
  CHECK(round(IdType::kKeyId, {0, 255}) == "keyid:00ff");
  CHECK(round(IdType::kDn, hex("300f310d300b06035504030c0472747831")) == "dn:CN=rtx1");
  // RFC 7296 3.5: lengths of addresses, no terminators in names.
  const std::string bad = "malformed identity";
  CHECK(round(IdType::kIpv4, {198, 51, 100}) == bad);
  CHECK(round(IdType::kIpv4, Octets(16)) == bad);
  CHECK(round(IdType::kIpv6, Octets(4)) == bad);
  CHECK(round(IdType::kFqdn, Octets{'a', 0, 'b'}) == bad);
  CHECK(round(IdType::kFqdn, ascii("a\r\nb")) == bad);
  CHECK(round(IdType::kEmail, ascii("a b")) == bad);
  CHECK(round(IdType::kFqdn, Octets(256, 'a')) == bad);
  CHECK(round(IdType::kFqdn, {}) == bad);
  CHECK(round(IdType::kDn, hex("3000")) == bad);
  CHECK(round(IdType::kDn, hex("300f310d300b06035504030c047274783100")) == bad);
  CHECK(round(IdType::kDn, ascii("CN=rtx1")) == bad);
  CHECK(round(IdType{99}, {1}) == bad);
  for (std::size_t size = 0; size < 5; ++size) CHECK(parse_identity(Octets(size, 2)).has_value() == false);
}

// RFC 7296 3.7: hashes of authorities without padding.
TEST_CASE("certificates and authentication") {
  const Octets certificate =
      body_of([](Chain& c) { append(c, CertificatePayload{CertificateEncoding::kX509Signature, hex("3003")}); });
  REQUIRE(parse_certificate(certificate));
  CHECK(copy(parse_certificate(certificate)->data) == hex("3003"));
  CHECK_FALSE(parse_certificate({}));
  CHECK_FALSE(parse_certificate(hex("04")));
  CHECK(parse_certificate_request(hex("04")));
  CHECK_FALSE(parse_certificate_request({}));
  CHECK_FALSE(parse_certificate_request(Octets(20, 4)));
  CHECK(parse_certificate_request(Octets(21, 4)));
  CHECK_FALSE(parse_certificate_request(Octets(22, 4)));
  const Octets auth = body_of([](Chain& c) { append(c, Authentication{AuthMethod::kSharedKey, Octets(32, 1)}); });
  REQUIRE(parse_authentication(auth));
  CHECK(parse_authentication(auth)->data.size() == 32);
  for (std::size_t size = 0; size <= 4; ++size) CHECK_FALSE(parse_authentication(ConstBytes(auth).first(size)));
  // RFC 7427 3: one octet of length, AlgorithmIdentifier, signature.
  const Octets signed_body = body_of([](Chain& c) { append(c, DigitalSignature{hex("300a"), hex("aabbcc")}); });
  const auto outer = parse_authentication(signed_body);
  REQUIRE(outer);
  CHECK(outer->method == AuthMethod::kDigitalSignature);
  const auto inner = parse_digital_signature(outer->data);
  REQUIRE(inner);
  CHECK(copy(inner->algorithm) == hex("300a"));
  CHECK(copy(inner->signature) == hex("aabbcc"));
  CHECK_FALSE(parse_digital_signature(hex("00aabb")));
  CHECK_FALSE(parse_digital_signature(hex("02aabb")));
  CHECK_FALSE(parse_digital_signature(hex("ffaabb")));
  CHECK_FALSE(parse_digital_signature({}));
}

// RFC 7296 3.10: SPI sizes; unknown types by their number.
TEST_CASE("notify and delete") {
  const Octets rekey = body_of([](Chain& c) { append(c, NotifyType::kRekeySa, 0xcafe0001u); });
  const auto notify = parse_notify(rekey);
  REQUIRE(notify);
  CHECK(notify->protocol == Protocol::kEsp);
  CHECK(copy(notify->spi) == hex("cafe0001"));
  CHECK(notify->data.empty());
  for (std::size_t size = 0; size < rekey.size(); ++size) CHECK_FALSE(parse_notify(ConstBytes(rekey).first(size)));
  CHECK_FALSE(parse_notify(hex("03054009aabbccddee")));
  CHECK(wanted_group(Notify{NotifyType::kInvalidKePayload, Protocol::kNone, {}, hex("0014")}) ==
        tunnel::crypto::Group::kEcp384);
  CHECK_FALSE(wanted_group(Notify{NotifyType::kInvalidKePayload, Protocol::kNone, {}, hex("001400")}));
  CHECK(hash_algorithms({NotifyType::kSignatureHashAlgorithms, Protocol::kNone, {}, hex("00020005")})->back() == 5);
  CHECK_FALSE(hash_algorithms({NotifyType::kSignatureHashAlgorithms, Protocol::kNone, {}, hex("000200")}));

  const Octets two = body_of([](Chain& c) { append(c, DeletePayload{Protocol::kEsp, {1, 0xffffffff}}); });
  const auto parsed = parse_delete(two);
  REQUIRE(parsed);
  CHECK(parsed->spis == std::vector<std::uint32_t>{1, 0xffffffff});
  for (std::size_t size = 0; size < two.size(); ++size) CHECK_FALSE(parse_delete(ConstBytes(two).first(size)));
  CHECK_FALSE(parse_delete(changed(two, 3, 1)));
  CHECK_FALSE(parse_delete(changed(two, 3, 3)));
  CHECK_FALSE(parse_delete(changed(two, 2, 255)));
  CHECK_FALSE(parse_delete(changed(two, 1, 8)));
  CHECK_FALSE(parse_delete(changed(two, 0, 9)));
  // RFC 7296 3.11: the IKE SA has no SPI in its Delete.
  CHECK(parse_delete(hex("01000000"))->protocol == Protocol::kIke);
  CHECK_FALSE(parse_delete(hex("010000000102")));
  CHECK_FALSE(
      parse_delete(hex("01080001"
                       "0102030405060708")));
}

TEST_CASE("configuration is recognised within bounds") {
  const Octets body = hex("010000008001000000030004c0000201");
  const auto parsed = parse_configuration(body);
  REQUIRE(parsed);
  REQUIRE(parsed->attributes.size() == 2);
  CHECK(parsed->attributes[0].type == 1);
  CHECK(copy(parsed->attributes[1].value) == hex("c0000201"));
  CHECK_FALSE(parse_configuration(hex("010000")));
  CHECK_FALSE(
      parse_configuration(hex("01000000"
                              "0001")));
  CHECK_FALSE(
      parse_configuration(hex("01000000"
                              "00010004c00002")));
  Octets many = hex("01000000");
  for (int i = 0; i < 65; ++i) many.insert(many.end(), {0, 1, 0, 0});
  CHECK_FALSE(parse_configuration(many));
  CHECK(parse_configuration(ConstBytes(many).first(4 + 64 * 4)));
}
