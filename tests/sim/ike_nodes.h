// Two IKE endpoints for tests, a key daemon that answers in the same process, and a seeded network between them that
// loses, repeats and reorders datagrams and may stand behind a NAT. Time jumps to what is next.
#pragma once

#include <functional>
#include <queue>

#include "tests/sim/nodes.h"
#include "tunnel/ike/authentication.h"
#include "tunnel/ike/endpoint.h"
#include "tunnel/ike/key_material.h"

namespace ike_sim {

using namespace std::chrono_literals;
namespace ike = tunnel::ike;
using sim::Datagram;
using sim::SeededRng;
using tunnel::wire::Drop;
using tunnel::wire::EventKind;
using tunnel::wire::Instant;
using tunnel::wire::KeyReply;
using tunnel::wire::KeyRequest;
using tunnel::wire::Prefix;
using tunnel::wire::SocketAddress;

inline constexpr Instant kStart{1000s};
inline constexpr tunnel::wire::WallTime kWall{std::chrono::seconds(1'790'000'000)};

inline ike::IdentityValue fqdn(const std::string& name) {
  return {ike::IdType::kFqdn, {name.begin(), name.end()}};
}

// What gateway keyd does, without its process.
struct KeyDaemon {
  std::map<std::string, std::vector<std::uint8_t>> keys;
  std::map<std::string, tunnel::crypto::SigningKey> signing;
  std::size_t asked = 0;
  KeyReply answer(const KeyRequest& request) {
    ++asked;
    KeyReply reply;
    reply.id = request.id;
    if (request.operation == KeyRequest::Operation::kSign) {
      const auto key = signing.find(request.key);
      if (key == signing.end()) return reply;
      const auto scheme = static_cast<tunnel::crypto::SignatureScheme>(request.scheme);
      const auto signature = key->second.sign(scheme, request.octets);
      reply.good = signature.has_value();
      reply.octets = signature.value_or(std::vector<std::uint8_t>{});
      return reply;
    }
    const auto found = keys.find(request.key);
    if (found == keys.end()) return reply;
    if (request.operation == KeyRequest::Operation::kIkePpk) {
      const auto mixed = ike::mix_ppk(static_cast<tunnel::crypto::Prf>(request.prf), found->second, request.secrets);
      reply.secrets.assign(mixed.expose().begin(), mixed.expose().end());
      reply.good = true;
      return reply;
    }
    if (request.operation != KeyRequest::Operation::kIkePskAuth) return reply;
    const auto mac =
        ike::psk_authentication(static_cast<tunnel::crypto::Prf>(request.prf), found->second, request.octets);
    std::ranges::copy(mac.expose(), reply.output.fill().begin());
    reply.good = true;
    return reply;
  }
};

struct Sent {
  SocketAddress from, to;
  Datagram bytes;
};

// What kind of IKE message it is, on either port.
struct IkeKind {
  int exchange = 0;  // 0: it is ESP
  bool response = false;
};

inline IkeKind ike_of(const Sent& s) {
  const std::size_t at = s.to.port == 4500 ? 4 : 0;
  const bool marked = at == 0 || (s.bytes.size() > 4 && std::ranges::all_of(s.bytes.begin(), s.bytes.begin() + 4,
                                                                            [](std::uint8_t o) { return o == 0; }));
  if (!marked || s.bytes.size() < at + 28) return {};
  return {s.bytes[at + 18], (s.bytes[at + 19] & 0x20) != 0};
}

// An endpoint with everything around it, of one IPv4 address.
class Node {
 public:
  Node(std::uint64_t seed, const std::string& own, ike::EndpointParams params = {})
      : rng(std::make_unique<SeededRng>(seed)), address(*tunnel::wire::IpAddress::parse(own)) {
    if (params.doors.empty()) params.doors = doors(false);
    params.addresses = {address};
    params.wall_now = kWall;
    endpoint = std::make_unique<ike::Endpoint>(params, *rng, kStart);
  }
  // Socket 0: UDP 500, 1: UDP 4500, 2: protocol 50.
  [[nodiscard]] std::vector<ike::Door> doors(bool with_esp) const {
    using Kind = ike::Door::Kind;
    std::vector<ike::Door> all{{0, address.family(), 500, Kind::kPlain, {}},
                               {1, address.family(), 4500, Kind::kNat, {}}};
    if (with_esp) all.push_back({2, address.family(), 0, Kind::kEsp, {}});
    return all;
  }
  void set_peer(const ike::PeerParams& peer, Instant now) {
    endpoint->set_peer(peer, now, out);
    take(now);
  }
  void remove_peer(std::uint32_t id, Instant now) {
    endpoint->remove_peer({id}, now, out);
    take(now);
  }
  void receive(Datagram bytes, const SocketAddress& from, std::uint16_t port, Instant now) {
    const std::uint16_t socket = port == 4500 ? 1 : port == 0 ? 2 : 0;
    endpoint->receive({{from, address, socket}, bytes, 0}, now, out);
    take(now);
  }
  void on_deadline(Instant now) {
    endpoint->on_deadline(now, out);
    take(now);
  }
  void send(Datagram packet, Instant now, std::uint32_t peer = 1) {
    endpoint->send({{peer}, packet, {}}, now, out);
    take(now);
  }
  void answer_held(Instant now) {
    for (const KeyRequest& request : std::exchange(held, {})) endpoint->on_key_reply(keyd.answer(request), now, out);
    take(now);
  }
  [[nodiscard]] std::size_t events_of(EventKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(events, kind, &tunnel::wire::Event::kind));
  }
  [[nodiscard]] bool told(std::string_view words) const {
    return std::ranges::any_of(events, [&](const auto& e) { return e.detail.find(words) != std::string::npos; });
  }
  [[nodiscard]] ike::PeerCounters counters(std::uint32_t id = 1) const { return *endpoint->counters({id}); }
  std::vector<Sent> take_sent() { return std::exchange(sent, {}); }

  std::unique_ptr<SeededRng> rng;
  tunnel::wire::IpAddress address;
  KeyDaemon keyd;
  bool hold_keys = false;
  std::vector<KeyRequest> held;
  std::unique_ptr<ike::Endpoint> endpoint;
  tunnel::wire::Outputs out;
  std::vector<Sent> sent;
  std::vector<Datagram> received;  // inner packets
  std::vector<tunnel::wire::Event> events;
  tunnel::wire::DropCounts drops;

 private:
  void take(Instant now) {
    for (;;) {
      for (const auto& t : out.transmits) {
        const std::uint16_t port = t.path.socket == 1 ? 4500 : t.path.socket == 2 ? 0 : 500;
        sent.push_back({{address, port}, t.path.remote, {t.bytes.begin(), t.bytes.end()}});
      }
      for (const auto& d : out.deliveries) received.push_back({d.bytes.begin(), d.bytes.end()});
      events.insert(events.end(), out.events.begin(), out.events.end());
      for (std::size_t i = 0; i < drops.count.size(); ++i) drops.count[i] += out.drops.count[i];
      std::vector<KeyRequest> requests = std::move(out.key_requests);
      out.clear();
      if (hold_keys) {
        for (KeyRequest& request : requests) held.push_back(std::move(request));
        return;
      }
      if (requests.empty()) return;
      for (const KeyRequest& request : requests) endpoint->on_key_reply(keyd.answer(request), now, out);
    }
  }
};

struct NetworkParams {
  std::uint64_t seed = 1;
  std::uint32_t loss_per_mille = 0, repeat_per_mille = 0;
  std::chrono::microseconds delay = 20ms, spread{};
};

// a begins (192.0.2.1, "a.example", 10.1.0.0/24 behind it), b answers (192.0.2.2, "b.example", 10.2.0.0/24).
class Pair {
 public:
  explicit Pair(NetworkParams network = {}, ike::EndpointParams params = {})
      : a(11, "192.0.2.1", params), b(22, "192.0.2.2", params), network_(network), dice_(network.seed) {
    b_at_a = peer("a.example", "b.example", "10.1.0.0/24", "10.2.0.0/24");
    b_at_a.endpoint = SocketAddress{b.address, 500};
    b_at_a.start = true;
    a_at_b = peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
    a.keyd.keys["psk"] = b.keyd.keys["psk"] = Datagram(32, 7);
  }
  static ike::PeerParams peer(const std::string& own, const std::string& other, const std::string& local,
                              const std::string& remote) {
    ike::PeerParams params;
    params.id = {1};
    params.local_id = fqdn(own);
    params.remote_id = fqdn(other);
    params.preshared_key = "psk";
    params.local_networks = {*Prefix::parse(local)};
    params.remote_networks = {*Prefix::parse(remote)};
    params.profile = ike::profile_at(ike::ProfileName::kCompat, {}, kWall);
    return params;
  }
  void connect(tunnel::wire::Duration patience = 5s) {
    b.set_peer(a_at_b, now);
    a.set_peer(b_at_a, now);
    run(now + patience);
  }
  void a_sends(std::size_t size = 100) { a.send(sim::ipv4_packet("10.1.0.5", "10.2.0.5", size), now); }
  void b_sends(std::size_t size = 100) { b.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", size), now); }
  // One packet each way, within a second.
  [[nodiscard]] bool carries() {
    a.received.clear(), b.received.clear();
    a_sends(), b_sends();
    run(now + 1s);
    return a.received.size() == 1 && b.received.size() == 1;
  }
  [[nodiscard]] bool up() const { return a.counters().up && b.counters().up; }

  void run(Instant until) {
    for (;;) {
      collect();
      const Instant next = next_event();
      if (next > until) break;
      now = std::max(now, next);
      step();
    }
    now = until;
  }

  Node a, b;
  ike::PeerParams b_at_a, a_at_b;
  Instant now = kStart;
  std::size_t carried = 0, lost = 0;
  // What stands in the way: may change a datagram, and drops it by returning false.
  std::function<bool(Sent&)> middle = [](Sent&) { return true; };
  // Every datagram that left a node, also those that were lost.
  std::vector<Sent> seen;
  bool keep_seen = false;

 private:
  struct Flight {
    Instant arrives;
    std::uint64_t number;
    Sent sent;
    bool operator>(const Flight& other) const {
      return std::tie(arrives, number) > std::tie(other.arrives, other.number);
    }
  };
  bool chance(std::uint32_t per_mille) { return per_mille > 0 && dice_.below(1000) < per_mille; }
  void collect() {
    for (Node* node : {&a, &b})
      for (Sent& s : node->take_sent()) launch(std::move(s));
  }
  void launch(Sent sent) {
    if (keep_seen) seen.push_back(sent);
    if (!middle(sent)) return void(++lost);
    if (chance(network_.repeat_per_mille)) flights_.push({arrival(), ++number_, sent});
    if (chance(network_.loss_per_mille)) return void(++lost);
    flights_.push({arrival(), ++number_, std::move(sent)});
  }
  Instant arrival() {
    const auto spread = static_cast<std::uint32_t>(network_.spread.count());
    return now + network_.delay + std::chrono::microseconds(spread == 0 ? 0 : dice_.below(spread));
  }
  Instant next_event() const {
    Instant next = flights_.empty() ? Instant::max() : flights_.top().arrives;
    for (const Node* node : {&a, &b}) next = std::min(next, node->endpoint->next_deadline().value_or(Instant::max()));
    return next;
  }
  void step() {
    while (!flights_.empty() && flights_.top().arrives <= now) {
      Flight flight = flights_.top();
      flights_.pop();
      ++carried;
      for (Node* node : {&a, &b})
        if (node->address == flight.sent.to.address)
          node->receive(flight.sent.bytes, flight.sent.from, flight.sent.to.port, now);
    }
    for (Node* node : {&a, &b}) node->on_deadline(now);
  }

  NetworkParams network_;
  SeededRng dice_;
  std::uint64_t number_ = 0;
  std::priority_queue<Flight, std::vector<Flight>, std::greater<>> flights_;
};

// For many pairs between two nodes: one of two ends with that number, each with a network of its own on the other side.
inline ike::PeerParams numbered(const std::string& own, const std::string& other, std::uint32_t number) {
  const std::string net = "10." + std::to_string(number / 250) + "." + std::to_string(number % 250) + ".0/24";
  ike::PeerParams peer = Pair::peer(own + std::to_string(number), other + std::to_string(number), "172.16.0.0/24", net);
  peer.id = {number};
  return peer;
}

// No bound of first messages: for who measures, not for who is attacked.
inline ike::EndpointParams without_admission() {
  ike::EndpointParams params;
  params.admission.cookies_from_rate = params.admission.rate_of_source = UINT32_MAX;
  params.admission.cookies_from = params.admission.cookies_from_source = SIZE_MAX;
  params.admission.most = params.admission.most_of_source = params.admission.most_of_network = SIZE_MAX;
  params.admission.work = UINT32_MAX;
  return params;
}

}  // namespace ike_sim
