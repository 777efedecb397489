// A hostile datagram through header, chain and SK; and a hostile peer's content that was sealed with the right key.
// What is read must lie within what came, and an SK that nobody sealed must never open.
#include "tunnel/ike/encrypted.h"
#include "tunnel/wire/require.h"

using namespace tunnel::ike;
using tunnel::wire::ConstBytes;
using tunnel::wire::require;

namespace {

class CountingRng : public tunnel::crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(++state_);
  }

 private:
  std::uint32_t state_ = 0;
};

tunnel::crypto::CipherSuite suite(std::uint8_t number) {
  using namespace tunnel::crypto;
  if (number % 3 == 0) return {Encryption::kAesCbc, 128, Integrity::kHmacSha256_128};
  return {number % 3 == 1 ? Encryption::kAesGcm16 : Encryption::kChaCha20Poly1305, 256, Integrity::kNone};
}

tunnel::crypto::PacketCipher cipher(std::uint8_t number) {
  const auto s = suite(number);
  const std::vector<std::uint8_t> key(tunnel::crypto::key_sizes(s).total(), 0x42);
  return std::move(*tunnel::crypto::PacketCipher::make(s, key));
}

void within(const Payloads& payloads, ConstBytes octets) {
  require(payloads.size() <= kMaximumPayloads);
  for (const Payload& p : payloads) {
    require(p.offset <= octets.size() && p.body.size() <= octets.size() - p.offset);
    require(p.body.empty() || p.body.data() == octets.data() + p.offset);
  }
}

void hostile(std::vector<std::uint8_t> datagram, std::uint8_t number) {
  const auto header = read_header(datagram);
  if (!header) return;
  if (const auto failure = judge(*header, datagram.size())) {
    require(!describe(failure->error).words.empty());
    return;
  }
  const auto payloads = parse_message(datagram, *header);
  if (!payloads) return;
  within(*payloads, datagram);
  static_cast<void>(peek_fragment(*payloads));
  auto receiver = cipher(number);
  require(!open(datagram, *payloads, receiver));
}

void from_the_peer(ConstBytes content, PayloadType first, std::uint8_t number) {
  SendingCipher sender{cipher(number), 0};
  CountingRng rng;
  std::vector<std::uint8_t> datagram(sealed_size(suite(number), content.size(), false));
  tunnel::wire::Writer writer(datagram);
  seal(writer, {.initiator_spi = 1, .responder_spi = 2, .exchange = Exchange::kInformational}, {first, content}, {},
       sender, rng);
  const auto outer = parse_message(datagram, *read_header(datagram));
  require(outer.has_value());
  auto receiver = cipher(number);
  const auto opened = open(datagram, *outer, receiver);
  require(opened.has_value() && std::ranges::equal(opened->content.octets, content));
  const auto inner = parse_inner(opened->content.first, opened->content.octets);
  if (inner) within(*inner, opened->content.octets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  const ConstBytes rest(data + 2, size - 2);
  if (data[0] % 2 == 0) {
    hostile({rest.begin(), rest.end()}, data[1]);
  } else {
    from_the_peer(rest, PayloadType{data[1]}, data[0] / 2);
  }
  return 0;
}
