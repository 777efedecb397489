// Words for people: why a router could not connect and which of its settings to change. For our records and `show
// tunnels` only; the peer sees the RFC's notify and nothing of this.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tunnel/ike/negotiation.h"
#include "tunnel/ike/selectors.h"

namespace tunnel::ike {

enum class Vendor : std::uint8_t {
  kUnknown,
  kYamahaRtx,
  kNecIx,
  kCiscoIosXe,
  kFortigate,
  kAlliedWarePlus,
  kStrongSwan
};
// As `sekisho facility router-config --vendor` names them: "yamaha-rtx", "nec-ix", ...
[[nodiscard]] std::optional<Vendor> vendor_named(std::string_view text);
// The router's setting for one type of transform: "`ipsec ike encryption`"; empty when the vendor is unknown or has no
// such setting.
[[nodiscard]] std::string_view setting(Vendor vendor, Protocol protocol, TransformType type);

// Several lines of printable ASCII, the first one a summary. At most a few kilobytes whatever was offered.
[[nodiscard]] std::string explain(const NegotiationFailure& failure, Vendor vendor = Vendor::kUnknown);
// `peer` and `ours`: what was proposed, as for narrow().
[[nodiscard]] std::string explain(const SelectorRefusal& refusal, std::span<const Selector> peer,
                                  std::span<const Selector> ours, const SelectorPolicy& policy);

}  // namespace tunnel::ike
