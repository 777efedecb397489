// What a protocol object wants done, as an append-only batch the caller owns and reuses. After the first few batches
// nothing here allocates. The order of transmits of one peer is the order they must leave in.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tunnel/wire/packet.h"
#include "tunnel/wire/secret.h"

namespace tunnel::wire {

// Bump allocator: addresses stay valid until clear(); chunks are kept and reused.
class Arena {
 public:
  static constexpr std::size_t kChunk = 1 << 20;
  [[nodiscard]] Bytes take(std::size_t length) {
    if (chunks_.empty() || used_ + length > kChunk) next_chunk();
    Bytes taken{chunks_[current_].get() + used_, length};
    used_ += length;
    return taken;
  }
  void clear() { current_ = 0, used_ = 0; }

 private:
  void next_chunk() {
    if (!chunks_.empty()) ++current_;
    if (current_ >= chunks_.size()) {
      chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(kChunk));
      current_ = chunks_.size() - 1;
    }
    used_ = 0;
  }
  std::vector<std::unique_ptr<std::uint8_t[]>> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

// Where the sealed packet of `size` octets goes that has `packet` `before` octets from its start: around the packet,
// when it has the room, else into `arena`, and then the packet is copied.
[[nodiscard]] inline Bytes place_to_seal(const InnerPacket& packet, std::size_t before, std::size_t size,
                                         Arena& arena) {
  const bool fits = packet.room && before <= kRoomBefore && size - before - packet.bytes.size() <= kRoomAfter;
  return fits ? Bytes{packet.bytes.data() - before, size} : arena.take(size);
}

struct Transmit {
  OuterPath path;
  ConstBytes bytes;  // in Outputs::arena, or where the inner packet stood
  std::uint8_t ecn = 0;
};

// A decrypted inner packet whose source the tunnel itself accepts. Points into the OuterDatagram it came in.
struct Delivery {
  PeerId peer;
  Bytes bytes;
  std::uint8_t ecn = 0;  // of the outer header
};

// What a long-term key must do for us; answered later with KeyReply (design 6: keys are never here).
struct KeyRequest {
  enum class Operation : std::uint8_t {
    kStaticDh,  // X25519(own private key, `input` = 32 octets of the other's public key)
    kMixPsk,    // KDF3(`input` = 32-octet chaining key, preshared key of `key`): 96 octets (WireGuard paper 5.4)
    // prf(prf(preshared key of `key`, "Key Pad for IKEv2"), `octets`): as many octets as the prf has (RFC 7296 2.15)
    kIkePskAuth,
    kSign,  // `octets` with the private key `key` under `scheme`: the signature is in KeyReply::octets (RFC 7427)
    // prf+(`key` as text, each third of `secrets` alone): KeyReply::secrets, as long (RFC 8784 3)
    kIkePpk,
  };
  std::uint64_t id = 0;
  Operation operation = Operation::kStaticDh;
  std::string key;  // name at keyd
  Secret<32> input;
  std::uint16_t prf = 0;               // kIkePskAuth, kIkePpk: a crypto::Prf
  std::vector<std::uint8_t> octets{};  // kIkePskAuth, kSign: what is signed
  std::uint16_t scheme = 0;            // kSign: a crypto::SignatureScheme
  WipedOctets secrets{};               // kIkePpk: SK_d, SK_pi, SK_pr
};

struct KeyReply {
  std::uint64_t id = 0;
  bool good = false;                   // false: unknown key, low-order point, or keyd refused
  Secret<96> output;                   // 32 used by kStaticDh, the prf's size by kIkePskAuth
  std::vector<std::uint8_t> octets{};  // kSign: the signature
  WipedOctets secrets{};               // kIkePpk
};

enum class EventKind : std::uint8_t {
  kTunnelUp,         // a session was confirmed after none was there
  kTunnelDown,       // the last session expired or was removed
  kHandshakeDone,    // including each rekey
  kHandshakeFailed,  // `detail` says why; each reason once a minute and peer
  kHandshakeGaveUp,  // no session within REKEY_ATTEMPT_TIME; `detail` says what is known
  kPeerMoved,        // authenticated packet from a new outer address
  kUnknownPeer,      // a well-formed initiation of a key nobody configured
  kSourceRefused,    // inner source outside the peer's networks (one a second and peer; all are counted)
};

struct Event {
  EventKind kind = EventKind::kTunnelUp;
  PeerId peer;  // not meaningful for kUnknownPeer
  OuterPath path;
  std::string detail;  // short; empty where the kind says all
};

// Reasons a packet went no further. Counted, never logged one by one. kUnknownReceiver: no session or handshake of
// ours, no configured key, or not from the peer's own outer addresses. Names are the stable names of the telemetry.
enum class Drop : std::uint8_t {
  kMalformed,
  kUnknownReceiver,
  kBadMac,
  kUnderLoad,
  kRateLimited,
  kReplay,
  kForged,
  kNoSession,
  kQueueFull,
  kInnerSource,
  kInnerMalformed,
  kKeyExhausted,
  kUnknownDestination,
  kStaleTimestamp,
  kKeyRefused,
  kCount
};

struct DropCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::kCount)> count{};
  void add(Drop reason, std::uint64_t n = 1) { count[static_cast<std::size_t>(reason)] += n; }
  [[nodiscard]] std::uint64_t of(Drop reason) const { return count[static_cast<std::size_t>(reason)]; }
};

struct Outputs {
  std::vector<Transmit> transmits;
  std::vector<Delivery> deliveries;
  std::vector<Event> events;
  std::vector<KeyRequest> key_requests;
  DropCounts drops;  // since the last clear()
  Arena arena;

  void clear() {
    transmits.clear(), deliveries.clear(), events.clear(), key_requests.clear();
    drops = {};
    arena.clear();
  }
};

}  // namespace tunnel::wire
