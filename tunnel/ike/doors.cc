// Which socket a message or an ESP packet takes, and what may come in through which (RFC 7296 2.23, RFC 3948).
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {

const Door* Endpoint::State::door(std::uint16_t number) const {
  const auto found = std::ranges::find(params.doors, number, &Door::number);
  return found == params.doors.end() ? nullptr : &*found;
}

const Door* Endpoint::State::door(Door::Kind kind, const wire::OuterPath& path) const {
  const Door* best = nullptr;
  for (const Door& one : params.doors) {
    if (one.kind != kind || one.family != path.remote.address.family()) continue;
    if (one.local == path.local) return &one;
    if (best == nullptr || (!one.local && best->local)) best = &one;
  }
  return best;
}

void Endpoint::State::set_doors(std::vector<Door> doors, std::vector<wire::IpAddress> addresses) {
  const bool list_changed = addresses != params.addresses;
  params.doors = std::move(doors);
  params.addresses = std::move(addresses);
  for (auto& [spi, sa] : sas) {
    own_address_changed(*sa, list_changed);
    keep_way(*sa);
    arm(*sa);
  }
}

bool Endpoint::State::own(const wire::IpAddress& address) const {
  return std::ranges::find(params.addresses, address) != params.addresses.end();
}

// Through another door of the same kind, where the SA's own is gone.
void Endpoint::State::keep_way(IkeSa& sa) {
  const auto kind = sa.encapsulated ? Door::Kind::kNat : Door::Kind::kPlain;
  const Door* const same = door(sa.path.socket);
  if (same != nullptr && same->kind == kind && same->family == sa.path.remote.address.family() &&
      (!same->local || *same->local == sa.path.local))
    return;
  const Door* const other = door(kind, sa.path);
  if (other == nullptr) return;  // transmit() sends nothing through a door that is not there
  sa.path.socket = other->number;
  if (other->local) sa.path.local = *other->local;
}

// RFC 7296 2.23: with a NAT between us ESP goes in UDP; else as it likes us, and plain costs the least.
wire::OuterPath Endpoint::State::esp_way(const IkeSa& sa, const Peer& peer) const {
  const NatFindings& nat = sa.held ? sa.held->nat : sa.nat;
  const bool encapsulated = sa.held ? sa.held->encapsulated : sa.encapsulated;
  wire::OuterPath path = sa.held ? sa.held->path : sa.path;
  const bool in_udp = nat.any() || sa.nat_faked || peer.params.force_encapsulation || (encapsulated && !nat.supported);
  const Door* const plain = in_udp ? nullptr : door(Door::Kind::kEsp, path);
  if (plain != nullptr) {
    path.remote.port = 0, path.socket = plain->number;
    return path;
  }
  const Door* const out = encapsulated ? nullptr : door(Door::Kind::kNat, path);
  if (out != nullptr) path.remote.port = kNatPort, path.socket = out->number;
  return path;
}

// RFC 7296 2.23: whoever speaks of NATs takes both forms at any time; without that word there is no ESP in UDP.
bool esp_may_come(const IkeSa& sa, const Door& in) {
  return in.kind == Door::Kind::kEsp || sa.nat.supported || sa.encapsulated;
}

bool Endpoint::State::encapsulation_forced(const wire::IpAddress& remote) const {
  if (encapsulating.empty()) return false;
  const auto forces = [](const Peer& peer) { return peer.params.force_encapsulation; };
  bool named = false, forced = false, anywhere = false;
  for (const auto& [number, peer] : peers) {
    const bool at = peer->params.endpoint && peer->params.endpoint->address == remote;
    const bool open = peer->params.outer_sources.empty();
    if (at || (!open && peer->source_allowed(remote)))
      named = true, forced = forced || forces(*peer);
    else if (open && !peer->params.endpoint)
      anywhere = anywhere || forces(*peer);
  }
  return named ? forced : anywhere;
}

}  // namespace tunnel::ike
