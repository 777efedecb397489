// The four messages as they stand on the wire (WireGuard 5.4): sizes, parsing, writing. No crypto here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "tunnel/crypto/blake2s.h"
#include "tunnel/wire/packet.h"
#include "tunnel/wire/writer.h"

namespace tunnel::wireguard {

enum class MessageType : std::uint8_t { kInitiation = 1, kResponse = 2, kCookieReply = 3, kTransport = 4 };

inline constexpr std::size_t kInitiationSize = 148;
inline constexpr std::size_t kResponseSize = 92;
inline constexpr std::size_t kCookieReplySize = 64;
inline constexpr std::size_t kTransportHeader = 16;
inline constexpr std::size_t kTransportMinimum = 32;  // an empty packet and its tag
inline constexpr std::size_t kMacsSize = 32;          // mac1 and mac2 at the end of both handshake messages

using Key32 = std::array<std::uint8_t, 32>;
using Timestamp = std::array<std::uint8_t, 12>;  // TAI64N; later ones compare greater

struct Initiation {
  std::uint32_t sender = 0;
  Key32 ephemeral{};
  std::array<std::uint8_t, 48> sealed_static{};
  std::array<std::uint8_t, 28> sealed_timestamp{};
};

struct Response {
  std::uint32_t sender = 0;
  std::uint32_t receiver = 0;
  Key32 ephemeral{};
  std::array<std::uint8_t, 16> sealed_nothing{};
};

struct CookieReply {
  std::uint32_t receiver = 0;
  std::array<std::uint8_t, 24> nonce{};
  std::array<std::uint8_t, 32> sealed_cookie{};
};

struct TransportHeader {
  std::uint32_t receiver = 0;
  std::uint64_t counter = 0;
};

// By the first four octets (type, three reserved zeros) and the exact size, or the minimum of kTransport.
[[nodiscard]] std::optional<MessageType> classify(wire::ConstBytes datagram);

// Of a datagram that classify() named so.
[[nodiscard]] Initiation parse_initiation(wire::ConstBytes datagram);
[[nodiscard]] Response parse_response(wire::ConstBytes datagram);
[[nodiscard]] CookieReply parse_cookie_reply(wire::ConstBytes datagram);
[[nodiscard]] TransportHeader parse_transport(wire::ConstBytes datagram);

// Without the two macs, which the cookie code appends.
void write(wire::Writer& writer, const Initiation& message);
void write(wire::Writer& writer, const Response& message);
void write(wire::Writer& writer, const CookieReply& message);
void write(wire::Writer& writer, const TransportHeader& header);

}  // namespace tunnel::wireguard
