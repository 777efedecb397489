// A responder and a peer that has the right keys or none: the input is a script of messages, in clear or sealed, of any
// exchange, in any state, requests and answers.
#include "tests/sim/ike_scripted_peer.h"

using namespace ike_sim;

namespace {

struct Script {
  const std::uint8_t* data;
  std::size_t size;
  std::uint8_t octet() {
    if (size == 0) return 0;
    --size;
    return *data++;
  }
  tunnel::wire::ConstBytes octets(std::size_t count) {
    const tunnel::wire::ConstBytes taken(data, std::min(count, size));
    data += taken.size(), size -= taken.size();
    return taken;
  }
};

constexpr ike::Exchange kExchanges[] = {ike::Exchange::kSaInit, ike::Exchange::kAuth, ike::Exchange::kCreateChildSa,
                                        ike::Exchange::kInformational};

void step(Node& node, ScriptedPeer& peer, Script& script, Instant& now) {
  const std::uint8_t what = script.octet();
  const auto exchange = kExchanges[what >> 4 & 3];
  const std::size_t length = std::size_t{script.octet()} * 4;
  switch (what & 7) {
    case 0: {  // any datagram, port 500 or 4500
      const auto octets = script.octets(length);
      return node.receive({octets.begin(), octets.end()}, peer.from, what & 8 ? 4500 : 500, now);
    }
    case 1:
      return void(peer.ask(ike::Exchange::kAuth, peer.auth()));
    case 2:
      return void(peer.ask(ike::Exchange::kCreateChildSa, what & 8 ? peer.child(0x11223344) : peer.rekey_ike()));
    case 3:  // any content under the right keys
      return void(peer.ask_content(exchange, {static_cast<ike::PayloadType>(script.octet()), script.octets(length)}));
    case 4: {  // one payload of a good message changed
      auto pieces = exchange == ike::Exchange::kAuth ? peer.auth()
                    : what & 8                       ? peer.child(0x11223344)
                                                     : peer.rekey_ike();
      Piece& piece = pieces[script.octet() % pieces.size()];
      const auto octets = script.octets(length);
      piece.body.assign(octets.begin(), octets.end());
      return void(peer.ask(exchange, pieces));
    }
    case 5:  // an answer, to something or to nothing
      return peer.answer(exchange, script.octet(),
                         {static_cast<ike::PayloadType>(script.octet()), script.octets(length)});
    case 6:
      if (what & 8) peer.from.port ^= 1;  // it has moved (RFC 4555)
      now += std::chrono::seconds(length);
      return node.on_deadline(now);
    default:
      return node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 60 + length), now);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Node node(22, "192.0.2.2");
  node.keyd.keys["psk"] = Datagram(32, 7);
  auto peer_params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
  peer_params.lifetimes.ike = 600s, peer_params.lifetimes.child = 100s;
  node.set_peer(peer_params, kStart);
  Instant now = kStart;
  ScriptedPeer peer(node, now);
  peer.init();
  Script script{data, size};
  const std::uint8_t first = script.octet();
  auto auth = peer.auth();
  if (first & 2)
    auth.push_back({41, body_from([](ike::Chain& c) { append(c, ike::NotifyType::kMobikeSupported); }), false, 0});
  if (first & 1) peer.ask(ike::Exchange::kAuth, auth);
  for (int steps = 0; steps < 32 && script.size > 0; ++steps) {
    step(node, peer, script, now);
    node.take_sent();
  }
  return 0;
}
