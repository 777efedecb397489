// A whole handshake, octet for octet, against tests/vectors/wireguard_handshake.txt (made by other code from the
// paper).
#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>

#include "tests/sim/nodes.h"
#include "tests/vectors/hex.h"

using namespace sim;

namespace {

std::map<std::string, Datagram> known_answer() {
  std::ifstream file(SEKISHO_SOURCE_DIR "/tests/vectors/wireguard_handshake.txt");
  std::map<std::string, Datagram> all;
  for (std::string name, text; file >> name >> text;) all[name] = vectors::hex(text);
  return all;
}

// 32 octets are an ephemeral key, 3 an index (endpoint code draws nothing else of these sizes).
class ScriptedRng : public tunnel::crypto::Rng {
 public:
  ScriptedRng(std::uint8_t ephemeral, std::array<std::uint8_t, 3> index) : ephemeral_(ephemeral), index_(index) {}
  void fill(std::span<std::uint8_t> out) override {
    std::ranges::fill(out, out.size() == 32 ? ephemeral_ : std::uint8_t{0});
    if (out.size() == 3) std::ranges::copy(index_, out.begin());
  }

 private:
  std::uint8_t ephemeral_;
  std::array<std::uint8_t, 3> index_;
};

struct Side {
  ScriptedRng rng;
  KeyDaemon keyd;
  Endpoint endpoint;
  Outputs out;

  Side(std::uint8_t own, ScriptedRng random) : rng(random), endpoint(params_of(own), rng, kStart) {
    keyd.keys = {{"own", key_of(own)}, {"psk", key_of(99)}};
  }
  static EndpointParams params_of(std::uint8_t own) {
    EndpointParams params;
    params.private_key = "own";
    params.public_key = public_of(own);
    params.wall_now = kWallStart;
    return params;
  }
  // Answers keyd's requests and gives the datagrams.
  std::vector<Datagram> settle() {
    std::vector<Datagram> sent;
    for (bool more = true; more;) {
      for (const auto& t : out.transmits) sent.emplace_back(t.bytes.begin(), t.bytes.end());
      const auto requests = std::exchange(out.key_requests, {});
      out.clear();
      for (const auto& request : requests) endpoint.on_key_reply(keyd.answer(request), kStart, out);
      more = !requests.empty();
    }
    return sent;
  }
};

}  // namespace

TEST_CASE("WireGuard 5.4.2, 5.4.3, 5.4.6: the known answer") {
  auto known = known_answer();
  REQUIRE(known.size() == 3);
  Side initiator(11, ScriptedRng(33, {1, 2, 3})), responder(22, ScriptedRng(44, {4, 5, 6}));
  PeerParams peer;
  peer.id = {1};
  peer.preshared_key = "psk";
  peer.public_key = public_of(11);
  responder.endpoint.set_peer(peer, kStart, responder.out);
  peer.public_key = public_of(22);
  peer.endpoint = socket_address("192.0.2.2:51820");
  peer.persistent_keepalive = 25s;
  initiator.endpoint.set_peer(peer, kStart, initiator.out);

  std::vector<Datagram> sent = initiator.settle();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0] == known["initiation"]);
  responder.endpoint.receive({OuterPath{socket_address("192.0.2.1:51820"), {}, 0}, sent[0]}, kStart, responder.out);
  sent = responder.settle();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0] == known["response"]);
  initiator.endpoint.receive({OuterPath{socket_address("192.0.2.2:51820"), {}, 0}, sent[0]}, kStart, initiator.out);
  sent = initiator.settle();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0] == known["keepalive"]);
}
