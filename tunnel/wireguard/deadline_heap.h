// Peers by the instant they want to be woken: a binary heap in which each peer knows its place, so a change is O(log
// n).
#pragma once

#include <optional>
#include <vector>

#include "tunnel/wireguard/peer.h"

namespace tunnel::wireguard {

class DeadlineHeap {
 public:
  // Sets or moves the peer's deadline; kNever takes it out.
  void set(Peer& peer, Instant at);
  void remove(Peer& peer) { set(peer, kNever); }
  [[nodiscard]] Peer* first() const { return heap_.empty() ? nullptr : heap_.front(); }

 private:
  void place(std::size_t position, Peer* peer);
  void sift_up(std::size_t position);
  void sift_down(std::size_t position);
  std::vector<Peer*> heap_;
};

}  // namespace tunnel::wireguard
