// What a CREATE_CHILD_SA message holds, request or answer (RFC 7296 1.3). Views into the decrypted message.
#pragma once

#include <optional>
#include <vector>

#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/proposal.h"
#include "tunnel/ike/selectors.h"

namespace tunnel::ike {

struct CreateChildPayloads {
  std::vector<Proposal> proposals;
  wire::ConstBytes nonce;
  std::optional<KeyExchangePayload> key_exchange;
  std::vector<Selector> initiator, responder;  // of a CHILD SA; never empty there
  // The IKE SA itself is to be rekeyed.
  [[nodiscard]] bool of_ike() const { return !proposals.empty() && proposals.front().protocol == Protocol::kIke; }
  [[nodiscard]] std::optional<crypto::Group> group() const {
    return key_exchange ? std::optional(key_exchange->group) : std::nullopt;
  }
};

[[nodiscard]] Result<CreateChildPayloads, ParseFailure> parse_create_child(const Payloads& payloads);

}  // namespace tunnel::ike
