// One endpoint of ours that answers, and one scripted peer.
#pragma once

#include <catch2/catch.hpp>

#include "tests/sim/ike_scripted_peer.h"

namespace ike_sim {

// The node answers; the peer says what a test wants.
struct Scene {
  Node node;
  ScriptedPeer peer;
  ike::PeerParams params;
  Scene() : node(22, "192.0.2.2"), peer(node, kStart) {
    node.keyd.keys["psk"] = Datagram(32, 7);
    params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
    params.lifetimes.liveness = 0s;
  }
  std::string up() {
    node.set_peer(params, kStart);
    peer.init();
    return peer.ask(ike::Exchange::kAuth, peer.auth());
  }
  // Established, and at 95 s the node has asked for a rekeying that the peer has not answered yet; the peer stands at
  // 96 s.
  void rekeying() {
    up();
    const auto asked = begun(kStart + 95s);
    REQUIRE(std::ranges::find(asked, 36) != asked.end());  // CREATE_CHILD_SA
    peer.at(kStart + 96s);
  }
  // Types of the exchanges that the node begins until then.
  std::vector<int> begun(Instant until, tunnel::wire::Duration step = 1s) {
    std::vector<int> types;
    for (Instant now = kStart; now <= until; now += step) {
      node.on_deadline(now);
      for (const Sent& sent : node.take_sent()) types.push_back(sent.bytes[18]);
    }
    return types;
  }
  // An error as the answer to the node's first request.
  void answer_error(ike::Exchange exchange, std::uint8_t type, Datagram spi = {}) {
    Datagram body{static_cast<std::uint8_t>(spi.empty() ? 0 : 3), static_cast<std::uint8_t>(spi.size()), 0, type};
    body.insert(body.end(), spi.begin(), spi.end());
    const Datagram octets = chain_of({{41, body, false, 0}});
    peer.answer(exchange, 0, {ike::PayloadType::kNotify, octets});
  }
};

inline constexpr int kInit = 34, kCreateChild = 36, kInformational = 37;
inline constexpr std::uint8_t kInvalidSyntax = 7, kNoProposal = 14, kTemporaryFailure = 43, kChildNotFound = 44;

inline bool has(const std::vector<int>& types, int type) {
  return std::ranges::find(types, type) != types.end();
}

}  // namespace ike_sim
