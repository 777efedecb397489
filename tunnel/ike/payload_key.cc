// RFC 7296 3.4, 3.9.
#include "tunnel/ike/payload_key.h"

#include "tunnel/wire/reader.h"

namespace tunnel::ike {

Result<KeyExchangePayload, ParseFailure> parse_key_exchange(wire::ConstBytes body) {
  wire::Reader reader(body);
  const crypto::Group group{reader.u16_be()};
  reader.skip(2);  // reserved
  if (!reader.good() || reader.rest().empty()) return std::unexpected(ParseFailure{ParseError::kKeyExchange});
  return KeyExchangePayload{group, reader.rest()};
}

Result<wire::ConstBytes, ParseFailure> parse_nonce(wire::ConstBytes body) {
  if (body.size() < kMinimumNonce || body.size() > kMaximumNonce) {
    return std::unexpected(ParseFailure{ParseError::kNonceLength});
  }
  return body;
}

bool long_enough(wire::ConstBytes nonce, crypto::Prf prf) {
  return nonce.size() * 2 >= crypto::prf_size(prf);
}

void append(Chain& chain, const KeyExchangePayload& payload) {
  wire::Writer& writer = chain.begin(PayloadType::kKeyExchange);
  writer.u16_be(static_cast<std::uint16_t>(payload.group));
  writer.u16_be(0);
  writer.octets(payload.public_value);
  chain.end();
}

void append_nonce(Chain& chain, wire::ConstBytes nonce) {
  wire::require(nonce.size() >= kMinimumNonce && nonce.size() <= kMaximumNonce);
  chain.begin(PayloadType::kNonce).octets(nonce);
  chain.end();
}

}  // namespace tunnel::ike
