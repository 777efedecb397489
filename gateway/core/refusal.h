// Why the data plane lets an inner packet go no further. Counted per facility and direction, never logged one by one.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gateway::core {

enum class Refusal : std::uint8_t {
  kNone,  // passes
  // the packet itself (inner_packet)
  kTruncated,
  kVersion,
  kHeaderLength,
  kTotalLength,
  kHeaderChecksum,
  kOptions,
  kHopLimit,
  kAddress,
  kTransportHeader,
  kFragmentForm,
  kTinyFragment,
  kFragmentOverlap,
  kUnknownFragment,
  kFragmentLimit,
  kIcmpKind,
  kEmbedded,
  kEcn,
  // who and whereto (guard)
  kSourceForeign,
  kBroadcast,
  kUnknownDestination,
  kOtherFacility,
  kNotPermitted,
  kExpired,
  kOpensBackwards,
  kProtocol,
  // what we cannot carry
  kTooBig,
  kSuperPacket,
  kNotConfigured,
  kCount
};

// The stable name of the telemetry: "source-foreign".
[[nodiscard]] std::string_view refusal_name(Refusal refusal);
// Can a line of the configuration change the answer? Not where the packet itself is wrong, or cannot be carried.
[[nodiscard]] bool is_of_policy(Refusal refusal);
// Can it for no packet refused for this reason, by its name here or in firewall/reasons.h? An unknown one: it may.
[[nodiscard]] bool is_beyond_permission(std::string_view reason);

struct RefusalCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(Refusal::kCount)> count{};
  void add(Refusal refusal) { ++count[static_cast<std::size_t>(refusal)]; }
  [[nodiscard]] std::uint64_t of(Refusal refusal) const { return count[static_cast<std::size_t>(refusal)]; }
};

}  // namespace gateway::core
