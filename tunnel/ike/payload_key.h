// Key Exchange and Nonce payloads (RFC 7296 3.4, 3.9). Whether a public value is good is crypto::KeyExchange's matter.
#pragma once

#include "tunnel/crypto/prf.h"
#include "tunnel/crypto/suite.h"
#include "tunnel/ike/message.h"

namespace tunnel::ike {

inline constexpr std::size_t kMinimumNonce = 16, kMaximumNonce = 256;  // RFC 7296 3.9

struct KeyExchangePayload {
  crypto::Group group = crypto::Group::kNone;  // may be a number that is not named there
  wire::ConstBytes public_value;               // never empty
};

[[nodiscard]] Result<KeyExchangePayload, ParseFailure> parse_key_exchange(wire::ConstBytes body);
// The nonce itself: 16 to 256 octets. Whether that is enough for the prf says long_enough.
[[nodiscard]] Result<wire::ConstBytes, ParseFailure> parse_nonce(wire::ConstBytes body);
// RFC 7296 2.10: half the prf's key. `prf`: the one that was agreed, or that of the IKE SA where a CHILD SA is made.
[[nodiscard]] bool long_enough(wire::ConstBytes nonce, crypto::Prf prf);

void append(Chain& chain, const KeyExchangePayload& payload);
void append_nonce(Chain& chain, wire::ConstBytes nonce);

}  // namespace tunnel::ike
