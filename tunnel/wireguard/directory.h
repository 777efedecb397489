// The peers of an endpoint, found by id, by public key, and by the receiver indices we gave out.
#pragma once

#include <memory>
#include <unordered_map>

#include "tunnel/wireguard/deadline_heap.h"

namespace tunnel::wireguard {

class Directory {
 public:
  Directory(std::uint8_t worker, crypto::Rng& rng) : worker_(worker), rng_(rng) {}

  // A key that was there before goes on with its greatest timestamp (WireGuard 5.1): whatever else changed or was
  // removed meanwhile, an initiation of before stays a replay.
  Peer& add(const PeerParams& params);
  // The peer's indices and deadline are gone with it.
  void remove(Peer& peer);
  [[nodiscard]] Peer* by_id(wire::PeerId id) const;
  [[nodiscard]] Peer* by_key(const Key32& key) const;
  [[nodiscard]] std::size_t size() const { return peers_.size(); }

  struct Receiver {
    Peer* peer = nullptr;
    Session* session = nullptr;  // null: a handshake of ours
  };
  // Random in the low 24 bits, the worker above, unused (WireGuard 5.4.2; design 7).
  [[nodiscard]] std::uint32_t new_index(Peer& peer);
  void assign(std::uint32_t index, Session& session) { receivers_[index].session = &session; }
  void release(std::uint32_t index) { receivers_.erase(index); }
  [[nodiscard]] Receiver receiver(std::uint32_t index) const;

  void drop_session(std::unique_ptr<Session>& session);
  void drop_initiation(Peer& peer);
  void drop_all(Peer& peer);

  [[nodiscard]] DeadlineHeap& deadlines() { return deadlines_; }
  [[nodiscard]] const DeadlineHeap& deadlines() const { return deadlines_; }

 private:
  struct KeyHash {  // looked up with strangers' keys, but only configured ones are ever stored
    std::size_t operator()(const Key32& key) const noexcept;
  };
  std::uint8_t worker_;
  crypto::Rng& rng_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Peer>> peers_;
  std::unordered_map<Key32, Peer*, KeyHash> keys_;
  std::unordered_map<Key32, Timestamp, KeyHash> greatest_;  // of keys removed; grows with configured keys only
  std::unordered_map<std::uint32_t, Receiver> receivers_;
  DeadlineHeap deadlines_;
};

}  // namespace tunnel::wireguard
