// RFC 7296 3.13.1 (wire form) and 2.9 (narrowing).
#include "tunnel/ike/selectors.h"

#include <algorithm>

#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

constexpr std::uint8_t kIpv4Range = 7, kIpv6Range = 8;
constexpr std::size_t kIpv4Size = 16, kIpv6Size = 40;

std::unexpected<ParseFailure> fail(ParseError error) {
  return std::unexpected(ParseFailure{error});
}

wire::IpAddress read_address(wire::Reader& reader, bool v4) {
  return v4 ? wire::IpAddress::v4(reader.array<4>()) : wire::IpAddress::v6(reader.array<16>());
}

bool is_ordered(const Selector& s) {
  return s.first <= s.last && (s.first_port <= s.last_port || s.opaque());
}

// Of a type that is known; `content` is what follows the length field.
Result<Selector, ParseFailure> read_selector(bool v4, std::uint8_t protocol, wire::ConstBytes content) {
  wire::Reader reader(content);
  Selector selector;
  selector.protocol = protocol;
  selector.first_port = reader.u16_be();
  selector.last_port = reader.u16_be();
  selector.first = read_address(reader, v4);
  selector.last = read_address(reader, v4);
  if (!reader.complete()) return fail(ParseError::kSelectorLength);
  if (!is_ordered(selector)) return fail(ParseError::kSelectorRange);
  return selector;
}

void write(wire::Writer& writer, const Selector& selector) {
  const bool v4 = selector.first.is_v4();
  writer.u8(v4 ? kIpv4Range : kIpv6Range);
  writer.u8(selector.protocol);
  writer.u16_be(static_cast<std::uint16_t>(v4 ? kIpv4Size : kIpv6Size));
  writer.u16_be(selector.first_port);
  writer.u16_be(selector.last_port);
  writer.octets(selector.first.octets());
  writer.octets(selector.last.octets());
}

bool overlap(const Selector& a, const wire::Prefix& prefix) {
  const Selector b = Selector::of(prefix);
  return a.first <= b.last && b.first <= a.last;
}

struct Side {
  std::vector<Selector> kept;
  bool reduced = false;
};

// RFC 7296 2.9: the common part of what is proposed and what is allowed, without what another one holds already.
Side common(std::span<const Selector> proposed, std::span<const Selector> allowed, std::size_t& steps) {
  Side side;
  side.reduced = proposed.size() > kNarrowedProposals;
  const std::size_t most = steps + kNarrowingSteps;
  for (const Selector& p : proposed.first(std::min(proposed.size(), kNarrowedProposals))) {
    steps += allowed.size();
    if (!covers(allowed, p)) side.reduced = true;
    for (const Selector& a : allowed) {
      if (steps > most) return side.reduced = true, side;
      const auto both = intersect(p, a);
      steps += 1 + (both ? side.kept.size() : 0);
      if (!both || std::ranges::any_of(side.kept, [&](const Selector& k) { return k.contains(*both); })) continue;
      std::erase_if(side.kept, [&](const Selector& k) { return both->contains(k); });
      if (side.kept.size() < kMaximumSelectors) {
        side.kept.push_back(*both);
      } else {
        side.reduced = true;
      }
    }
  }
  return side;
}

bool has_family(std::span<const Selector> selectors, wire::IpAddress address) {
  return std::ranges::any_of(selectors, [&](const Selector& s) { return s.first.family() == address.family(); });
}

// A pair of an IPv4 and an IPv6 selector holds no packet.
bool drop_lonely(std::vector<Selector>& selectors, std::span<const Selector> other_side) {
  return std::erase_if(selectors, [&](const Selector& s) { return !has_family(other_side, s.first); }) != 0;
}

const Selector* find_foreign(std::span<const Selector> proposed, std::span<const Selector> allowed,
                             std::span<const wire::Prefix> foreign) {
  for (const Selector& p : proposed.first(std::min(proposed.size(), kNarrowedProposals))) {
    if (std::ranges::any_of(allowed, [&](const Selector& a) { return intersect(p, a).has_value(); })) continue;
    if (std::ranges::any_of(foreign, [&](const wire::Prefix& prefix) { return overlap(p, prefix); })) return &p;
  }
  return nullptr;
}

}  // namespace

Result<std::vector<Selector>, ParseFailure> parse_selectors(wire::ConstBytes body) {
  wire::Reader reader(body);
  const std::uint8_t announced = reader.u8();
  reader.skip(3);
  if (!reader.good() || announced == 0) return fail(ParseError::kSelectorLength);
  std::vector<Selector> selectors;
  for (std::size_t i = 0; i < announced; ++i) {
    const std::uint8_t type = reader.u8();
    const std::uint8_t protocol = reader.u8();
    const std::uint16_t length = reader.u16_be();
    if (!reader.good() || length < 4) return fail(ParseError::kSelectorLength);
    const wire::ConstBytes content = reader.take(length - 4u);
    if (!reader.good()) return fail(ParseError::kSelectorLength);
    if (type != kIpv4Range && type != kIpv6Range) continue;
    selectors.push_back(TRY(read_selector(type == kIpv4Range, protocol, content)));
  }
  if (!reader.complete()) return fail(ParseError::kSelectorLength);
  return selectors;
}

void append(Chain& chain, PayloadType type, std::span<const Selector> selectors) {
  wire::require(!selectors.empty() && selectors.size() <= kMaximumSelectors);
  wire::Writer& writer = chain.begin(type);
  writer.u8(static_cast<std::uint8_t>(selectors.size()));
  writer.zeros(3);
  for (const Selector& selector : selectors) write(writer, selector);
  chain.end();
}

Result<NarrowedSelectors, SelectorRefusal> narrow(std::span<const Selector> peer, std::span<const Selector> ours,
                                                  const SelectorPolicy& policy) {
  std::size_t steps = 0;
  return narrow(peer, ours, policy, steps);
}

Result<NarrowedSelectors, SelectorRefusal> narrow(std::span<const Selector> peer, std::span<const Selector> ours,
                                                  const SelectorPolicy& policy, std::size_t& steps) {
  using Reason = SelectorRefusal::Reason;
  if (const Selector* offender = find_foreign(peer, policy.peer, policy.foreign)) {
    return std::unexpected(SelectorRefusal{Reason::kForeign, true, *offender});
  }
  if (const Selector* offender = find_foreign(ours, policy.ours, policy.foreign)) {
    return std::unexpected(SelectorRefusal{Reason::kForeign, false, *offender});
  }
  Side peer_side = common(peer, policy.peer, steps);
  Side our_side = common(ours, policy.ours, steps);
  const bool nothing_of_ours = our_side.kept.empty();
  const bool lonely = drop_lonely(peer_side.kept, our_side.kept);
  const bool also_lonely = drop_lonely(our_side.kept, peer_side.kept);
  if (peer_side.kept.empty() || our_side.kept.empty()) {
    return std::unexpected(SelectorRefusal{Reason::kNothingInCommon, !nothing_of_ours, std::nullopt});
  }
  const bool reduced = peer_side.reduced || our_side.reduced || lonely || also_lonely;
  return NarrowedSelectors{std::move(peer_side.kept), std::move(our_side.kept), reduced};
}

bool is_within(std::span<const Selector> answer, std::span<const Selector> proposed) {
  return !answer.empty() && std::ranges::all_of(answer, [&](const Selector& s) { return covers(proposed, s); });
}

}  // namespace tunnel::ike
