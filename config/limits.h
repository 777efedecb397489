// Upper bounds of a configuration, so that a slip (a generated file gone wrong) is a diagnostic and not a stuck
// gateway.
#pragma once

#include <cstddef>

namespace config {

inline constexpr std::size_t kMaxServices = 1000;
inline constexpr std::size_t kMaxFacilities = 10000;
inline constexpr std::size_t kMaxNetworks = 64;             // of one facility
inline constexpr std::size_t kMaxOffers = 64;               // of one facility
inline constexpr std::size_t kMaxAddresses = 64;            // of one service or offer
inline constexpr std::size_t kMaxPorts = 64;                // of one service or offer
inline constexpr std::size_t kMaxSources = 16;              // of one tunnel
inline constexpr std::size_t kMaxPools = 16;                // of seen_as prefixes
inline constexpr std::size_t kMaxOutside = 16;              // addresses of the gateway
inline constexpr std::size_t kMaxMayUse = 256;              // of one facility
inline constexpr std::size_t kMaxAlgorithmExceptions = 16;  // of one facility
inline constexpr std::size_t kMaxExchanges = 10000;
inline constexpr std::size_t kMaxInsideMayReach = 10000;
inline constexpr std::size_t kMaxTests = 10000;
inline constexpr std::size_t kMaxIncludes = 64;

}  // namespace config
