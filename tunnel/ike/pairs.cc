// What the peer has left out of a CHILD SA is asked for pair by pair (RFC 7296 2.9): many routers hold one pair of
// networks in each. Only by who calls: a router that calls us asks for its own.
#include <algorithm>
#include <ranges>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

constexpr std::size_t kMostPairs = 16;   // usable CHILD SAs with which no more are asked for
constexpr std::size_t kMostAsked = 64;   // pairs that are looked at
constexpr std::size_t kMostNamed = 4;    // of those refused that are named
constexpr std::size_t kMostLeft = 1024;  // pairs among which one that is left out is looked for, to be named
constexpr Duration kPause = std::chrono::minutes(1);

struct Pair {
  const Selector& ours;
  const Selector& peer;
};

Pair pair_at(const Peer& peer, std::size_t number) {
  return {peer.local[number / peer.remote.size()], peer.remote[number % peer.remote.size()]};
}

bool meets(const std::vector<Selector>& selectors, const Selector& one) {
  return std::ranges::any_of(selectors, [&](const Selector& each) { return intersect(each, one).has_value(); });
}

// The peer has answered for a pair of which a CHILD SA holds a part.
bool answered(const IkeSa& sa, const Pair& pair) {
  return std::ranges::any_of(sa.children, [&](const ChildSa& child) {
    return child.may_send() && meets(child.ours, pair.ours) && meets(child.peer, pair.peer);
  });
}

// The first one from that number on that no CHILD SA has to do with, of so many.
std::optional<std::size_t> next_pair(const Peer& peer, const IkeSa& sa, std::size_t from, std::size_t most) {
  for (std::size_t number = from; number < std::min(peer.local.size() * peer.remote.size(), most); ++number) {
    const Pair pair = pair_at(peer, number);
    if (pair.ours.first.family() == pair.peer.first.family() && !answered(sa, pair)) return number;
  }
  return std::nullopt;
}

}  // namespace

bool asks_for_less(NotifyType refusal) {
  return refusal == NotifyType::kSinglePairRequired || refusal == NotifyType::kTsUnacceptable;
}

bool Endpoint::State::begin_pairs(IkeSa& sa, Turn turn) {
  const Peer& peer = *peer_of(sa);
  if (!peer.params.start || sa.pairs.at != kNever) return false;
  if (sa.pairs.begun && turn.now - *sa.pairs.begun < kPause) return false;
  if (peer.local.size() * peer.remote.size() < 2) return false;
  sa.pairs.begun = turn.now;  // looking is dear as well: not for every packet that no CHILD SA holds
  if (!next_pair(peer, sa, 0, kMostAsked)) return false;
  sa.pairs = {.at = turn.now, .next = 0, .refused = {}, .begun = turn.now};
  touched.push_back(sa.local());
  return true;
}

// A new CHILD SA of ours may hold less than we asked for.
void Endpoint::State::rest_after(IkeSa& sa, const ChildSa& made, Turn turn) {
  const Peer& peer = *peer_of(sa);
  if (!is_within(peer.local, made.ours) || !is_within(peer.remote, made.peer)) begin_pairs(sa, turn);
}

// There is a packet that no CHILD SA holds: the peer may have closed the one for it, or been set right.
void Endpoint::State::call_rest(const Peer& peer, Turn turn) {
  for (const Spi spi : std::views::reverse(peer.sas)) {
    IkeSa& sa = *sas.at(spi);
    if (sa.phase == IkeSa::Phase::kEstablished && !sa.close_wanted) return void(begin_pairs(sa, turn));
  }
}

bool Endpoint::State::pursue_pairs(IkeSa& sa, Turn turn) {
  if (sa.pairs.at > turn.now) return false;
  const Peer& peer = *peer_of(sa);
  const bool room = std::ranges::count_if(sa.children, &ChildSa::may_send) < static_cast<std::ptrdiff_t>(kMostPairs);
  const auto number = room ? next_pair(peer, sa, sa.pairs.next, kMostAsked) : std::nullopt;
  if (!number) return end_pairs(sa, turn), false;
  sa.pairs.next = *number + 1;
  const Pair pair = pair_at(peer, *number);
  send_create_child(sa, {.ours = {pair.ours}, .peer = {pair.peer}, .old = nullptr, .one_pair = true},
                    peer.params.profile.groups.front(), turn);
  return true;
}

void Endpoint::State::pair_refused(IkeSa& sa, const Exchanging& done, NotifyType error, Turn turn) {
  if (error == NotifyType::kTemporaryFailure && sa.pairs.next != 0) {  // RFC 7296 2.25: the same one again
    --sa.pairs.next;
    sa.pairs.at = after_a_pause(turn.now, sa.ends);
    return;
  }
  if (error == NotifyType::kNoAdditionalSas) sa.pairs.next = kMostAsked;
  std::string& refused = sa.pairs.refused;
  if (std::ranges::count(refused, ';') < static_cast<std::ptrdiff_t>(kMostNamed))
    refused += (refused.empty() ? "" : "; ") + to_string(done.ours) + " with " + to_string(done.peer) + " (" +
               std::string(name(error)) + ")";
}

void Endpoint::State::end_pairs(IkeSa& sa, Turn turn) {
  Peer& peer = *peer_of(sa);
  sa.pairs.at = kNever;
  const std::string refused = std::exchange(sa.pairs.refused, {});
  if (!refused.empty()) {
    tell_failure(peer, sa.path, "the peer holds no CHILD SA for " + refused + ": its selectors lack them", turn);
  } else if (const auto left = next_pair(peer, sa, sa.pairs.next, kMostLeft)) {
    const Pair pair = pair_at(peer, *left);
    tell_failure(peer, sa.path,
                 "the peer holds one pair of networks in a CHILD SA, and there are more than " +
                     std::to_string(kMostPairs) + ": none for " + to_string(pair.ours) + " with " +
                     to_string(pair.peer) +
                     ". Its selectors should name several networks, or fewer should be permitted",
                 turn);
  }
  if (std::ranges::none_of(sa.children, &ChildSa::may_send)) sa.child_wanted = turn.now + peer.params.lifetimes.retry;
}

}  // namespace tunnel::ike
