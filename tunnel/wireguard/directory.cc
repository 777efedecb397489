// Every index in receivers_ belongs to exactly one live initiation or session of a live peer.
#include "tunnel/wireguard/directory.h"

#include "tunnel/wire/reader.h"

namespace tunnel::wireguard {

Peer& Directory::add(const PeerParams& params) {
  auto owned = std::make_unique<Peer>(params);
  Peer& peer = *owned;
  if (const auto known = greatest_.find(params.public_key); known != greatest_.end())
    peer.greatest_timestamp = known->second;
  peers_.insert_or_assign(params.id.number, std::move(owned));
  keys_.insert_or_assign(params.public_key, &peer);
  return peer;
}

void Directory::remove(Peer& peer) {
  drop_all(peer);
  if (peer.greatest_timestamp != Timestamp{})
    greatest_.insert_or_assign(peer.params.public_key, peer.greatest_timestamp);
  deadlines_.remove(peer);
  keys_.erase(peer.params.public_key);
  peers_.erase(wire::PeerId(peer.params.id).number);
}

Peer* Directory::by_id(wire::PeerId id) const {
  const auto found = peers_.find(id.number);
  return found == peers_.end() ? nullptr : found->second.get();
}

Peer* Directory::by_key(const Key32& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : found->second;
}

std::uint32_t Directory::new_index(Peer& peer) {
  for (;;) {
    std::array<std::uint8_t, 4> octets{};
    rng_.fill(wire::Bytes(octets).first(3));
    octets[3] = worker_;
    const std::uint32_t index = wire::Reader(octets).u32_le();
    if (receivers_.try_emplace(index, Receiver{&peer, nullptr}).second) return index;
  }
}

Directory::Receiver Directory::receiver(std::uint32_t index) const {
  const auto found = receivers_.find(index);
  return found == receivers_.end() ? Receiver{} : found->second;
}

void Directory::drop_session(std::unique_ptr<Session>& session) {
  if (session) release(session->local_index);
  session.reset();
}

void Directory::drop_initiation(Peer& peer) {
  if (peer.initiation) release(peer.initiation->local_index);
  peer.initiation.reset();
}

void Directory::drop_all(Peer& peer) {
  drop_initiation(peer);
  drop_session(peer.older);
  drop_session(peer.previous);
  drop_session(peer.current);
  drop_session(peer.next);
}

std::size_t Directory::KeyHash::operator()(const Key32& key) const noexcept {
  return wire::Reader(key).u64_le();
}

}  // namespace tunnel::wireguard
