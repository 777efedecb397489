// Not a test by itself: prints messages we build, for ike_tshark_check.py, which lets another decoder read them.
//   test_tunnel "[ike-sample]"       lines of NAME HEX, and of "key.NAME ENCRYPTION-KEY INTEGRITY-KEY"
#include <catch2/catch.hpp>

#include <iostream>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/fragments.h"
#include "tunnel/ike/negotiation.h"
#include "tunnel/ike/payload_auth.h"
#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/payload_notify.h"
#include "tunnel/ike/selectors.h"

using namespace ike_test;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Group;
using tunnel::crypto::Integrity;

namespace {

void print(const std::string& name, ConstBytes octets, ConstBytes more = {}) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string line = name + " ";
  for (const auto& part : {octets, more}) {
    for (const std::uint8_t octet : part) (line += kDigits[octet >> 4]) += kDigits[octet & 15];
    if (part.data() == octets.data()) line += " ";
  }
  std::cout << line << "\n";
}

Octets counting(std::size_t size, std::uint8_t first) {
  Octets octets(size);
  for (std::uint8_t& octet : octets) octet = first++;
  return octets;
}

Selector net(const char* text) {
  return Selector::of(*tunnel::wire::Prefix::parse(text));
}

void sample_init(Spi responder) {
  const Profile compat = profile_at(ProfileName::kCompat, {}, {});
  Octets buffer(4096);
  Writer writer(buffer);
  PlainMessage message(writer, {.initiator_spi = 0x1111,
                                .responder_spi = responder,
                                .exchange = Exchange::kSaInit,
                                .from_initiator = responder == 0,
                                .response = responder != 0});
  Chain& chain = message.chain();
  const auto offered = offer_ike(compat, Group::kEcp256, std::nullopt);
  if (responder == 0) {
    append(chain, offered);
  } else {
    const auto choice = choose_ike(offered, compat, Group::kEcp256, false);
    append(chain, std::vector{answer(*choice, std::nullopt)});
  }
  append(chain, KeyExchangePayload{Group::kEcp256, counting(64, 7)});
  append_nonce(chain, counting(32, 9));
  append(chain, NotifyType::kNatDetectionSourceIp, counting(20, 1));
  append(chain, NotifyType::kNatDetectionDestinationIp, counting(20, 2));
  append(chain, NotifyType::kFragmentationSupported);
  append(chain, NotifyType::kSignatureHashAlgorithms, hex("0002000300040005"));
  print(responder == 0 ? "init-request" : "init-answer", message.finish());
}

Content write_auth(Octets& buffer) {
  Writer writer(buffer);
  Chain chain(writer);
  append(chain, PayloadType::kIdInitiator, {IdType::kFqdn, ascii("rtx.hakodate.example")});
  append(chain, CertificateRequest{CertificateEncoding::kX509Signature, counting(20, 3)});
  append(chain, Authentication{AuthMethod::kSharedKey, counting(32, 4)});
  append(chain, offer_esp(profile_at(ProfileName::kCompat, {}, {}), Group::kNone, 0xcafe0001, true));
  append(chain, PayloadType::kSelectorsInitiator, std::vector{net("10.1.0.0/24"), net("2001:db8:1::/64")});
  append(chain, PayloadType::kSelectorsResponder, std::vector{net("10.80.0.10/32"), net("2001:db8:80::10/128")});
  append(chain, NotifyType::kInitialContact);
  append(chain, NotifyType::kMobikeSupported);
  chain.end();
  return {chain.first(), writer.written()};
}

Content write_delete(Octets& buffer) {
  Writer writer(buffer);
  Chain chain(writer);
  append(chain, DeletePayload{Protocol::kEsp, {0xcafe0001, 0xcafe0002}});
  return {chain.first(), writer.written()};
}

void sample_sealed(const std::string& name, Spi spi, const CipherSuite& suite) {
  const auto sizes = tunnel::crypto::key_sizes(suite);
  const Octets key = counting(sizes.total(), static_cast<std::uint8_t>(spi));
  const std::size_t encryption = sizes.encryption + sizes.salt;
  print("key." + name, ConstBytes(key).first(encryption), ConstBytes(key).subspan(encryption));
  SendingCipher sender{std::move(*tunnel::crypto::PacketCipher::make(suite, key)), 0};
  CountingRng rng;
  Octets first(4096), second(256);
  Header header{.initiator_spi = spi,
                .responder_spi = spi + 1,
                .exchange = Exchange::kAuth,
                .from_initiator = true,
                .message_id = 1};
  const Content auth = write_auth(first);
  print(name + "-auth", seal_message(header, auth, std::nullopt, sender, rng)->front());
  header.message_id = 2;
  const auto fragments = seal_message(header, auth, 300, sender, rng);
  for (const Octets& datagram : *fragments) print(name + "-fragment", datagram);
  header.message_id = 3;
  header.exchange = Exchange::kInformational;
  print(name + "-delete", seal_message(header, write_delete(second), std::nullopt, sender, rng)->front());
  header.message_id = 4;
  print(name + "-liveness", seal_message(header, {}, std::nullopt, sender, rng)->front());
}

}  // namespace

TEST_CASE("messages for another decoder", "[.ike-sample]") {
  sample_init(0);
  sample_init(0x2222);
  sample_sealed("gcm256", 0x1000, {Encryption::kAesGcm16, 256, Integrity::kNone});
  sample_sealed("gcm128", 0x2000, {Encryption::kAesGcm16, 128, Integrity::kNone});
  sample_sealed("cbc256sha256", 0x3000, {Encryption::kAesCbc, 256, Integrity::kHmacSha256_128});
  sample_sealed("cbc128sha384", 0x4000, {Encryption::kAesCbc, 128, Integrity::kHmacSha384_192});
  sample_sealed("cbc256sha512", 0x5000, {Encryption::kAesCbc, 256, Integrity::kHmacSha512_256});
}
