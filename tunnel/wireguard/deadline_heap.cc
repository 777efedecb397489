// Invariant: heap_[p]->heap_position == p, and no peer wakes before its parent.
#include "tunnel/wireguard/deadline_heap.h"

namespace tunnel::wireguard {

void DeadlineHeap::set(Peer& peer, Instant at) {
  if (peer.wakes == at) return;
  const bool inside = peer.heap_position < heap_.size();
  peer.wakes = at;
  if (!inside) {
    heap_.push_back(&peer);
    peer.heap_position = heap_.size() - 1;
    return sift_up(peer.heap_position);
  }
  std::size_t position = peer.heap_position;
  if (at == kNever) {
    Peer* const last = heap_.back();
    heap_.pop_back();
    peer.heap_position = SIZE_MAX;
    if (last == &peer) return;
    place(position, last);
  }
  sift_up(position);
  sift_down(heap_[position]->heap_position);
}

void DeadlineHeap::place(std::size_t position, Peer* peer) {
  heap_[position] = peer;
  peer->heap_position = position;
}

void DeadlineHeap::sift_up(std::size_t position) {
  while (position > 0 && heap_[position]->wakes < heap_[(position - 1) / 2]->wakes) {
    Peer* const parent = heap_[(position - 1) / 2];
    Peer* const child = heap_[position];
    place(position, parent);
    position = (position - 1) / 2;
    place(position, child);
  }
}

void DeadlineHeap::sift_down(std::size_t position) {
  for (;;) {
    std::size_t least = position;
    for (const std::size_t child : {2 * position + 1, 2 * position + 2}) {
      if (child < heap_.size() && heap_[child]->wakes < heap_[least]->wakes) least = child;
    }
    if (least == position) return;
    Peer* const moved = heap_[position];
    place(position, heap_[least]);
    place(least, moved);
    position = least;
  }
}

}  // namespace tunnel::wireguard
