// The published constants of the protocol (WireGuard 6.1) and of its reference implementation's defences.
#pragma once

#include <chrono>
#include <cstdint>

#include "tunnel/wire/packet.h"

namespace tunnel::wireguard {

using wire::Duration;
using wire::Instant;
using namespace std::chrono_literals;

inline constexpr Duration kRekeyAfterTime = 120s;
inline constexpr Duration kRejectAfterTime = 180s;
inline constexpr Duration kRekeyTimeout = 5s;
inline constexpr Duration kRekeyAttemptTime = 90s;
inline constexpr Duration kKeepaliveTimeout = 10s;
inline constexpr std::uint32_t kJitterMilliseconds = 334;  // added to kRekeyTimeout, uniform
inline constexpr Duration kZeroKeysAfter = 3 * kRejectAfterTime;
inline constexpr Duration kCookieLifetime = 120s;
inline constexpr Duration kCookieLatency = 5s;  // a cookie is not used in the last seconds of its life
inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kRejectAfterMessages = 0 - (std::uint64_t{1} << 13) - 1;  // 2^64 - 2^13 - 1

inline constexpr Duration kInitiationInterval = 20ms;  // <= 50 initiations a second from one peer
inline constexpr std::size_t kStagedPackets = 128;
inline constexpr std::size_t kLoadedPending = 512;       // handshake steps waiting
inline constexpr std::uint32_t kLoadedPerSecond = 1000;  // handshake messages with a good mac1
inline constexpr Duration kLoadedFor = 1s;               // after the last sign of load
inline constexpr Duration kStepLifetime = 5s;            // a key request not answered by then is forgotten

inline constexpr Instant kNever = Instant::max();

}  // namespace tunnel::wireguard
