// WireGuard 6.1 and 6.2: what a session may carry by count, at the numbers of the paper.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {

struct Inspection {
  // As if so many packets had gone out.
  static void set_counter(Endpoint& endpoint, std::uint32_t peer, std::uint64_t counter) {
    endpoint.state_->directory.by_id({peer})->current->next_counter = counter;
  }
  // As if the session had come while these waited for one.
  static void send_staged(Endpoint& endpoint, std::uint32_t id, std::vector<std::vector<std::uint8_t>> packets,
                          Turn turn) {
    Peer& peer = *endpoint.state_->directory.by_id({id});
    for (auto& packet : packets) peer.staged.push_back(std::move(packet));
    endpoint.state_->send_staged_or_keepalive(peer, turn);
  }
};

}  // namespace tunnel::wireguard

using namespace sim;

TEST_CASE("WireGuard 6.1: the constants of the paper") {
  CHECK(kRekeyAfterMessages == 1'152'921'504'606'846'976);       // 2^60
  CHECK(kRejectAfterMessages == 18'446'744'073'709'543'423ULL);  // 2^64 - 2^13 - 1
  CHECK(kRekeyAfterTime == 120s);
  CHECK(kRejectAfterTime == 180s);
  CHECK(kRekeyAttemptTime == 90s);
  CHECK(kRekeyTimeout == 5s);
  CHECK(kKeepaliveTimeout == 10s);
}

//   a  counter 2^60    |==== data ====>|   carried, and the next handshake is begun
TEST_CASE("WireGuard 6.2: after 2^60 packets either side begins a new session, and loses none meanwhile") {
  Pair pair;
  pair.connect();
  const bool responder = GENERATE(false, true);
  Node& node = responder ? pair.b : pair.a;
  pair.now += 6s;
  Inspection::set_counter(*node.endpoint, 1, kRekeyAfterMessages - 1);
  const auto sends = [&] { responder ? pair.b_sends() : pair.a_sends(); };
  sends();
  REQUIRE(node.sent.size() == 1);
  CHECK(node.sent[0].bytes.size() != 148);
  sends();
  REQUIRE(node.sent.size() == 3);
  CHECK(node.sent[2].bytes.size() == 148);
  pair.exchange();
  CHECK(node.endpoint->counters({1})->handshakes == 2);
  CHECK((responder ? pair.a : pair.b).received.size() == (responder ? 2 : 3));
}

TEST_CASE("WireGuard 6.2: at 2^64 - 2^13 - 1 nothing more is sent under the key; what comes waits for the next") {
  Pair pair;
  pair.connect();
  pair.now += 6s;
  Inspection::set_counter(*pair.a.endpoint, 1, kRejectAfterMessages - 1);
  pair.a_sends();
  REQUIRE(pair.a.sent.size() == 2);  // the last packet the key may seal, and a handshake
  CHECK(pair.a.sent[0].bytes.size() > 100);
  CHECK(pair.a.sent[1].bytes.size() == 148);
  pair.a_sends();
  CHECK(pair.a.sent.size() == 2);
  pair.exchange();
  CHECK(pair.b.received.size() == 3);
  CHECK(pair.a.endpoint->counters({1})->handshakes == 2);
}

TEST_CASE("WireGuard 6.2: packets that waited for a session end with its key as well") {
  Pair pair;
  pair.connect();
  Inspection::set_counter(*pair.a.endpoint, 1, kRejectAfterMessages - 2);
  const Datagram packet = ipv4_packet("10.1.0.5", "10.2.0.5", 100);
  Inspection::send_staged(*pair.a.endpoint, 1, {packet, packet, packet}, {pair.now, pair.a.out});
  CHECK(std::ranges::count_if(pair.a.out.transmits, [](const auto& t) { return t.bytes.size() < 148; }) == 2);
  CHECK(pair.a.out.drops.of(Drop::kKeyExhausted) == 1);
}

TEST_CASE("WireGuard 6.2: a key seals up to its time and its count, and not beyond") {
  Session session;
  session.created = kStart;
  CHECK(session.may_send(kStart + kRejectAfterTime - 1ns));
  CHECK_FALSE(session.may_send(kStart + kRejectAfterTime));
  session.next_counter = kRejectAfterMessages - 1;
  CHECK(session.may_send(kStart));
  session.next_counter = kRejectAfterMessages;
  CHECK_FALSE(session.may_send(kStart));
}

TEST_CASE("WireGuard 6.2: a counter at or beyond the limit is refused before it is opened") {
  Pair pair;
  pair.connect();
  pair.a_sends();
  const Datagram data = pair.a.take_sent().at(0).bytes;
  const auto with_counter = [&](std::uint64_t counter) {
    Datagram changed = data;
    for (std::size_t i = 0; i < 8; ++i) changed[8 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
    return changed;
  };
  pair.b.receive(with_counter(kRejectAfterMessages - 1), pair.a.address, pair.now);
  CHECK(pair.b.dropped(Drop::kForged) == 1);
  CHECK(pair.b.dropped(Drop::kKeyExhausted) == 0);
  pair.b.receive(with_counter(kRejectAfterMessages), pair.a.address, pair.now);
  pair.b.receive(with_counter(UINT64_MAX), pair.a.address, pair.now);
  CHECK(pair.b.dropped(Drop::kForged) == 1);
  CHECK(pair.b.dropped(Drop::kKeyExhausted) == 2);
  pair.b.receive(data, pair.a.address, pair.now);  // the session is as good as before
  CHECK(pair.b.received.size() == 2);
}
