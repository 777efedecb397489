// Two endpoints for tests: a seeded random source, a key daemon that answers in the same process, and nodes that own
// both. No network here: tests/sim/network.h puts one between.
#pragma once

#include <map>
#include <random>
#include <string>

#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/x25519.h"
#include "tunnel/wireguard/endpoint.h"

namespace sim {

using namespace std::chrono_literals;
using namespace tunnel::wireguard;
using tunnel::wire::Drop;
using tunnel::wire::EventKind;
using tunnel::wire::Instant;
using tunnel::wire::IpAddress;
using tunnel::wire::KeyReply;
using tunnel::wire::KeyRequest;
using tunnel::wire::OuterPath;
using tunnel::wire::Outputs;
using tunnel::wire::PeerId;
using tunnel::wire::Prefix;
using tunnel::wire::SocketAddress;
using tunnel::wire::WallTime;
using Datagram = std::vector<std::uint8_t>;

inline constexpr Instant kStart{1000s};
inline constexpr WallTime kWallStart{std::chrono::seconds(1'790'000'000)};

class SeededRng : public tunnel::crypto::Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

using Key = std::array<std::uint8_t, 32>;

inline Key key_of(std::uint8_t seed) {
  Key key;
  key.fill(seed);
  return key;
}
inline PublicKey public_of(std::uint8_t seed) {
  return tunnel::crypto::x25519_public(key_of(seed));
}

// What gateway keyd does, without its process: long-term keys by name, low-order points refused.
class KeyDaemon {
 public:
  std::map<std::string, Key> keys;
  std::size_t asked = 0;

  KeyReply answer(const KeyRequest& request) {
    ++asked;
    KeyReply reply;
    reply.id = request.id;
    const auto found = keys.find(request.key);
    if (found == keys.end()) return reply;
    reply.good = request.operation == KeyRequest::Operation::kStaticDh ? static_dh(found->second, request, reply)
                                                                       : mix_psk(found->second, request, reply);
    return reply;
  }

 private:
  static bool static_dh(const Key& key, const KeyRequest& request, KeyReply& reply) {
    const auto shared = tunnel::crypto::x25519(key, request.input.expose());
    if (shared) std::ranges::copy(shared->expose(), reply.output.fill().begin());
    return shared.has_value();
  }
  static bool mix_psk(const Key& key, const KeyRequest& request, KeyReply& reply) {
    const auto derived = tunnel::crypto::kdf3(request.input.expose(), key);
    auto out = reply.output.fill().begin();
    for (const auto* part : {&derived.first, &derived.second, &derived.third})
      out = std::ranges::copy(part->expose(), out).out;
    return true;
  }
};

inline SocketAddress socket_address(const std::string& text) {
  return *SocketAddress::parse(text);
}
inline Prefix prefix(const std::string& text) {
  return *Prefix::parse(text);
}

inline Datagram ipv4_packet(const std::string& source, const std::string& destination, std::size_t size,
                            std::uint8_t tos = 0) {
  Datagram packet(std::max<std::size_t>(size, 20));
  packet[0] = 0x45;
  packet[1] = tos;
  packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
  packet[3] = static_cast<std::uint8_t>(packet.size());
  packet[8] = 64;
  packet[9] = 17;
  std::ranges::copy(IpAddress::parse(source)->octets(), packet.begin() + 12);
  std::ranges::copy(IpAddress::parse(destination)->octets(), packet.begin() + 16);
  return packet;
}

inline Datagram ipv6_packet(const std::string& source, const std::string& destination, std::size_t payload) {
  Datagram packet(40 + payload);
  packet[0] = 0x60;
  packet[4] = static_cast<std::uint8_t>(payload >> 8);
  packet[5] = static_cast<std::uint8_t>(payload);
  packet[6] = 17;
  packet[7] = 64;
  std::ranges::copy(IpAddress::parse(source)->octets(), packet.begin() + 8);
  std::ranges::copy(IpAddress::parse(destination)->octets(), packet.begin() + 24);
  return packet;
}

struct Sent {
  SocketAddress to;
  Datagram bytes;
  std::uint8_t ecn = 0;
};
struct Received {
  PeerId peer;
  Datagram bytes;
  std::uint8_t ecn = 0;
};

// An endpoint with everything around it. `seed` gives its private key, named "own".
class Node {
 public:
  explicit Node(std::uint8_t seed, EndpointParams params = {}) : rng_(seed), own_key(key_of(seed)) {
    keyd.keys["own"] = own_key;
    params.private_key = "own";
    params.public_key = public_of(seed);
    params.wall_now = params.wall_now == WallTime{} ? kWallStart : params.wall_now;
    endpoint = std::make_unique<Endpoint>(params, rng_, kStart);
  }

  void set_peer(const PeerParams& peer, Instant now) {
    endpoint->set_peer(peer, now, out);
    take(now);
  }
  void remove_peer(std::uint32_t id, Instant now) {
    endpoint->remove_peer({id}, now, out);
    take(now);
  }
  void receive(Datagram bytes, const SocketAddress& from, Instant now, std::uint8_t ecn = 0) {
    endpoint->receive({OuterPath{from, address.address, 0}, bytes, ecn}, now, out);
    take(now);
  }
  void send(std::uint32_t peer, Datagram packet, Instant now) {
    endpoint->send({PeerId{peer}, packet, {}}, now, out);
    take(now);
  }
  void allow_timestamps(std::uint64_t tai_seconds, Instant now) {
    endpoint->allow_timestamps(tai_seconds, now, out);
    take(now);
  }
  void on_deadline(Instant now) {
    endpoint->on_deadline(now, out);
    take(now);
  }
  // Runs every deadline up to `until`, one after another.
  void run(Instant until) {
    for (auto next = endpoint->next_deadline(); next && *next <= until; next = endpoint->next_deadline())
      on_deadline(*next);
  }
  // With `hold_keys`, requests wait in `held` until answered by hand.
  void answer_held(Instant now) {
    for (const KeyRequest& request : std::exchange(held, {})) endpoint->on_key_reply(keyd.answer(request), now, out);
    take(now);
  }

  [[nodiscard]] std::size_t events_of(EventKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(events, kind, &tunnel::wire::Event::kind));
  }
  [[nodiscard]] std::uint64_t dropped(Drop reason) const { return drops.of(reason); }
  std::vector<Sent> take_sent() { return std::exchange(sent, {}); }

 private:
  SeededRng rng_;

 public:
  Key own_key;
  KeyDaemon keyd;
  bool hold_keys = false;
  SocketAddress address;
  std::unique_ptr<Endpoint> endpoint;
  Outputs out;
  std::vector<Sent> sent;
  std::vector<Received> received;
  std::vector<tunnel::wire::Event> events;
  std::vector<KeyRequest> held;
  tunnel::wire::DropCounts drops;

 private:
  // Keeps what the endpoint put out and answers its key requests until there are none.
  void take(Instant now) {
    for (;;) {
      for (const auto& t : out.transmits) sent.push_back({t.path.remote, {t.bytes.begin(), t.bytes.end()}, t.ecn});
      for (const auto& d : out.deliveries) received.push_back({d.peer, {d.bytes.begin(), d.bytes.end()}, d.ecn});
      events.insert(events.end(), out.events.begin(), out.events.end());
      for (std::size_t i = 0; i < drops.count.size(); ++i) drops.count[i] += out.drops.count[i];
      std::vector<KeyRequest> requests = std::exchange(out.key_requests, {});
      out.clear();
      if (hold_keys) std::ranges::move(requests, std::back_inserter(held));
      if (hold_keys || requests.empty()) return;
      for (const KeyRequest& request : requests) endpoint->on_key_reply(keyd.answer(request), now, out);
    }
  }
};

// a (10.1.0.0/24 behind it, 192.0.2.1:51820) and b (10.2.0.0/24, 192.0.2.2:51820), each the other's peer number 1.
struct Pair {
  Node a, b;
  Instant now = kStart;
  PeerParams b_at_a, a_at_b;

  explicit Pair(const std::string& psk = "", EndpointParams params = {}) : a(11, params), b(22, params) {
    a.address = socket_address("192.0.2.1:51820");
    b.address = socket_address("192.0.2.2:51820");
    b_at_a = {.id = {1},
              .public_key = public_of(22),
              .preshared_key = psk,
              .endpoint = b.address,
              .outer_sources = {},
              .allowed = {prefix("10.2.0.0/24"), prefix("2001:db8:2::/64")}};
    a_at_b = {.id = {1},
              .public_key = public_of(11),
              .preshared_key = psk,
              .endpoint = a.address,
              .outer_sources = {},
              .allowed = {prefix("10.1.0.0/24"), prefix("2001:db8:1::/64")}};
    if (!psk.empty()) a.keyd.keys[psk] = b.keyd.keys[psk] = key_of(99);
    a.set_peer(b_at_a, now);
    b.set_peer(a_at_b, now);
  }

  // Carries everything in both directions until nothing is under way.
  void exchange() {
    while (!a.sent.empty() || !b.sent.empty()) {
      for (Sent& s : a.take_sent()) b.receive(std::move(s.bytes), a.address, now, s.ecn);
      for (Sent& s : b.take_sent()) a.receive(std::move(s.bytes), b.address, now, s.ecn);
    }
  }
  void a_sends(std::size_t size = 100) { a.send(1, ipv4_packet("10.1.0.5", "10.2.0.5", size), now); }
  void b_sends(std::size_t size = 100) { b.send(1, ipv4_packet("10.2.0.5", "10.1.0.5", size), now); }
  void connect() {
    a_sends();
    exchange();
  }
};

}  // namespace sim
