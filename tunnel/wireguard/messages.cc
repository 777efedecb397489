// WireGuard 5.4: all integers are little-endian.
#include "tunnel/wireguard/messages.h"

#include "tunnel/wire/reader.h"

namespace tunnel::wireguard {
namespace {

constexpr std::size_t kTypeSize = 4;

wire::Reader after_type(wire::ConstBytes datagram) {
  return wire::Reader(datagram.subspan(kTypeSize));
}

}  // namespace

std::optional<MessageType> classify(wire::ConstBytes datagram) {
  wire::Reader reader(datagram);
  const std::uint32_t type = reader.u32_le();  // the reserved octets are the upper three and must be zero
  if (!reader.good()) return std::nullopt;
  if (type == 1 && datagram.size() == kInitiationSize) return MessageType::kInitiation;
  if (type == 2 && datagram.size() == kResponseSize) return MessageType::kResponse;
  if (type == 3 && datagram.size() == kCookieReplySize) return MessageType::kCookieReply;
  if (type == 4 && datagram.size() >= kTransportMinimum) return MessageType::kTransport;
  return std::nullopt;
}

Initiation parse_initiation(wire::ConstBytes datagram) {
  wire::Reader reader = after_type(datagram);
  Initiation message;
  message.sender = reader.u32_le();
  message.ephemeral = reader.array<32>();
  message.sealed_static = reader.array<48>();
  message.sealed_timestamp = reader.array<28>();
  return message;
}

Response parse_response(wire::ConstBytes datagram) {
  wire::Reader reader = after_type(datagram);
  Response message;
  message.sender = reader.u32_le();
  message.receiver = reader.u32_le();
  message.ephemeral = reader.array<32>();
  message.sealed_nothing = reader.array<16>();
  return message;
}

CookieReply parse_cookie_reply(wire::ConstBytes datagram) {
  wire::Reader reader = after_type(datagram);
  CookieReply message;
  message.receiver = reader.u32_le();
  message.nonce = reader.array<24>();
  message.sealed_cookie = reader.array<32>();
  return message;
}

TransportHeader parse_transport(wire::ConstBytes datagram) {
  wire::Reader reader = after_type(datagram);
  TransportHeader header;
  header.receiver = reader.u32_le();
  header.counter = reader.u64_le();
  return header;
}

void write(wire::Writer& writer, const Initiation& message) {
  writer.u32_le(static_cast<std::uint32_t>(MessageType::kInitiation));
  writer.u32_le(message.sender);
  writer.octets(message.ephemeral);
  writer.octets(message.sealed_static);
  writer.octets(message.sealed_timestamp);
}

void write(wire::Writer& writer, const Response& message) {
  writer.u32_le(static_cast<std::uint32_t>(MessageType::kResponse));
  writer.u32_le(message.sender);
  writer.u32_le(message.receiver);
  writer.octets(message.ephemeral);
  writer.octets(message.sealed_nothing);
}

void write(wire::Writer& writer, const CookieReply& message) {
  writer.u32_le(static_cast<std::uint32_t>(MessageType::kCookieReply));
  writer.u32_le(message.receiver);
  writer.octets(message.nonce);
  writer.octets(message.sealed_cookie);
}

void write(wire::Writer& writer, const TransportHeader& header) {
  writer.u32_le(static_cast<std::uint32_t>(MessageType::kTransport));
  writer.u32_le(header.receiver);
  writer.u64_le(header.counter);
}

}  // namespace tunnel::wireguard
