// What passes is named; everything else falls through to a refusal.
#include "gateway/core/guard.h"

#include <algorithm>
#include <unordered_map>

#include "policy/prefix_hash.h"

namespace gateway::core {
namespace {

using config::value::Prefix;
using config::value::WallTime;

struct Owned {
  Prefix prefix;
  FacilityIndex owner;
};

std::vector<Owned> seen_networks(const policy::Plan& plan) {
  std::vector<Owned> owned;
  for (std::size_t i = 0; i < plan.facilities.size(); ++i)
    for (const policy::NetworkMap& map : plan.facilities[i].networks)
      owned.push_back({map.seen, static_cast<FacilityIndex>(i)});
  std::sort(owned.begin(), owned.end(), [](const Owned& a, const Owned& b) { return a.prefix < b.prefix; });
  return owned;
}

// Sorted, so a network that contains another stands directly before one it contains.
std::string overlap_of(const std::vector<Owned>& owned, const policy::Plan& plan) {
  for (std::size_t i = 1; i < owned.size(); ++i)
    if (owned[i - 1].prefix.overlaps(owned[i].prefix))
      return "networks overlap: " + plan.facilities[owned[i - 1].owner].name.text + " and " +
             plan.facilities[owned[i].owner].name.text;
  return {};
}

// The all-zeros and all-ones host of an IPv4 network (RFC 919, RFC 1812 5.3.5.2); /31 and /32 have none.
void add_broadcasts(const Prefix& network, std::vector<PrefixEntry>& entries) {
  if (!network.address().is_v4() || network.length() > 30) return;
  const auto octets = network.address().octets();
  std::array<std::uint8_t, 4> last{octets[0], octets[1], octets[2], octets[3]};
  for (unsigned bit = network.length(); bit < 32; ++bit) last[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  entries.push_back({Prefix::host(network.address()), 1});
  entries.push_back({Prefix::host(IpAddress::v4(last)), 1});
}

// Where an end of a permission stands among the networks; few ends are named by many permissions.
class Standing {
 public:
  Standing(const std::vector<Owned>& owned, const policy::Plan& plan) : owned_(owned), plan_(plan) {}

  // Inside one network of the facility it names, or clear of all facilities.
  bool is_as_it_says(const Prefix& end, const std::string& facility) {
    const auto [known, fresh] = known_.try_emplace(end);
    if (fresh) known->second = found(end);
    const auto& [holder, holds_a_network] = known->second;
    if (facility.empty()) return holder == nullptr && !holds_a_network;
    return holder != nullptr && !holds_a_network && plan_.facilities[holder->owner].name.text == facility;
  }

 private:
  struct Place {
    const Owned* holder = nullptr;
    bool holds_a_network = false;
  };
  [[nodiscard]] Place found(const Prefix& end) const {
    const auto after = std::upper_bound(owned_.begin(), owned_.end(), end,
                                        [](const Prefix& p, const Owned& o) { return p < o.prefix; });
    const Owned* before = after != owned_.begin() ? &*std::prev(after) : nullptr;
    return {before != nullptr && before->prefix.contains(end) ? before : nullptr,
            after != owned_.end() && end.overlaps(after->prefix)};
  }

  const std::vector<Owned>& owned_;
  const policy::Plan& plan_;
  std::unordered_map<Prefix, Place, policy::PrefixHash> known_;
};

std::string contradiction(const policy::Plan& plan, const std::vector<Owned>& owned) {
  if (std::string overlap = overlap_of(owned, plan); !overlap.empty()) return overlap;
  Standing standing(owned, plan);
  for (const policy::Permission& p : plan.permissions) {
    if (!standing.is_as_it_says(p.source, p.from_facility.text))
      return "permission " + p.name + ": source " + p.source.to_string() + " is not where it says";
    if (!standing.is_as_it_says(p.destination, p.to_facility.text))
      return "permission " + p.name + ": destination " + p.destination.to_string() + " is not where it says";
    if (p.from_facility == p.to_facility) return "permission " + p.name + " leads back to where it comes from";
    if (p.kind == policy::PermissionKind::kExchange && !p.until)
      return "permission " + p.name + ": an exchange has no end";
  }
  return {};
}

bool opens(const FlowView& flow) {
  return flow.protocol == kProtocolTcp && (flow.tcp_flags & kTcpSyn) != 0 && (flow.tcp_flags & kTcpAck) == 0;
}

}  // namespace

Result<Guard, std::string> Guard::compile(const policy::Plan& plan) {
  const std::vector<Owned> owned = seen_networks(plan);
  if (std::string wrong = contradiction(plan, owned); !wrong.empty()) return std::unexpected(std::move(wrong));
  std::vector<PrefixEntry> networks, broadcasts;
  for (const Owned& o : owned) {
    networks.push_back({o.prefix, o.owner});
    add_broadcasts(o.prefix, broadcasts);
  }
  Guard guard;
  guard.permissions_ = TRY(PermissionTable::compile(plan.permissions));
  guard.facilities_ = PrefixTable(std::move(networks));
  guard.broadcasts_ = PrefixTable(std::move(broadcasts));
  return guard;
}

bool Guard::is_network_broadcast(const IpAddress& address) const {
  return address.is_v4() && broadcasts_.find(address) != PrefixTable::kNone;
}

Refusal Guard::ingress(FacilityIndex facility, const InnerPacketView& view, WallTime now) const {
  const FlowView& flow = view.flow;
  if (facility == kNoFacility || facility_of(flow.source) != facility) return Refusal::kSourceForeign;  // P2
  if (is_network_broadcast(flow.source) || is_network_broadcast(flow.destination)) return Refusal::kBroadcast;
  if (flow.icmp != IcmpKind::kError) return permitted(flow, now);
  if (!view.quoted || view.quoted->source != flow.destination || facility_of(view.quoted->destination) != facility)
    return Refusal::kEmbedded;
  return permitted(*view.quoted, now);
}

Refusal Guard::egress(const InnerPacketView& view, WallTime now) const {
  const FlowView& flow = view.flow;
  if (facility_of(flow.destination) == kNoFacility) return Refusal::kUnknownDestination;  // P3
  if (is_network_broadcast(flow.source) || is_network_broadcast(flow.destination)) return Refusal::kBroadcast;
  if (flow.icmp != IcmpKind::kError) return permitted(flow, now);
  if (!view.quoted || view.quoted->source != flow.destination) return Refusal::kEmbedded;
  // A router on the way may report, but one inside a facility only about its own hosts.
  const FacilityIndex reporter = facility_of(flow.source);
  if (reporter != kNoFacility && reporter != facility_of(view.quoted->destination)) return Refusal::kEmbedded;
  return permitted(*view.quoted, now);
}

Refusal Guard::permitted(const FlowView& flow, WallTime now) const {
  if (flow.icmp == IcmpKind::kEchoRequest || flow.icmp == IcmpKind::kEchoReply) return permitted_echo(flow, now);
  if (flow.protocol != kProtocolTcp && flow.protocol != kProtocolUdp) return Refusal::kProtocol;
  const Match forward = permissions_.find(flow.source, flow.destination, flow.protocol, flow.destination_port, now);
  if (forward == Match::kPermitted) return Refusal::kNone;
  const Match back = permissions_.find(flow.destination, flow.source, flow.protocol, flow.source_port, now);
  if (back == Match::kPermitted) return opens(flow) ? Refusal::kOpensBackwards : Refusal::kNone;
  return named(forward == Match::kNone ? back : forward, flow);
}

Refusal Guard::permitted_echo(const FlowView& flow, WallTime now) const {
  const bool request = flow.icmp == IcmpKind::kEchoRequest;
  const IpAddress& asker = request ? flow.source : flow.destination;
  const IpAddress& asked = request ? flow.destination : flow.source;
  const Match match = permissions_.find(asker, asked, flow.protocol, 0, now);
  return match == Match::kPermitted ? Refusal::kNone : named(match, flow);
}

Refusal Guard::named(Match match, const FlowView& flow) const {
  if (match == Match::kExpired) return Refusal::kExpired;
  const FacilityIndex from = facility_of(flow.source), to = facility_of(flow.destination);
  if (from != kNoFacility && to != kNoFacility) return Refusal::kOtherFacility;
  if (to == kNoFacility && !permissions_.is_destination(flow.destination)) return Refusal::kUnknownDestination;
  return Refusal::kNotPermitted;
}

}  // namespace gateway::core
