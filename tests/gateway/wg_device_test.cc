// The interface that wg sees, two of them and the octets between: cryptokey routing (WireGuard 2), and what a request
// changes and what it leaves.
#include "gateway/wg/device.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "gateway/wg/plain_packet.h"
#include "tests/sim/nodes.h"

namespace {

using namespace std::chrono_literals;
using gateway::wg::Device;
using sim::Datagram;
using tunnel::uapi::PeerState;

std::string hex(std::span<const std::uint8_t> octets) {
  std::string text;
  for (const std::uint8_t octet : octets) text += fmt::format("{:02x}", octet);
  return text;
}

// One host: its device, a private key of one repeated octet, an outer address.
struct Host {
  Host(std::uint8_t seed, const std::string& outer) : rng(seed), key(seed), address(sim::socket_address(outer)) {
    set("private_key=" + hex(sim::key_of(seed)) + "\n");
    link(true);
  }
  tunnel::uapi::Status set(const std::string& lines) {
    const std::string text = "set=1\n" + lines + "\n";
    const auto parsed = tunnel::uapi::parse({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    REQUIRE(parsed);
    device.apply(std::get<tunnel::uapi::SetRequest>(*parsed), now, out);
    take();
    return tunnel::uapi::Status::kDone;
  }
  void link(bool up, std::uint16_t mtu = 1420) { device.set_link(up, mtu, now, out), take(); }
  void send(Datagram packet) {
    const gateway::core::TunPacket one{packet, {}};
    device.from_tun({&one, 1}, now, out), take();
  }
  void receive(Datagram bytes, const tunnel::wire::SocketAddress& from) {
    const tunnel::wire::OuterDatagram one{{from, address.address, 0}, bytes, 0};
    device.from_outside({&one, 1}, now, out), take();
  }
  void pass(std::chrono::seconds time) {
    now.boot += time, now.wall += time;
    while (device.next_deadline() && *device.next_deadline() <= now.boot) device.on_deadline(now, out), take();
  }
  void take() {
    for (const auto& t : out.wire.transmits) sent.push_back({t.path.remote, {t.bytes.begin(), t.bytes.end()}, t.ecn});
    for (const auto bytes : out.tun_writes) delivered.emplace_back(bytes.begin(), bytes.end());
    out.clear();
  }
  PeerState peer(std::uint8_t seed) {
    auto state = device.state();
    for (auto& each : state.peers)
      if (each.public_key == sim::public_of(seed)) return std::move(each);
    FAIL("no such peer");
    return {};
  }

  sim::SeededRng rng;
  std::uint8_t key;
  tunnel::wire::SocketAddress address;
  gateway::wg::Times now{sim::kStart, sim::kWallStart};
  Device device{rng, now};
  gateway::wg::DeviceOutputs out;
  std::vector<sim::Sent> sent;
  std::vector<Datagram> delivered;
};

std::string peer_line(std::uint8_t seed, const std::string& lines) {
  return "public_key=" + hex(sim::public_of(seed)) + "\n" + lines;
}

// Carries what was sent to whom it is addressed, until nothing is sent.
void exchange(std::initializer_list<Host*> hosts) {
  for (bool moved = true; std::exchange(moved, false);)
    for (Host* from : hosts)
      for (sim::Sent& sent : std::exchange(from->sent, {}))
        for (Host* to : hosts)
          if (to->address == sent.to) to->receive(sent.bytes, from->address), moved = true;
}

Datagram packet(const std::string& from, const std::string& to) {
  return sim::ipv4_packet(from, to, 100);
}

// Of the first 20 octets, whatever the header length says.
void good_header_sum(Datagram& v4) {
  v4[10] = v4[11] = 0;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += v4[i] * 256u + v4[i + 1];
  sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
  v4[10] = static_cast<std::uint8_t>(sum >> 8), v4[11] = static_cast<std::uint8_t>(sum);
}

struct Scene {
  Host a{1, "192.0.2.1:1"}, b{2, "192.0.2.2:2"}, c{3, "192.0.2.3:3"};
  Scene() {
    a.set(peer_line(2, "endpoint=192.0.2.2:2\nallowed_ip=10.0.0.0/8\n") +
          peer_line(3, "endpoint=192.0.2.3:3\nallowed_ip=10.3.0.0/16\n"));
    b.set(peer_line(1, "allowed_ip=0.0.0.0/0\n"));
    c.set(peer_line(1, "allowed_ip=0.0.0.0/0\n"));
  }
  void run() { exchange({&a, &b, &c}); }
};

}  // namespace

TEST_CASE("wg device: the longest prefix chooses the peer", "[wg]") {  // WireGuard 2
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.a.send(packet("10.1.0.1", "10.3.0.1"));
  scene.a.send(packet("10.1.0.1", "11.0.0.1"));
  scene.run();
  REQUIRE(scene.b.delivered.size() == 1);
  CHECK(scene.b.delivered[0] == packet("10.1.0.1", "10.2.0.1"));
  REQUIRE(scene.c.delivered.size() == 1);
  CHECK(scene.a.device.drops().no_peer == 1);
}

TEST_CASE("wg device: a source belongs to the peer of its longest prefix alone", "[wg]") {  // WireGuard 2
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  scene.b.send(packet("10.2.0.1", "10.1.0.1"));
  scene.run();
  CHECK(scene.a.delivered.size() == 1);
  scene.b.send(packet("10.3.0.1", "10.1.0.1"));  // inside b's 10.0.0.0/8, but c's
  scene.b.send(packet("11.0.0.1", "10.1.0.1"));  // nobody's
  scene.run();
  CHECK(scene.a.delivered.size() == 1);
  CHECK(scene.a.device.drops().foreign_source == 2);
}

TEST_CASE("wg device: a prefix moves to who has it set last", "[wg]") {
  Scene scene;
  scene.a.set(peer_line(2, "allowed_ip=10.3.0.0/16\n"));
  CHECK(scene.a.peer(3).allowed_ips.empty());
  scene.a.send(packet("10.1.0.1", "10.3.0.1"));
  scene.run();
  CHECK(scene.b.delivered.size() == 1);
  scene.a.set(peer_line(3, "allowed_ip=-10.3.0.0/16\n"));  // not its own any more
  CHECK(scene.a.peer(2).allowed_ips.size() == 2);
  scene.a.set(peer_line(2, "allowed_ip=-10.3.0.0/16\n"));
  CHECK(scene.a.peer(2).allowed_ips.size() == 1);
  scene.a.set(peer_line(2, "replace_allowed_ips=true\nallowed_ip=10.9.0.0/16\n"));
  REQUIRE(scene.a.peer(2).allowed_ips.size() == 1);
  CHECK(scene.a.peer(2).allowed_ips[0].to_string() == "10.9.0.0/16");
}

TEST_CASE("wg device: peers come, stay and go as a request says", "[wg]") {
  Scene scene;
  Host& a = scene.a;
  a.set(peer_line(4, "update_only=true\nallowed_ip=10.4.0.0/16\n"));
  CHECK(a.device.state().peers.size() == 2);
  a.set(peer_line(3, "remove=true\nallowed_ip=10.5.0.0/16\n"));
  REQUIRE(a.device.state().peers.size() == 1);
  a.set(peer_line(3, "remove=true\n"));
  a.set(peer_line(1, "allowed_ip=10.6.0.0/16\n"));  // our own key
  CHECK(a.device.state().peers.size() == 1);
  a.set(peer_line(4, ""));
  a.set("private_key=" + hex(sim::key_of(4)) + "\n");  // a peer becomes ourselves
  REQUIRE(a.device.state().peers.size() == 1);
  CHECK(a.device.state().peers[0].public_key == sim::public_of(2));
  a.set("replace_peers=true\n" + peer_line(5, ""));
  REQUIRE(a.device.state().peers.size() == 1);
  CHECK(a.device.state().peers[0].public_key == sim::public_of(5));
}

TEST_CASE("wg device: peers are told in the order they came", "[wg]") {
  Scene scene;
  scene.a.set(peer_line(9, "") + peer_line(4, "") + peer_line(2, "persistent_keepalive_interval=5\n"));
  const auto state = scene.a.device.state();
  REQUIRE(state.peers.size() == 4);
  CHECK(state.peers[0].public_key == sim::public_of(2));
  CHECK(state.peers[2].public_key == sim::public_of(9));
  CHECK(state.peers[3].public_key == sim::public_of(4));
}

TEST_CASE("wg device: no more peers than fit", "[wg]") {
  Scene scene;
  tunnel::uapi::SetRequest request;
  request.peers.resize(Device::kMostPeers);
  for (std::size_t i = 0; i < request.peers.size(); ++i)
    request.peers[i].public_key[0] = static_cast<std::uint8_t>(i),
    request.peers[i].public_key[1] = static_cast<std::uint8_t>(i >> 8);
  CHECK_FALSE(scene.a.device.has_room_for(request));
  request.replace_peers = true;
  CHECK(scene.a.device.has_room_for(request));
  request.replace_peers = false;
  for (std::size_t i = 0; i < 2; ++i) request.peers[i].remove = true;
  CHECK(scene.a.device.has_room_for(request));
}

TEST_CASE("wg device: octets, handshake and place of a peer are told", "[wg]") {
  Scene scene;
  CHECK_FALSE(scene.b.peer(1).endpoint);
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  CHECK(scene.a.peer(2).sent_bytes == 148 + 32 + 112);  // initiation, data of 100 padded to 112
  CHECK(scene.a.peer(2).received_bytes == 92);          // response
  CHECK(scene.b.peer(1).received_bytes == 148 + 32 + 112);
  CHECK(scene.b.peer(1).sent_bytes == 92);
  CHECK(scene.a.peer(2).last_handshake == sim::kWallStart);
  CHECK(scene.b.peer(1).last_handshake == sim::kWallStart);
  CHECK(scene.b.peer(1).endpoint == scene.a.address);
}

TEST_CASE("wg device: a peer that moved is followed, and set back by its first endpoint again", "[wg]") {
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  scene.b.address = sim::socket_address("198.51.100.9:9");
  scene.b.send(packet("10.2.0.1", "10.1.0.1"));
  scene.run();
  CHECK(scene.a.peer(2).endpoint == scene.b.address);
  scene.a.set(peer_line(2, "persistent_keepalive_interval=0\n"));
  CHECK(scene.a.peer(2).endpoint == scene.b.address);
  scene.a.set(peer_line(2, "endpoint=192.0.2.2:2\n"));
  CHECK(scene.a.peer(2).endpoint->to_string() == "192.0.2.2:2");
}

TEST_CASE("wg device: a new preshared key leaves the session and counts for the next", "[wg]") {
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  scene.a.set(peer_line(2, "preshared_key=" + hex(sim::key_of(7)) + "\n"));
  scene.a.send(packet("10.1.0.1", "10.2.0.2"));
  scene.run();
  CHECK(scene.b.delivered.size() == 2);
  CHECK(scene.a.peer(2).sent_bytes == 148 + 2 * (32 + 112));
  for (Host* host : {&scene.a, &scene.b, &scene.c}) host->pass(200s);
  scene.a.sent.clear(), scene.b.sent.clear();
  scene.a.send(packet("10.1.0.1", "10.2.0.3"));  // a new handshake, which only equal keys make
  scene.run();
  CHECK(scene.b.delivered.size() == 2);
  scene.b.set(peer_line(1, "preshared_key=" + hex(sim::key_of(7)) + "\n"));
  for (Host* host : {&scene.a, &scene.b, &scene.c}) host->pass(6s);
  scene.run();
  CHECK(scene.b.delivered.size() == 3);
}

TEST_CASE("wg device: another private key ends sessions, the same one does not", "[wg]") {
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  scene.a.set("private_key=" + hex(sim::key_of(1)) + "\n");
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  CHECK(scene.a.sent.at(0).bytes.at(0) == 4);  // data
  scene.run();
  const auto before = scene.a.peer(2);
  scene.a.set("private_key=" + hex(sim::key_of(6)) + "\n");
  CHECK(scene.a.peer(2).sent_bytes == before.sent_bytes);
  CHECK(scene.a.peer(2).last_handshake == before.last_handshake);
  scene.b.set(peer_line(1, "remove=true\n") + peer_line(6, "allowed_ip=0.0.0.0/0\n"));
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  CHECK(scene.a.sent.at(0).bytes.at(0) == 1);  // initiation
  scene.run();
  CHECK(scene.b.delivered.size() == 3);
}

TEST_CASE("wg device: an initiation of before stays a replay when keys change and come back",
          "[wg]") {  // WireGuard 5.1
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  REQUIRE(scene.a.sent.size() == 1);
  const Datagram recorded = scene.a.sent[0].bytes;
  scene.run();
  scene.b.set("private_key=" + hex(sim::key_of(8)) + "\n");
  scene.b.set("private_key=" + hex(sim::key_of(2)) + "\n");
  scene.b.link(false), scene.b.link(true);
  scene.b.receive(recorded, sim::socket_address("203.0.113.66:6"));
  CHECK(scene.b.sent.empty());
  CHECK(scene.b.peer(1).endpoint == scene.a.address);
}

TEST_CASE("wg device: down or without key nothing is answered or sent", "[wg]") {
  Scene scene;
  scene.b.link(false);
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  CHECK(scene.b.device.drops().not_running == 1);
  scene.b.link(true);
  scene.a.pass(6s), scene.run();
  CHECK(scene.b.delivered.size() == 1);
  scene.a.set("private_key=" + std::string(64, '0') + "\n");
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  CHECK(scene.a.sent.empty());
  CHECK_FALSE(scene.a.device.next_deadline());
  CHECK(scene.a.peer(2).sent_bytes > 0);
}

TEST_CASE("wg device: sessions do not outlive the link", "[wg]") {
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  const auto before = scene.a.peer(2);
  scene.a.link(false);
  CHECK_FALSE(scene.a.device.next_deadline());
  CHECK(scene.a.peer(2).sent_bytes == before.sent_bytes);
  CHECK(scene.a.peer(2).last_handshake == before.last_handshake);
  scene.a.link(true);
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  REQUIRE(scene.a.sent.size() == 1);
  CHECK(scene.a.sent[0].bytes[0] == 1);  // initiation
}

TEST_CASE("wg device: a persistent keepalive calls when the link rises, and goes on", "[wg]") {
  Scene scene;
  scene.a.link(false);
  scene.a.set(peer_line(2, "persistent_keepalive_interval=3\n"));
  CHECK(scene.a.sent.empty());
  scene.a.link(true);
  scene.run();
  const auto first = scene.b.peer(1).received_bytes;
  CHECK(first == 148 + 32);
  scene.a.pass(4s), scene.run();
  CHECK(scene.b.peer(1).received_bytes == first + 32);
}

TEST_CASE("wg device: a persistent keepalive that is turned on goes at once", "[wg]") {
  Scene scene;
  scene.a.send(packet("10.1.0.1", "10.2.0.1"));
  scene.run();
  const auto before = scene.b.peer(1).received_bytes;
  scene.a.set(peer_line(2, "persistent_keepalive_interval=25\n"));
  scene.run();
  CHECK(scene.b.peer(1).received_bytes == before + 32);
  scene.a.set(peer_line(2, "persistent_keepalive_interval=25\n"));
  CHECK(scene.a.sent.empty());
}

TEST_CASE("wg device: what any WireGuard carries passes, what is no IP does not", "[wg]") {
  Scene scene;
  Datagram options = packet("10.1.0.1", "10.2.0.1");
  options[0] = 0x46;
  scene.a.send(options);
  scene.a.send({0x55, 0, 0});
  scene.a.send({});
  scene.run();
  REQUIRE(scene.b.delivered.size() == 1);
  CHECK(scene.b.delivered[0] == options);
  CHECK(scene.a.device.drops().malformed == 2);
}

TEST_CASE("wg plain packet: only plain ones are joined or cut", "[wg]") {
  using namespace gateway::wg;
  Datagram v4 = packet("10.1.0.1", "10.2.0.1");
  CHECK_FALSE(may_join(v4));  // its header checksum is not there
  good_header_sum(v4);
  CHECK(may_join(v4));
  CHECK(super_view(v4));
  v4[0] = 0x46;
  good_header_sum(v4);
  CHECK_FALSE(may_join(v4));
  CHECK_FALSE(super_view(v4));
  Datagram v6 = sim::ipv6_packet("fe80::1", "ff02::5", 20);
  CHECK(may_join(v6));
  CHECK(super_view(v6)->transport_offset == 40);
  v6[6] = 6;
  CHECK_FALSE(super_view(v6));  // TCP header length 0
  v6[40 + 12] = 0x50;
  CHECK(super_view(v6));
  v6[6] = 60;  // destination options
  CHECK_FALSE(super_view(v6));
  v6.resize(39);
  CHECK_FALSE(destination_of(v6));
}
