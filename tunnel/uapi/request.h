// One request of the cross-platform protocol: "get=1" or "set=1" and its lines, up to the blank one. It is read whole
// before anything of it is done: a request with one wrong line changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "config/value/result.h"
#include "tunnel/wire/packet.h"
#include "tunnel/wire/secret.h"

namespace tunnel::uapi {

using config::value::Result;
using PublicKey = std::array<std::uint8_t, 32>;
using Key = wire::Secret<32>;

// What stands behind "errno=". The numbers are Linux's, negative, as wireguard-go writes them and wg reads them.
enum class Status : std::int16_t {
  kDone = 0,
  kInvalid = -22,    // EINVAL: a value, or a key that has no place there
  kProtocol = -71,   // EPROTO: not lines of "key=value", an unknown operation, no end
  kPortInUse = -98,  // EADDRINUSE
  kDenied = -1,      // EPERM: the kernel refused a mark or a port
  kIo = -5,          // EIO: the kernel failed otherwise
};

struct AllowedIp {
  wire::Prefix prefix;
  bool remove = false;  // "allowed_ip=-10.0.0.0/8": taken from this peer, if it is this peer's
  friend bool operator==(const AllowedIp&, const AllowedIp&) = default;
};

// All lines from one public_key to the next. What is not given stays as it is.
struct PeerChange {
  PublicKey public_key{};
  bool remove = false;       // then nothing else of the change counts
  bool update_only = false;  // a peer that is not there is not made
  bool replace_allowed_ips = false;
  std::optional<Key> preshared_key;  // all zero: none
  std::optional<wire::SocketAddress> endpoint;
  std::optional<std::uint16_t> persistent_keepalive;  // seconds; 0: off
  std::vector<AllowedIp> allowed_ips;                 // in their order
};

struct GetRequest {};

struct SetRequest {
  std::optional<Key> private_key;  // all zero: none
  std::optional<std::uint16_t> listen_port;
  std::optional<std::uint32_t> fwmark;
  bool replace_peers = false;  // before `peers`
  std::vector<PeerChange> peers;
};

using Request = std::variant<GetRequest, SetRequest>;

// True for the key that stands for none.
[[nodiscard]] bool is_zero(std::span<const std::uint8_t, 32> key);

// `text` with or without its closing blank line. kInvalid or kProtocol, as wireguard-go would say.
[[nodiscard]] Result<Request, Status> parse(wire::ConstBytes text);

}  // namespace tunnel::uapi
