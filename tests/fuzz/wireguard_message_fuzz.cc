// Hostile datagrams, in any order, into an endpoint that has a session and an initiation of its own under way. The
// input is a list of operations, so that the fuzzer reaches what stands behind mac1, a known receiver index, or a good
// tag.
#include "tests/sim/nodes.h"
#include "tunnel/wire/inner_packet.h"
#include "tunnel/wire/reader.h"

using namespace sim;

namespace {

void require(bool fact) {
  if (!fact) __builtin_trap();
}

// Good mac1 of node a (its public key is no secret), so that handshake code behind it is reached.
void put_mac1(Datagram& message, const PublicKey& receiver) {
  if (message.size() < 32) return;
  static const std::string label = "mac1----";
  const auto key =
      tunnel::crypto::blake2s({{reinterpret_cast<const std::uint8_t*>(label.data()), label.size()}, receiver});
  const auto mac = tunnel::crypto::blake2s_mac(key, std::span(message).first(message.size() - 32));
  std::ranges::copy(mac, message.end() - 32);
}

struct World {
  Pair pair;
  PublicKey key_of_a = public_of(11);
  SocketAddress stranger = socket_address("198.51.100.66:666");
  std::uint32_t initiation_index = 0;

  World() {
    pair.connect();
    PeerParams other = pair.b_at_a;
    other.id = {2};
    other.public_key = public_of(33);
    pair.a.set_peer(other, pair.now);
    pair.a.send(2, ipv4_packet("10.1.0.5", "10.3.0.5", 40), pair.now);
    const Datagram initiation = pair.a.take_sent().at(0).bytes;
    initiation_index = tunnel::wire::Reader(std::span(initiation).subspan(4)).u32_le();
    pair.a.received.clear();
  }

  // Nothing a stranger sends is delivered or moves a peer.
  void hostile(Datagram bytes) {
    pair.a.receive(std::move(bytes), stranger, pair.now);
    require(pair.a.received.empty());
    require(pair.a.endpoint->counters({1})->path->remote == pair.b.address);
    require(pair.a.take_sent().size() <= 2);
  }

  void handshake(Datagram bytes, std::uint8_t type, std::size_t size) {
    bytes.resize(size);
    std::ranges::copy(std::array<std::uint8_t, 4>{type, 0, 0, 0}, bytes.begin());
    if (type == 2) {
      for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<std::uint8_t>(initiation_index >> (8 * i));
    }
    put_mac1(bytes, key_of_a);
    hostile(std::move(bytes));
  }

  // An authenticated peer is hostile too: any inner octets, and only its own sources come through.
  void inner(Datagram bytes) {
    pair.b.send(1, std::move(bytes), pair.now);
    for (Sent& s : pair.b.take_sent()) pair.a.receive(std::move(s.bytes), pair.b.address, pair.now);
    for (const Received& r : std::exchange(pair.a.received, {})) {
      const auto facts = tunnel::wire::inner_facts(r.bytes);
      require(facts && facts->length == r.bytes.size());
      require(prefix("10.2.0.0/24").contains(facts->source) || prefix("2001:db8:2::/64").contains(facts->source));
    }
    pair.a.take_sent();
  }

  void changed_data(const Datagram& mask) {
    pair.b_sends(60);
    for (Sent& s : pair.b.take_sent()) {
      bool changed = false;
      for (std::size_t i = 0; i < std::min(mask.size(), s.bytes.size()); ++i) {
        s.bytes[i] ^= mask[i];
        changed = changed || mask[i] != 0;
      }
      if (changed) hostile(std::move(s.bytes));
    }
  }

  void apply(std::uint8_t operation, Datagram bytes) {
    switch (operation % 8) {
      case 0:
        return hostile(std::move(bytes));
      case 1:
        return handshake(std::move(bytes), 1, 148);
      case 2:
        return handshake(std::move(bytes), 2, 92);
      case 3:
        return inner(std::move(bytes));
      case 4:
        return changed_data(bytes);
      case 5:
        bytes.resize(64), bytes[0] = 3, bytes[1] = bytes[2] = bytes[3] = 0;
        return hostile(std::move(bytes));
      case 6:
        pair.now += std::chrono::milliseconds(bytes.empty() ? 1 : bytes[0] * 100);
        pair.a.on_deadline(pair.now);
        pair.a.take_sent();
        return;
      default: {
        KeyReply reply{bytes.empty() ? 0u : bytes[0], true, {}};
        pair.a.endpoint->on_key_reply(reply, pair.now, pair.a.out);
        pair.a.out.clear();
      }
    }
  }
};

}  // namespace

// Operations: kind, length, octets.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  tunnel::wire::Reader reader({data, size});
  for (int count = 0; count < 64 && !reader.rest().empty(); ++count) {
    const std::uint8_t operation = reader.u8();
    const std::size_t length = std::min<std::size_t>(reader.u8(), reader.rest().size());
    const auto bytes = reader.take(length);
    world.apply(operation, Datagram(bytes.begin(), bytes.end()));
  }
  return 0;
}
