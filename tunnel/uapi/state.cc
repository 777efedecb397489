// Lines in wireguard-go's order; what is zero or not there has no line, but for the numbers that wg expects of a peer.
#include "tunnel/uapi/state.h"

#include <charconv>
#include <string_view>

namespace tunnel::uapi {
namespace {

class Text {
 public:
  void line(std::string_view key, std::string_view value) { put(key), put("="), put(value), put("\n"); }
  template <class T>
  void number(std::string_view key, T value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    line(key, {digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  // Straight into the wiped octets: no copy of a key stays elsewhere.
  void key(std::string_view name, std::span<const std::uint8_t, 32> octets) {
    put(name), put("=");
    for (const std::uint8_t octet : octets) {
      text_.push_back(static_cast<std::uint8_t>("0123456789abcdef"[octet >> 4]));
      text_.push_back(static_cast<std::uint8_t>("0123456789abcdef"[octet & 15]));
    }
    put("\n");
  }
  [[nodiscard]] wire::WipedOctets finish(Status status) && {
    number("errno", static_cast<int>(status));
    put("\n");
    return std::move(text_);
  }

 private:
  void put(std::string_view text) { text_.insert(text_.end(), text.begin(), text.end()); }
  wire::WipedOctets text_;
};

void put_peer(Text& text, const PeerState& peer) {
  using namespace std::chrono;
  const auto since = peer.last_handshake.value_or(wire::WallTime{}).time_since_epoch();
  const auto whole = duration_cast<seconds>(since);
  text.key("public_key", peer.public_key);
  text.key("preshared_key", peer.preshared_key.expose());
  text.number("protocol_version", 1);
  if (peer.endpoint) text.line("endpoint", peer.endpoint->to_string());
  text.number("last_handshake_time_sec", whole.count());
  text.number("last_handshake_time_nsec", (since - whole).count());
  text.number("tx_bytes", peer.sent_bytes);
  text.number("rx_bytes", peer.received_bytes);
  text.number("persistent_keepalive_interval", peer.persistent_keepalive);
  for (const wire::Prefix& prefix : peer.allowed_ips) text.line("allowed_ip", prefix.to_string());
}

}  // namespace

wire::WipedOctets to_text(const InterfaceState& state) {
  Text text;
  if (!is_zero(state.private_key.expose())) text.key("private_key", state.private_key.expose());
  if (state.listen_port != 0) text.number("listen_port", state.listen_port);
  if (state.fwmark != 0) text.number("fwmark", state.fwmark);
  for (const PeerState& peer : state.peers) put_peer(text, peer);
  return std::move(text).finish(Status::kDone);
}

wire::WipedOctets to_text(Status status) {
  return Text().finish(status);
}

}  // namespace tunnel::uapi
