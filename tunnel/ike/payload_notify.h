// Notify and Delete payloads (RFC 7296 3.10, 3.11), and the data of the notifies that have a structure.
#pragma once

#include <optional>
#include <vector>

#include "tunnel/crypto/suite.h"
#include "tunnel/ike/message.h"
#include "tunnel/ike/proposal.h"

namespace tunnel::ike {

struct Notify {
  NotifyType type = NotifyType::kInvalidSyntax;  // may be a number that is not named there
  Protocol protocol = Protocol::kNone;           // kNone without SPI
  wire::ConstBytes spi;                          // 0, 4 or 8 octets
  wire::ConstBytes data;
};

struct DeletePayload {
  Protocol protocol = Protocol::kIke;
  std::vector<std::uint32_t> spis;  // of ESP and AH; empty for kIke, which means the SA that carries it
};

[[nodiscard]] Result<Notify, ParseFailure> parse_notify(wire::ConstBytes body);
[[nodiscard]] Result<DeletePayload, ParseFailure> parse_delete(wire::ConstBytes body);

void append(Chain& chain, const Notify& notify);
void append(Chain& chain, NotifyType type, wire::ConstBytes data = {});
// With the SPI of one of our inbound ESP SAs (REKEY_SA, CHILD_SA_NOT_FOUND).
void append(Chain& chain, NotifyType type, std::uint32_t esp_spi);
void append(Chain& chain, const DeletePayload& payload);

// All Notify payloads of a message, parsed; more than one malformed or one is enough to refuse it.
[[nodiscard]] Result<std::vector<Notify>, ParseFailure> parse_notifies(const Payloads& payloads);
// The first of this type, or null.
[[nodiscard]] const Notify* find(std::span<const Notify> notifies, NotifyType type);

// INVALID_KE_PAYLOAD (RFC 7296 1.2): the group the other end wants. SIGNATURE_HASH_ALGORITHMS (RFC 7427 4): numbers,
// at most 32 of them. Nothing when the length is wrong.
[[nodiscard]] std::optional<crypto::Group> wanted_group(const Notify& notify);
[[nodiscard]] std::optional<std::vector<std::uint16_t>> hash_algorithms(const Notify& notify);

}  // namespace tunnel::ike
