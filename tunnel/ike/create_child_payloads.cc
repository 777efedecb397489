// RFC 7296 1.3.1-1.3.3.
#include "tunnel/ike/create_child_payloads.h"

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {

Result<CreateChildPayloads, ParseFailure> parse_create_child(const Payloads& payloads) {
  CreateChildPayloads parsed;
  const Payload* const sa = TRY(only(payloads, PayloadType::kSa));
  const Payload* const nonce = TRY(only(payloads, PayloadType::kNonce));
  const Payload* const key_exchange = TRY(at_most_one(payloads, PayloadType::kKeyExchange));
  parsed.proposals = TRY(parse_proposals(sa->body));
  parsed.nonce = TRY(parse_nonce(nonce->body));
  if (key_exchange != nullptr) parsed.key_exchange = TRY(parse_key_exchange(key_exchange->body));
  if (parsed.of_ike()) {
    if (key_exchange == nullptr) (void)TRY(only(payloads, PayloadType::kKeyExchange));
    return parsed;
  }
  const Payload* const initiator = TRY(only(payloads, PayloadType::kSelectorsInitiator));
  const Payload* const responder = TRY(only(payloads, PayloadType::kSelectorsResponder));
  parsed.initiator = TRY(parse_selectors(initiator->body));
  parsed.responder = TRY(parse_selectors(responder->body));
  return parsed;
}

}  // namespace tunnel::ike
