// Why a handshake came to nothing, as a sentence for whoever has to mend it. What goes over the wire says none of it.
#pragma once

#include <cstdint>
#include <string_view>

#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

enum class Failure : std::uint8_t {
  kOwnKey,
  kClock,
  kNotDurable,
  kLowOrder,
  kPresharedKeyRefused,
  kResponseForged,
  kStaleTimestamp,
  kNeverConfirmed,
  kForeignSource,
  kNoAnswer,
  kCount
};

inline constexpr std::uint32_t kAnswersUnconfirmed = 3;  // then kNeverConfirmed: fewer may be loss
inline constexpr Duration kFailureInterval = 60s;        // each reason, each peer

[[nodiscard]] constexpr std::string_view sentence(Failure failure) {
  switch (failure) {
    case Failure::kOwnKey:
      return "keyd refused our own key, or does not answer";
    case Failure::kClock:
      return "the clock is not sane and no timestamp was kept: no initiation is sent";
    case Failure::kNotDurable:
      return "the timestamps of our calls cannot be stored (accessd or its disk): no initiation is sent";
    case Failure::kLowOrder:
      return "the peer's public key is of low order";
    case Failure::kPresharedKeyRefused:
      return "keyd does not have the peer's preshared key";
    case Failure::kResponseForged:
      return "the peer's response does not authenticate: its preshared key differs from ours";
    case Failure::kStaleTimestamp:
      return "timestamp not newer than the last: a replay, or the peer's clock went back";
    case Failure::kNeverConfirmed:
      return "the peer calls again and again and never takes up our response: its preshared key differs from ours, or "
             "our responses do not reach it";
    case Failure::kForeignSource:
      return "somebody who names this facility's key calls from an address its \"source\" does not allow (the record "
             "has "
             "it): a wrong \"source\", or not the facility";
    case Failure::kNoAnswer:
      return "the peer does not answer: nothing arrives there or comes back, or our public key there is not ours";
    case Failure::kCount:
      break;
  }
  return "unknown";
}

}  // namespace tunnel::wireguard
