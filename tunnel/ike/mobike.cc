// Addresses that change while SAs live (RFC 4555), both roles. Who began the first IKE SA chooses the addresses and
// says so; the other end proves a new one before data goes there. Without MOBIKE_SUPPORTED of both ends nothing of it.
#include <algorithm>

#include <sodium.h>

#include "tunnel/ike/endpoint_state.h"
#include "tunnel/wire/writer.h"

namespace tunnel::ike {
namespace {

constexpr std::size_t kMostAddresses = 8;
constexpr std::size_t kCookie2Size = 16;  // RFC 4555 4.2.5: 8 to 64

using Kind = Exchanging::Kind;

void put_port(Octets& octets, std::uint16_t port) {
  octets.push_back(static_cast<std::uint8_t>(port >> 8));
  octets.push_back(static_cast<std::uint8_t>(port));
}

}  // namespace

// RFC 4555 4.2.6: source address, destination address, source port, destination port.
bool says_no_nat(const Notify& said, const Incoming& message) {
  Octets seen;
  for (const wire::IpAddress& address : {message.path.remote.address, message.path.local}) {
    const auto octets = address.octets();
    seen.insert(seen.end(), octets.begin(), octets.end());
  }
  put_port(seen, message.path.remote.port);
  put_port(seen, message.door.port);
  return std::ranges::equal(said.data, seen);
}

// RFC 4555 3.1, 3.6: in IKE_AUTH.
void Endpoint::State::offer_mobike(Chain& chain, const IkeSa& sa) const {
  append(chain, NotifyType::kMobikeSupported);
  append_addresses(chain, sa);
}

void Endpoint::State::append_addresses(Chain& chain, const IkeSa& sa) const {
  std::size_t named = 0;
  for (const wire::IpAddress& address : params.addresses) {
    if (address == sa.path.local || named == kMostAddresses) continue;
    ++named;
    append(chain, address.is_v4() ? NotifyType::kAdditionalIp4Address : NotifyType::kAdditionalIp6Address,
           address.octets());
  }
  if (named == 0) append(chain, NotifyType::kNoAdditionalAddresses);
}

// Of a message that goes out on this path.
void Endpoint::State::append_nat_detection(Chain& chain, const IkeSa& sa, const wire::OuterPath& path) const {
  const Door* const out = door(path.socket);
  const std::uint16_t port = out == nullptr ? kNatPort : out->port;
  append(chain, NotifyType::kNatDetectionSourceIp, sa.nat_faked ? NatHash{} : nat_hash(sa.spis, {path.local, port}));
  append(chain, NotifyType::kNatDetectionDestinationIp, nat_hash(sa.spis, path.remote));
}

void Endpoint::State::float_port(IkeSa& sa) {
  const Door* const floated = door(Door::Kind::kNat, sa.path);
  if (floated == nullptr || sa.encapsulated) return;
  sa.path.socket = floated->number;
  sa.path.remote.port = kNatPort;
  sa.encapsulated = true;
}

// RFC 3948 4: only the end behind the NAT keeps its mapping alive.
void Endpoint::State::keep_mapping(IkeSa& sa, Turn turn) {
  const bool needed = sa.nat.we_behind && sa.encapsulated;
  sa.keepalive = needed ? turn.now + peer_of(sa)->params.lifetimes.keepalive : kNever;
}

// The address we spoke from is gone, or others came: the peer is told when the next call runs.
void Endpoint::State::own_address_changed(IkeSa& sa, bool list_changed) {
  if (!list_changed || params.addresses.empty()) return;
  const bool gone = !sa.path.local.is_unspecified() && !own(sa.path.local);
  const auto other = std::ranges::find(params.addresses, sa.path.remote.address.family(), &wire::IpAddress::family);
  if (gone && other != params.addresses.end()) sa.path.local = *other;
  const bool stands = sa.phase == IkeSa::Phase::kEstablished;
  // RFC 7296 2.11: without MOBIKE the peer goes on sending to where we were, and only what is behind a NAT is followed
  // (2.23). That it answers from there would hide it for ever, so it is told and called again.
  if (gone && !sa.mobike && stands && !sa.nat.we_behind) sa.close_wanted = true;
  // One that was replaced: the peer may not have our answer to its rekeying yet, and then knows no other.
  if (!sa.mobike || !(stands || sa.phase == IkeSa::Phase::kReplaced)) return;
  if (gone && sa.moves) sa.update_wanted = true;
  if (!sa.update_wanted && stands) sa.addresses_wanted = true;
}

void Endpoint::State::pursue_path(IkeSa& sa, Turn turn) {
  Draft draft;
  Kind kind = Kind::kAddresses;
  Exchanging next;
  if (std::exchange(sa.update_wanted, false)) {  // RFC 4555 3.5
    kind = Kind::kUpdateAddresses;
    sa.addresses_wanted = false;
    append(draft.chain(), NotifyType::kUpdateSaAddresses);
    if (sa.nat.supported) append_nat_detection(draft.chain(), sa, sa.path);
    append_addresses(draft.chain(), sa);
  } else if (std::exchange(sa.proof_wanted, false)) {  // RFC 4555 3.7
    kind = Kind::kRoutability;
    next.nonce.resize(kCookie2Size);
    rng.fill(next.nonce);
    next.probed = sa.path.remote;
    append(draft.chain(), NotifyType::kCookie2, next.nonce);
  } else {  // RFC 4555 3.6
    sa.addresses_wanted = false;
    append_addresses(draft.chain(), sa);
  }
  sa.exchanging = std::move(next);
  request(sa, Exchange::kInformational, kind, draft, turn);
}

// RFC 4555 3.5, as the end that follows.
std::optional<NotifyType> Endpoint::State::take_update(IkeSa& sa, const Incoming& message, Turn turn) {
  const bool asked = sa.mobike && !sa.moves && sa.phase == IkeSa::Phase::kEstablished &&
                     message.notify(NotifyType::kUpdateSaAddresses) != nullptr;
  if (!asked) return std::nullopt;
  Peer& peer = *peer_of(sa);
  const std::string where = message.path.remote.address.to_string();
  if (const Notify* const said = message.notify(NotifyType::kNoNatsAllowed); said && !says_no_nat(*said, message)) {
    tell_failure(peer, message.path, "the peer moves to " + where + " and allows no NAT, and there is one", turn);
    return NotifyType::kUnexpectedNatDetected;  // RFC 4555 3.9
  }
  if (!peer.source_allowed(message.path.remote.address)) {
    tell_failure(peer, message.path, "the peer wants to move to " + where + ", which is not among its outer sources",
                 turn);
    return NotifyType::kUnacceptableAddresses;
  }
  move_to(sa, message);
  keep_mapping(sa, turn);  // also we may be behind one on the new path, or no longer
  return std::nullopt;
}

// IKE goes to the new address at once, ESP when that has answered.
void Endpoint::State::move_to(IkeSa& sa, const Incoming& message) {
  const Way before = sa.held ? *sa.held : Way{sa.path, sa.encapsulated, sa.nat};
  sa.path = message.path, sa.encapsulated = message.door.encapsulates();
  if (message.notify(NotifyType::kNatDetectionSourceIp) != nullptr) sa.nat = nat_of(message);
  const bool proven = before.path.remote == sa.path.remote;
  sa.held = proven ? std::nullopt : std::optional(before);
  sa.proof_wanted = !proven;
}

void Endpoint::State::update_answered(IkeSa& sa, const Incoming& message, Turn turn) {
  if (sa.update_wanted) return;  // RFC 4555 3.5: a newer one follows, this answer says nothing about it
  if (const Notify* const error = message.error()) {
    const std::string what = "the peer answers our change of address with " + std::string(name(error->type));
    tell_failure(*peer_of(sa), sa.path, what, turn);
    sa.close_wanted = true;  // it goes on talking to where we no longer are
    return;
  }
  mapping_answered(sa, message);
  sa.update_wanted = false;
  if (message.notify(NotifyType::kNatDetectionSourceIp) != nullptr) sa.nat = nat_of(message);
  if (sa.nat.any()) float_port(sa);
  keep_mapping(sa, turn);
  peer_of(sa)->path = sa.path;
}

// RFC 4555 3.8: the NAT in front of us has given us another address: the same as a move.
void Endpoint::State::mapping_answered(IkeSa& sa, const Incoming& message) {
  const Notify* const seen = message.notify(NotifyType::kNatDetectionDestinationIp);
  if (!sa.mobike || !sa.moves || seen == nullptr || seen->data.size() != NatHash().size()) return;
  NatHash now{};
  std::ranges::copy(seen->data, now.begin());
  if (sa.seen_as && *sa.seen_as != now) sa.update_wanted = true;
  sa.seen_as = now;
}

// RFC 4555 3.7: the cookie must come back, from there.
void Endpoint::State::routability_answered(IkeSa& sa, const Exchanging& done, const Incoming& message, Turn turn) {
  if (!sa.held) return;  // moved back
  Peer& peer = *peer_of(sa);
  const Notify* const cookie = message.notify(NotifyType::kCookie2);
  const bool same = cookie != nullptr && cookie->data.size() == done.nonce.size() &&
                    sodium_memcmp(cookie->data.data(), done.nonce.data(), done.nonce.size()) == 0;
  if (!same) {
    sa.close_wanted = true;
    return tell_failure(peer, message.path, "the peer does not send our COOKIE2 back", turn);
  }
  if (done.probed != sa.path.remote || message.path.remote != sa.path.remote) {
    sa.proof_wanted = true;
    return;
  }
  sa.held.reset();
  const std::string was = peer.path ? "it was at " + peer.path->remote.to_string() : std::string();
  peer.path = sa.path;
  tell(wire::EventKind::kPeerMoved, peer, was, turn);
}

}  // namespace tunnel::ike
