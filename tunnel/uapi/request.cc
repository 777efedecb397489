// By sections, as the protocol has them: the operation, keys of the interface, then each peer from its public_key on.
// Every value is judged alone; what is refused is never shown, it may be a key.
#include "tunnel/uapi/request.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace tunnel::uapi {
namespace {

using Done = Result<void, Status>;
using Value = std::string_view;

std::unexpected<Status> invalid() {
  return std::unexpected(Status::kInvalid);
}

// Decimal digits alone, at most the largest T.
template <class T>
Result<T, Status> number(Value text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return invalid();
  return value;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Done read_key(Value text, std::span<std::uint8_t, 32> out) {
  if (text.size() != 64) return invalid();
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return invalid();
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return {};
}

Result<Key, Status> secret_key(Value text) {
  Key key;
  TRY(read_key(text, key.fill()));
  return key;
}

// Flags are only ever set: "false" is not a value of the protocol.
Done set_true(Value text, bool& flag) {
  if (text != "true") return invalid();
  flag = true;
  return {};
}

// Host bits are zeroed, as every implementation does; the length must be there.
Result<AllowedIp, Status> allowed_ip(Value text) {
  AllowedIp allowed;
  if (text.starts_with('-')) allowed.remove = true, text.remove_prefix(1);
  const auto slash = text.find('/');
  if (slash == Value::npos) return invalid();
  const auto address = wire::IpAddress::parse(text.substr(0, slash));
  if (!address) return invalid();
  const auto length = TRY(number<std::uint8_t>(text.substr(slash + 1)));
  if (length > address->bits()) return invalid();
  allowed.prefix = wire::Prefix::masked(*address, length);
  return allowed;
}

Result<wire::SocketAddress, Status> endpoint(Value text) {
  const auto parsed = wire::SocketAddress::parse(text);
  if (!parsed) return invalid();
  return *parsed;
}

Done take_interface(SetRequest& request, Value key, Value value) {
  if (key == "private_key") {
    request.private_key = TRY(secret_key(value));
  } else if (key == "listen_port") {
    request.listen_port = TRY(number<std::uint16_t>(value));
  } else if (key == "fwmark") {
    request.fwmark = TRY(number<std::uint32_t>(value));
  } else if (key == "replace_peers") {
    return set_true(value, request.replace_peers);
  } else {
    return invalid();
  }
  return {};
}

Done take_peer(PeerChange& peer, Value key, Value value) {
  if (key == "remove") return set_true(value, peer.remove);
  if (key == "update_only") return set_true(value, peer.update_only);
  if (key == "replace_allowed_ips") {
    peer.allowed_ips.clear();  // those before it in this section are replaced too
    return set_true(value, peer.replace_allowed_ips);
  }
  if (key == "preshared_key") {
    peer.preshared_key = TRY(secret_key(value));
  } else if (key == "endpoint") {
    peer.endpoint = TRY(endpoint(value));
  } else if (key == "persistent_keepalive_interval") {
    peer.persistent_keepalive = TRY(number<std::uint16_t>(value));
  } else if (key == "allowed_ip") {
    peer.allowed_ips.push_back(TRY(allowed_ip(value)));
  } else if (key != "protocol_version" || value != "1") {
    return invalid();
  }
  return {};
}

Done take_line(SetRequest& request, Value line) {
  const auto equals = line.find('=');
  if (equals == Value::npos) return std::unexpected(Status::kProtocol);
  const Value key = line.substr(0, equals), value = line.substr(equals + 1);
  if (key == "public_key") return read_key(value, request.peers.emplace_back().public_key);
  return request.peers.empty() ? take_interface(request, key, value) : take_peer(request.peers.back(), key, value);
}

// The next line without its newline; the last may have none.
Value next_line(Value& rest) {
  const auto end = rest.find('\n');
  const Value line = rest.substr(0, end);
  rest.remove_prefix(end == Value::npos ? rest.size() : end + 1);
  return line;
}

}  // namespace

bool is_zero(std::span<const std::uint8_t, 32> key) {
  return sodium_is_zero(key.data(), key.size()) == 1;
}

Result<Request, Status> parse(wire::ConstBytes text) {
  Value rest(reinterpret_cast<const char*>(text.data()), text.size());
  const Value operation = next_line(rest);
  if (operation == "get=1") {
    if (!next_line(rest).empty()) return invalid();
    return GetRequest{};
  }
  if (operation != "set=1") return std::unexpected(Status::kProtocol);
  SetRequest request;
  while (!rest.empty()) {
    const Value line = next_line(rest);
    if (line.empty()) break;
    TRY(take_line(request, line));
  }
  return request;
}

}  // namespace tunnel::uapi
