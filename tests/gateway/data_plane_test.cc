// The whole road of a packet: two facilities with real WireGuard endpoints, the data plane between, keyd in the
// process. a is seen as it is; b (192.168.1.0/24) is seen as 100.64.1.0/24.
#include "gateway/core/data_plane.h"

#include <sodium.h>

#include "tests/gateway/data_plane_packets.h"
#include "tests/sim/nodes.h"

using namespace packets;
using namespace std::chrono_literals;
using gateway::core::DataPlane;
using gateway::core::Refusal;

namespace {

constexpr std::uint64_t kFarAhead = UINT64_MAX;

std::string base64(const sim::Key& key) {
  std::string text(45, '\0');
  sodium_bin2base64(text.data(), text.size(), key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(44);
  return text;
}

class Lab {
 public:
  Lab() : Lab(kFarAhead) {}
  explicit Lab(std::uint64_t durable) {
    keyd_.keys["gateway.key"] = sim::key_of(9);
    plan.facilities[0].wireguard.public_key = base64(sim::public_of(11));
    plan.facilities[1].wireguard.public_key = base64(sim::public_of(22));
    for (auto& p : plan.permissions)
      if (p.until) p.until = sim::kWallStart + 1h;
    a.address = sim::socket_address("198.51.100.1:51820"), b.address = sim::socket_address("198.51.100.2:51820");
    for (sim::Node* node : {&a, &b})
      node->set_peer({.id = {1},
                      .public_key = sim::public_of(9),
                      .preshared_key = "",
                      .endpoint = outside,
                      .outer_sources = {},
                      .allowed = {sim::prefix("0.0.0.0/0"), sim::prefix("::/0")}},
                     now);
    plane.set_durable_timestamps(durable, times(), out_);
    REQUIRE(apply());
  }

  [[nodiscard]] bool apply() {
    const auto applied = plane.apply(plan, {sim::public_of(9), 0, {}, {}, key_marks}, times(), out_);
    take();
    return applied.has_value();
  }
  // Of 32 zero octets, which is what having none is (WireGuard paper 5.4): the nodes need not know.
  void name_preshared_keys() {
    plan.facilities[0].wireguard.preshared_key = "a.psk", plan.facilities[1].wireguard.preshared_key = "b.psk";
    keyd_.keys["a.psk"] = keyd_.keys["b.psk"] = {};
  }
  void make_durable(std::uint64_t tai_seconds) {
    plane.set_durable_timestamps(tai_seconds, times(), out_);
    take();
    carry();
  }
  // Out of a facility, through its tunnel. What came out at the TUN.
  std::vector<Octets> from(sim::Node& node, const Octets& packet) {
    tun.clear();
    node.send(1, packet, now);
    carry();
    return tun;
  }
  // From the TUN. What came out of the tunnel of `node`.
  std::vector<Octets> to(sim::Node& node, const Octets& packet) {
    stage(packet);
    return carried_to(node);
  }
  // Connected, and what was refused so far is told.
  void connect_and_forget_refusals() {
    connect();
    (void)plane.refusals().due(now);
    now += gateway::core::RefusalLog::kTellSums;
  }
  // From the TUN, while the network carries nothing: it waits for a handshake.
  void stage(Octets packet, tunnel::wire::Segmentation segmentation = {}) {
    const gateway::core::TunPacket read{packet, segmentation};
    plane.from_tun({&read, 1}, times(), out_);
    take();
  }
  // As if a tunnel still gave out what it had decrypted.
  void deliver(std::uint32_t peer, Octets packet) {
    tun.clear();
    out_.wire.deliveries.push_back({{peer}, packet, 0});
    plane.from_outside({}, times(), out_);
    take();
  }
  std::vector<Octets> carried_to(sim::Node& node) {
    carry();
    std::vector<Octets> received;
    for (auto& r : std::exchange(node.received, {}))
      if (!r.bytes.empty()) received.push_back(r.bytes);
    return received;
  }
  void connect() {
    REQUIRE(from(a, echo_request("10.1.0.7", "10.80.0.10")).size() == 1);
    (void)from(b, echo_request("192.168.1.5", "10.80.0.10"));
    REQUIRE(plane.status()[1].up);
  }
  void carry() {
    for (bool moved = true; moved;) {
      moved = false;
      for (sim::Node* node : {&a, &b})
        for (auto& sent : node->take_sent()) {
          const tunnel::wire::OuterDatagram datagram{{node->address, outside.address, 0}, sent.bytes, sent.ecn};
          plane.from_outside({&datagram, 1}, times(), out_);
          take();
          moved = true;
        }
      for (auto& sent : std::exchange(sent_, {})) {
        sim::Node& node = sent.to == a.address ? a : b;
        node.receive(std::move(sent.bytes), outside, now, sent.ecn);
        moved = true;
      }
    }
  }
  gateway::core::Times times() const { return {now, sim::kWallStart + (now - sim::kStart)}; }
  std::uint64_t refused_in(Refusal why) const { return plane.refused_in().of(why); }
  std::uint64_t refused_out(Refusal why) const { return plane.refused_out().of(why); }

  policy::Plan plan = two_facilities();
  config::value::Instant now = sim::kStart;
  config::value::SocketAddress outside = sim::socket_address("203.0.113.10:51820");
  sim::Node a{11}, b{22};
  std::vector<Octets> tun;
  std::vector<gateway::core::TunnelEvent> events;

 private:
  void take() {
    for (;;) {
      for (const auto& t : out_.wire.transmits)
        sent_.push_back({t.path.remote, {t.bytes.begin(), t.bytes.end()}, t.ecn});
      for (const auto& w : out_.tun_writes) tun.emplace_back(w.begin(), w.end());
      events.insert(events.end(), out_.events.begin(), out_.events.end());
      const auto requests = std::exchange(out_.wire.key_requests, {});
      out_.clear();
      if (requests.empty()) return;
      for (const auto& request : requests) plane.on_key_reply(keyd_.answer(request), times(), out_);
    }
  }
  sim::SeededRng rng_{9};
  sim::KeyDaemon keyd_;
  gateway::core::DataPlaneOutputs out_;
  std::vector<sim::Sent> sent_;

 public:
  std::vector<gateway::core::KeyMark> key_marks;
  DataPlane plane{rng_};
};

}  // namespace

TEST_CASE("data plane: permitted packets go the whole road, translated, both ways", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto question = tcp("10.1.0.7", 40000, "10.80.0.10", 443, 0x10, {}, 500);
  CHECK(lab.from(lab.a, question) == std::vector<Octets>{question});
  const auto answer = tcp("10.80.0.10", 443, "10.1.0.7", 40000, 0x10, {}, 500);
  CHECK(lab.to(lab.a, answer) == std::vector<Octets>{answer});
  CHECK(lab.to(lab.b, tcp("10.80.0.10", 4, "100.64.1.5", 104)) ==
        std::vector<Octets>{tcp("10.80.0.10", 4, "192.168.1.5", 104)});
  CHECK(lab.from(lab.b, tcp("192.168.1.5", 104, "10.80.0.10", 4)) ==
        std::vector<Octets>{tcp("100.64.1.5", 104, "10.80.0.10", 4)});
  CHECK(lab.from(lab.a, tcp("fd00:1::7", 4, "fd00:80::10", 443)).size() == 1);
  CHECK(lab.to(lab.b, tcp("fd00:80::10", 4, "fd00:2::5", 104)) ==
        std::vector<Octets>{tcp("fd00:80::10", 4, "fd99::5", 104)});
  CHECK(lab.from(lab.a, tcp("10.1.0.7", 4, "100.64.1.5", 104)).size() == 1);  // exchange
  CHECK(lab.to(lab.b, tcp("10.1.0.7", 4, "100.64.1.5", 104)).size() == 1);
}

TEST_CASE("data plane: no detour reaches the TUN or a tunnel", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto nothing = std::vector<Octets>{};
  CHECK(lab.from(lab.a, tcp("10.1.0.7", 4, "100.64.1.5", 22)) == nothing);
  CHECK(lab.refused_in(Refusal::kOtherFacility) == 1);
  CHECK(lab.from(lab.a, tcp("10.1.0.7", 4, "203.0.113.77", 443)) == nothing);
  CHECK(lab.from(lab.a, tcp("10.1.0.7", 4, "10.80.0.1", 22)) == nothing);
  CHECK(lab.refused_in(Refusal::kUnknownDestination) == 2);
  CHECK(lab.from(lab.a, tcp("10.1.0.7", 4, "192.168.1.5", 104)) == nothing);   // b's real address means nothing here
  CHECK(lab.from(lab.b, tcp("100.64.1.5", 104, "10.80.0.10", 4)) == nothing);  // nor its seen one as a source
  for (const char* source : {"100.64.1.5", "10.80.0.11", "10.80.0.1", "203.0.113.77"})
    CHECK(lab.from(lab.a, tcp(source, 4, "10.80.0.10", 443)) == nothing);
  CHECK(lab.from(lab.a, udp("10.1.0.7", 4, "224.0.0.5", 5000)) == nothing);
  CHECK(lab.refused_in(Refusal::kAddress) == 1);
  CHECK(lab.to(lab.b, tcp("10.1.0.7", 4, "100.64.1.9", 104)) == nothing);
  CHECK(lab.to(lab.b, tcp("203.0.113.77", 4, "100.64.1.5", 104)) == nothing);
  CHECK(lab.to(lab.a, tcp("10.80.0.10", 443, "203.0.113.77", 4)) == nothing);
  CHECK(lab.refused_out(Refusal::kUnknownDestination) == 1);
  CHECK(lab.plane.status()[0].guard_refused_in >= 4);
  CHECK(lab.plane.status()[1].guard_refused_out == 2);
}

// P7: what was tried can be told afterwards, by name and address, and the noise of one facility hides nothing.
TEST_CASE("data plane: refusals are kept for the records, with who, whereto and why", "[data_plane]") {
  Lab lab;
  lab.connect_and_forget_refusals();
  for (int i = 0; i < 300; ++i) (void)lab.from(lab.a, tcp("10.1.0.7", 4, "100.64.1.5", 22));
  (void)lab.from(lab.b, udp("192.168.1.5", 7, "10.1.0.7", 53));
  (void)lab.to(lab.b, tcp("10.1.0.7", 4, "100.64.1.9", 104));
  const auto told = lab.plane.refusals().due(lab.now);
  REQUIRE(told.packets.size() == 4 + 2);
  const auto& detour = told.packets[0];
  CHECK((detour.facility == "a" && detour.other_facility == "b" && detour.reason == Refusal::kOtherFacility));
  CHECK((*detour.source == ip("10.1.0.7") && *detour.destination == ip("100.64.1.5")));
  CHECK((*detour.source_port == 4 && *detour.destination_port == 22 && detour.protocol == 6));
  CHECK((detour.direction == gateway::core::Direction::kOutOfTunnel && detour.at == lab.times().wall));
  const auto& of_b = told.packets[4];
  CHECK((of_b.facility == "b" && of_b.other_facility == "a" && *of_b.source == ip("100.64.1.5") && !of_b.as_sent));
  const auto& into_b = told.packets[5];
  CHECK((into_b.facility == "b" && into_b.other_facility == "a" && *into_b.destination == ip("100.64.1.9")));
  CHECK(into_b.direction == gateway::core::Direction::kIntoTunnel);
  REQUIRE(told.sums.size() == 2);
  CHECK((told.sums[0].facility == "a" && told.sums[0].reasons.size() == 1 && told.sums[0].reasons[0].count == 300));
  CHECK((told.sums[1].facility == "b" && told.sums[1].reasons.size() == 2));
}

TEST_CASE("data plane: what a removed facility was refused is told all the same, and not of its successor",
          "[data_plane]") {
  Lab lab;
  lab.connect_and_forget_refusals();
  (void)lab.from(lab.a, tcp("10.1.0.7", 4, "100.64.1.5", 22));
  lab.plan.facilities[0].name = {"c"};
  for (auto& p : lab.plan.permissions)
    if (p.from_facility.text == "a") p.from_facility = {"c"};
  REQUIRE(lab.apply());
  const auto told = lab.plane.refusals().due(lab.now);
  REQUIRE(told.sums.size() == 1);
  CHECK((told.sums[0].facility == "a" && told.packets.at(0).facility == "a"));
}

TEST_CASE("data plane: fragments follow their first and only then", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto whole = udp("10.1.0.7", 9, "10.80.0.10", 5000, 2000);
  CHECK(lab.from(lab.a, fragment(whole, 1024, 984, false)).empty());
  CHECK(lab.from(lab.a, fragment(whole, 0, 1024, true)).size() == 1);
  CHECK(lab.from(lab.a, fragment(whole, 1024, 984, false)).size() == 1);
  CHECK(lab.from(lab.a, fragment(whole, 1024, 984, false)).empty());
  const auto forbidden = udp("10.1.0.7", 9, "10.80.0.10", 22, 2000);
  CHECK(lab.from(lab.a, fragment(forbidden, 0, 1024, true, 5)).empty());
  CHECK(lab.from(lab.a, fragment(forbidden, 1024, 984, false, 5)).empty());
  CHECK(lab.refused_in(Refusal::kUnknownFragment) == 3);
  for (unsigned id = 10; id < 60; ++id) (void)lab.from(lab.a, fragment(whole, 0, 1024, true, id));
  CHECK(lab.refused_in(Refusal::kFragmentLimit) == 50 - gateway::core::FragmentTable::kDatagramsPerOwner);
}

TEST_CASE("data plane: SYNs are clamped and large packets answered", "[data_plane]") {
  Lab lab;
  lab.plan.facilities[0].mtu = 1300;
  REQUIRE(lab.apply());
  lab.connect();
  const auto syn = lab.from(lab.a, tcp("10.1.0.7", 4, "10.80.0.10", 443, 0x02, {2, 4, 5, 180}));
  REQUIRE(syn.size() == 1);
  CHECK(syn[0][42] * 256 + syn[0][43] == 1260);
  lab.tun.clear();
  for (int i = 0; i < 30; ++i) CHECK(lab.to(lab.a, tcp("10.80.0.10", 443, "10.1.0.7", 4, 0x10, {}, 1300)).empty());
  CHECK(lab.refused_out(Refusal::kTooBig) == 30);
  REQUIRE(lab.tun.size() == 10);  // rate limited
  CHECK(parsed(lab.tun[0]).flow.destination == ip("10.80.0.10"));
}

TEST_CASE("data plane: a removed permission ends at once, an unchanged tunnel keeps its session", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto packet = tcp("10.1.0.7", 4, "10.80.0.10", 443);
  CHECK(lab.from(lab.a, packet).size() == 1);
  const auto handshakes = lab.plane.status()[0].handshakes;
  for (int i = 0; i < 100; ++i) {
    lab.plan.facilities[1].title += "x";
    REQUIRE(lab.apply());
    CHECK(lab.from(lab.a, packet).size() == 1);
  }
  CHECK(lab.plane.status()[0].handshakes == handshakes);
  std::erase_if(lab.plan.permissions, [](const auto& p) { return p.port.first == 443; });
  REQUIRE(lab.apply());
  CHECK(lab.from(lab.a, packet).empty());
  CHECK(lab.plane.status()[0].handshakes == handshakes);
}

TEST_CASE("data plane: another preshared key in the same file ends its facility's session, and no other's",
          "[data_plane]") {
  Lab lab;
  lab.name_preshared_keys();
  lab.key_marks = {{"a.psk", 1}, {"b.psk", 2}};
  REQUIRE(lab.apply());
  lab.connect();
  const auto begun = std::exchange(lab.now, lab.now + std::chrono::seconds(9));
  REQUIRE(lab.apply());  // the same keys: nobody notices
  REQUIRE(lab.plane.status()[0].up);
  CHECK(lab.plane.status()[0].since == begun);
  CHECK(lab.plane.status()[0].last_heard == begun);
  lab.key_marks[0].mark = 3;
  REQUIRE(lab.apply());
  CHECK_FALSE(lab.plane.status()[0].up);
  CHECK(lab.plane.status()[0].since == lab.now);  // down since
  CHECK(lab.plane.status()[1].up);
  CHECK(lab.plane.status()[1].since == begun);
}

TEST_CASE("data plane: a facility that is removed is cut, one that is refused changes nothing", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto whole = lab.plan;
  lab.plan.facilities[0].wireguard.public_key = "not a key";
  CHECK_FALSE(lab.apply());
  lab.plan = whole;
  lab.plan.facilities[0].wireguard.public_key = lab.plan.facilities[1].wireguard.public_key;
  CHECK_FALSE(lab.apply());
  const auto packet = tcp("10.1.0.7", 4, "10.80.0.10", 443);
  CHECK(lab.from(lab.a, packet).size() == 1);
  lab.plan = whole, lab.plan.facilities[0].isolated = true;  // its rows are there: this layer does not rely on them
  REQUIRE(lab.apply());
  CHECK(lab.plane.status().size() == 1);
  CHECK(lab.from(lab.a, packet).empty());
  lab.plan = whole;
  lab.plan.facilities.erase(lab.plan.facilities.begin());
  std::erase_if(lab.plan.permissions, [](const auto& p) { return p.from_facility.text == "a"; });
  REQUIRE(lab.apply());
  CHECK(lab.from(lab.a, packet).empty());
  CHECK(lab.to(lab.b, tcp("10.80.0.10", 4, "100.64.1.5", 104)).size() == 1);
}

TEST_CASE("data plane: what a tunnel of nobody delivers goes nowhere, and is nobody's refusal", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto packet = tcp("10.1.0.7", 4, "10.80.0.10", 443);
  lab.deliver(0, packet);
  REQUIRE(lab.tun == std::vector<Octets>{packet});
  const auto refused = lab.plane.refused_in().count;
  lab.plan.facilities.erase(lab.plan.facilities.begin());
  std::erase_if(lab.plan.permissions, [](const auto& p) { return p.from_facility.text == "a"; });
  REQUIRE(lab.apply());
  for (const std::uint32_t peer : {0u, 2u, UINT32_MAX}) {
    lab.deliver(peer, packet);
    CHECK(lab.tun.empty());
  }
  CHECK(lab.plane.refused_in().count == refused);
}

TEST_CASE("data plane: a super-packet leaves as the packets it stands for, and whole is refused when it is none",
          "[data_plane]") {
  using Kind = tunnel::wire::Segmentation::Kind;
  Lab lab;
  lab.connect();
  const auto answer = tcp("10.80.0.10", 443, "10.1.0.7", 4, 0x10, {}, 500);
  lab.stage(answer, {.kind = Kind::kTcpV4, .segment_size = 200});
  CHECK(lab.carried_to(lab.a).size() == 3);
  lab.stage(answer, {.kind = Kind::kUdp, .segment_size = 200});
  CHECK(lab.carried_to(lab.a).empty());
  CHECK(lab.refused_out(Refusal::kSuperPacket) == 1);
  // Each rule is asked once for all of them: to another facility, and longer than its tunnel carries.
  lab.stage(tcp("10.80.0.10", 443, "10.99.0.7", 4, 0x10, {}, 500), {.kind = Kind::kTcpV4, .segment_size = 200});
  CHECK(lab.refused_out(Refusal::kUnknownDestination) == 1);
  lab.stage(tcp("10.80.0.10", 443, "10.1.0.7", 4, 0x10, {}, 3000), {.kind = Kind::kTcpV4, .segment_size = 1460});
  CHECK(lab.refused_out(Refusal::kTooBig) == 1);
  CHECK(lab.carried_to(lab.a).empty());
}

TEST_CASE("data plane: the end of a removed facility's tunnel is told under its name", "[data_plane]") {
  using tunnel::wire::EventKind;
  Lab lab;
  lab.connect();
  lab.events.clear();
  const auto name_of_down = [&] {
    const auto found = std::ranges::find(lab.events, EventKind::kTunnelDown, &gateway::core::TunnelEvent::kind);
    return found == lab.events.end() ? "(not told)" : found->facility;
  };
  const auto removed = lab.plan.facilities[0].name.text;
  SECTION("its place stays empty") {
    lab.plan.permissions.clear();
    lab.plan.facilities.erase(lab.plan.facilities.begin());
  }
  SECTION("another takes its place in the same plan") {
    lab.plan.permissions.clear();
    lab.plan.facilities[0].name.text = "newcomer";
    lab.plan.facilities[0].wireguard.public_key = base64(sim::public_of(33));
  }
  SECTION("the gateway gets another key") {
    lab.plan.gateway_key = "other.key";
  }
  REQUIRE(lab.apply());
  CHECK(name_of_down() == removed);
}

TEST_CASE("data plane: two facilities exchange their keys in one plan", "[data_plane]") {
  Lab lab;
  lab.connect();
  std::swap(lab.plan.facilities[0].wireguard.public_key, lab.plan.facilities[1].wireguard.public_key);
  REQUIRE(lab.apply());
  lab.now += 6s;
  CHECK(lab.from(lab.a, tcp("10.1.0.7", 4, "10.80.0.10", 443)).empty());  // that key is b's facility now
}

// P3 and P8: what waits for a handshake was judged by the plan of then.
TEST_CASE("data plane: what waits for a handshake is judged again by a new plan", "[data_plane]") {
  Lab lab;
  lab.plan.facilities[1].wireguard.endpoint = lab.b.address;
  REQUIRE(lab.apply());
  lab.stage(tcp("10.80.0.10", 4, "100.64.1.5", 104));
  lab.stage(tcp("10.1.0.7", 4, "100.64.1.5", 104));
  lab.stage(tcp("fd00:80::10", 4, "fd00:2::5", 104));
  const auto inside = tcp("10.80.0.10", 4, "192.168.1.5", 104), exchange = tcp("10.1.0.7", 4, "192.168.1.5", 104),
             inside6 = tcp("fd00:80::10", 4, "fd99::5", 104);
  SECTION("none changed: all arrive, in order, once") {
    lab.plan.facilities[0].title = "x";
    REQUIRE(lab.apply());
    REQUIRE(lab.apply());
    CHECK(lab.carried_to(lab.b) == std::vector<Octets>{inside, exchange, inside6});
  }
  SECTION("a permission that is gone takes its packets with it") {
    std::erase_if(lab.plan.permissions, [](const auto& p) { return p.kind == policy::PermissionKind::kExchange; });
    REQUIRE(lab.apply());
    CHECK(lab.carried_to(lab.b) == std::vector<Octets>{inside, inside6});
    CHECK(lab.refused_out(Refusal::kOtherFacility) == 1);
  }
  SECTION("addresses that are no longer the facility's lead nowhere") {
    lab.plan.facilities[1].networks = {{net("192.168.1.0/24"), net("100.64.9.0/24")},
                                       {net("fd99::/64"), net("fd00:2::/64")}};
    std::erase_if(lab.plan.permissions,
                  [](const auto& p) { return p.to_facility.text == "b" && p.destination.address().is_v4(); });
    REQUIRE(lab.apply());
    CHECK(lab.carried_to(lab.b) == std::vector<Octets>{inside6});
    CHECK(lab.refused_out(Refusal::kUnknownDestination) == 2);
  }
  SECTION("a facility that is gone gets nothing") {
    lab.plan.facilities.pop_back();
    std::erase_if(lab.plan.permissions, [](const auto& p) { return p.to_facility.text == "b"; });
    REQUIRE(lab.apply());
    CHECK(lab.carried_to(lab.b).empty());
  }
}

TEST_CASE("data plane: fragments that wait for a handshake outlive a new plan", "[data_plane]") {
  Lab lab;
  lab.plan.facilities[0].wireguard.endpoint = lab.a.address;
  REQUIRE(lab.apply());
  const auto whole = udp("10.80.0.10", 5000, "10.1.0.7", 9, 2000);
  const auto first = fragment(whole, 0, 1024, true), last = fragment(whole, 1024, 984, false);
  lab.stage(first), lab.stage(last);
  SECTION("as they were") {
    REQUIRE(lab.apply());
    CHECK(lab.carried_to(lab.a) == std::vector<Octets>{first, last});
  }
  SECTION("but not their permission") {
    std::erase_if(lab.plan.permissions, [](const auto& p) { return p.port.first == 5000; });
    REQUIRE(lab.apply());
    CHECK(lab.carried_to(lab.a).empty());
  }
}

// Reliability rule S18: a timestamp that is not durable could repeat after a restart.
TEST_CASE("data plane: no initiation leaves beyond the durable timestamps", "[data_plane]") {
  for (const bool durable : {false, true}) {
    Lab lab(durable ? kFarAhead : 0);
    lab.plan.facilities[0].wireguard.endpoint = lab.a.address;
    REQUIRE(lab.apply());
    CHECK(lab.to(lab.a, tcp("10.80.0.10", 443, "10.1.0.7", 4)).size() == (durable ? 1 : 0));
    const auto counters = lab.plane.counters();
    CHECK((counters.back().value > 0) == !durable);
  }
}

TEST_CASE("data plane: a withheld initiation goes the moment its timestamp is durable", "[data_plane]") {
  Lab lab(0);
  lab.plan.facilities[0].wireguard.endpoint = lab.a.address;
  REQUIRE(lab.apply());
  CHECK(lab.to(lab.a, tcp("10.80.0.10", 443, "10.1.0.7", 4)).empty());
  lab.make_durable(lab.plane.timestamps_used() + 1);  // of the restart's floor: before now
  CHECK_FALSE(lab.plane.status()[0].up);
  lab.make_durable(kFarAhead);
  CHECK(lab.plane.status()[0].up);
}

TEST_CASE("data plane: what is durable once stays so, whatever is told afterwards", "[data_plane]") {
  Lab lab(0);
  lab.plan.facilities[0].wireguard.endpoint = lab.a.address;
  REQUIRE(lab.apply());
  lab.make_durable(kFarAhead);
  lab.make_durable(1);
  CHECK(lab.plane.durable_timestamps() == kFarAhead);
  CHECK(lab.to(lab.a, tcp("10.80.0.10", 443, "10.1.0.7", 4)).size() == 1);
}

#ifdef SEKISHO_FAULTS
TEST_CASE("data plane: the opened guard is what lets a detour pass", "[data_plane]") {
  Lab lab;
  lab.connect();
  const auto detour = tcp("10.1.0.7", 4, "100.64.1.5", 22);
  CHECK(lab.from(lab.a, detour).empty());
  lab.plane.set_faults({.open_guard = true, .open_selectors = false});
  CHECK(lab.from(lab.a, detour).size() == 1);
}
#endif
