// Traffic selectors (RFC 7296 3.13) and how they are narrowed (2.9). A selector is a box: a range of addresses of one
// family, a protocol or any, a range of ports. Ranges that are no prefixes are kept exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tunnel/ike/message.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

inline constexpr std::size_t kMaximumSelectors = 255;  // in one payload: their number is one octet
inline constexpr std::size_t kNarrowedProposals = 64;  // of a proposal's selectors; the rest is narrowed away

struct Selector {
  wire::IpAddress first;  // both of one family, first <= last
  wire::IpAddress last;
  std::uint8_t protocol = 0;  // 0: any
  // Any port: 0 to 65535. Opaque (port not visible, RFC 4301 4.4.1.1): 65535 to 0. ICMP: type * 256 + code.
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;

  [[nodiscard]] static Selector of(const wire::Prefix& prefix);
  [[nodiscard]] bool any_port() const { return first_port == 0 && last_port == 65535; }
  [[nodiscard]] bool opaque() const { return first_port == 65535 && last_port == 0; }
  [[nodiscard]] bool contains(const wire::IpAddress& address) const { return first <= address && address <= last; }
  // Whether a packet with this address and port on the selector's side is inside. No port: a fragment or a protocol
  // without ports, which only any and opaque ports hold.
  [[nodiscard]] bool contains(const wire::IpAddress& address, std::uint8_t packet_protocol,
                              std::optional<std::uint16_t> port) const;
  [[nodiscard]] bool contains(const Selector& inner) const;
  friend constexpr auto operator<=>(const Selector&, const Selector&) = default;
};

// "10.1.0.0/24", "10.1.0.5-10.1.0.9", "10.1.0.0/24 protocol 6 ports 80-443".
[[nodiscard]] std::string to_string(const Selector& selector);
[[nodiscard]] std::string to_string(std::span<const Selector> selectors);  // with ", " between

// Body of a TSi or TSr payload. Types other than IPv4 and IPv6 ranges are left out: what is left may be nothing.
[[nodiscard]] Result<std::vector<Selector>, ParseFailure> parse_selectors(wire::ConstBytes body);
// `type`: kSelectorsInitiator or kSelectorsResponder. 1 to kMaximumSelectors.
void append(Chain& chain, PayloadType type, std::span<const Selector> selectors);

// The common part, or nothing.
[[nodiscard]] std::optional<Selector> intersect(const Selector& a, const Selector& b);
// Every address of `selector` is in one of `set` that holds its protocol and ports too.
[[nodiscard]] bool covers(std::span<const Selector> set, const Selector& selector);
// The prefixes that make up exactly the addresses of `selector`; protocol and ports are not in them.
[[nodiscard]] std::vector<wire::Prefix> prefixes(const Selector& selector);

// What one CHILD SA of a facility may carry, seen from us.
struct SelectorPolicy {
  std::span<const Selector> peer;         // the facility's own networks
  std::span<const Selector> ours;         // what it may reach
  std::span<const wire::Prefix> foreign;  // networks of all other facilities
};

struct NarrowedSelectors {
  std::vector<Selector> peer, ours;  // neither empty; every family on one side is on the other too
  bool reduced = false;              // less than was proposed
};

struct SelectorRefusal {
  enum class Reason : std::uint8_t {
    kNothingInCommon,  // TS_UNACCEPTABLE
    kForeign,  // TS_UNACCEPTABLE, and an event: wholly outside the policy, and inside another facility's network
  };
  Reason reason = Reason::kNothingInCommon;
  bool on_peer_side = true;  // which of the two lists `offender` stood in
  std::optional<Selector> offender;
};

inline constexpr std::size_t kNarrowingSteps = 131'072;  // comparisons on each side, then the rest is left out

// As responder. `peer` and `ours`: the proposal's TSi and TSr, in that order when the peer is the initiator.
[[nodiscard]] Result<NarrowedSelectors, SelectorRefusal> narrow(std::span<const Selector> peer,
                                                                std::span<const Selector> ours,
                                                                const SelectorPolicy& policy);
// `steps`: rises by the comparisons it took (some 10 ns each), whatever comes out.
[[nodiscard]] Result<NarrowedSelectors, SelectorRefusal> narrow(std::span<const Selector> peer,
                                                                std::span<const Selector> ours,
                                                                const SelectorPolicy& policy, std::size_t& steps);
// As initiator: the answer is no more than we proposed (RFC 7296 2.9: it may be less), and not empty.
[[nodiscard]] bool is_within(std::span<const Selector> answer, std::span<const Selector> proposed);

}  // namespace tunnel::ike
