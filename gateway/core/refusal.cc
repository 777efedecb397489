// The names stand in records and metrics: never change one, only add.
#include "gateway/core/refusal.h"

#include "firewall/reasons.h"

namespace gateway::core {

std::string_view refusal_name(Refusal refusal) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Refusal::kCount)> kNames = {
      "none",
      "truncated",
      "version",
      "header-length",
      "total-length",
      "header-checksum",
      "options",
      "hop-limit",
      "address",
      "transport-header",
      "fragment-form",
      "tiny-fragment",
      "fragment-overlap",
      "unknown-fragment",
      "fragment-limit",
      "icmp-kind",
      "embedded",
      "ecn",
      "source-foreign",
      "broadcast",
      "unknown-destination",
      "other-facility",
      "not-permitted",
      "expired",
      "opens-backwards",
      "protocol",
      "too-big",
      "super-packet",
      "not-configured"};
  const auto index = static_cast<std::size_t>(refusal);
  return index < kNames.size() ? kNames[index] : "unknown";
}

bool is_of_policy(Refusal refusal) {
  return refusal == Refusal::kSourceForeign || refusal == Refusal::kUnknownDestination ||
         refusal == Refusal::kOtherFacility || refusal == Refusal::kNotPermitted || refusal == Refusal::kExpired ||
         refusal == Refusal::kOpensBackwards || refusal == Refusal::kNotConfigured;
}

bool is_beyond_permission(std::string_view reason) {
  for (const auto& each : firewall::kRefusalReasons)
    if (each.name == reason) return !each.of_policy;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Refusal::kCount); ++i)
    if (const auto refusal = static_cast<Refusal>(i); refusal_name(refusal) == reason) return !is_of_policy(refusal);
  return false;
}

}  // namespace gateway::core
