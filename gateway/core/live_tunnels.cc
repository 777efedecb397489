#include "gateway/core/live_tunnels.h"

#include <algorithm>
#include <map>
#include <set>

#include "gateway/core/ike_peers.h"
#include "policy/declared.h"
#include "policy/isolation.h"

namespace gateway::core {
namespace {

using config::value::Prefix;
using config::value::WallTime;
using policy::AddressRange;
using policy::PacketBox;
using policy::PacketSet;

std::vector<Prefix> in_order(std::vector<Prefix> all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string texts(const std::vector<Prefix>& all) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kShown); ++i) out += (i == 0 ? "" : ", ") + all[i].to_string();
  return out.empty() ? "nothing" : all.size() > kShown ? out + ", ..." : out;
}

// Of the near selectors, translated as the data plane does it: of two networks that hold an address the first counts.
std::vector<AddressRange> seen(const TunnelFact& fact) {
  std::vector<AddressRange> out;
  std::vector<AddressRange> near;
  for (const Prefix& prefix : fact.near) near.push_back(policy::range_of(prefix));
  PacketSet left = PacketSet::from(near);
  for (const policy::NetworkMap& network : fact.networks) {
    const PacketSet real = PacketSet::from({policy::range_of(network.real)});
    for (const AddressRange& range : (left & real).sources())
      out.push_back({config::value::translate(range.first, network.real, network.seen),
                     config::value::translate(range.last, network.real, network.seen)});
    left = left - real;
  }
  for (const AddressRange& range : left.sources()) out.push_back(range);  // as they are: the guard judges them
  return out;
}

class Judge {
 public:
  Judge(const policy::Plan& plan, const TunnelState& told, WallTime now)
      : plan_(plan), running_(policy::without_isolated(plan)), told_(told), now_(now) {
    for (const TunnelFact& fact : told.tunnels) facts_[fact.facility] = &fact;
  }

  InstalledTunnels judge() {
    for (const std::string& fault : told_.faults)
      add("tunnels", "fault switch " + fault, "a build for tests: that layer is switched off", true, false);
    compare_tunnels();
    compare_guard();
    fill();
    return std::move(out_);
  }

 private:
  void add(const char* layer, std::string what, std::string says, bool opens, bool closes) {
    out_.differences.push_back({layer, std::move(what), opens, closes, std::move(says), {}, true});
  }

  void compare_tunnels() {
    const auto others = destinations_of(running_);
    std::set<std::string> known;
    for (const auto& facility : running_.facilities) {
      known.insert(facility.name.text);
      const auto fact = facts_.find(facility.name.text);
      if (fact == facts_.end()) {
        add("tunnels", "tunnel of " + facility.name.text + " missing", "it can send and get nothing", false, true);
        continue;
      }
      const auto reached = others.find(facility.name.text);
      compare_tunnel(facility, *fact->second, reached == others.end() ? std::set<Prefix>() : reached->second);
    }
    for (const auto& [name, fact] : facts_)
      if (!known.contains(name)) add("tunnels", "tunnel of " + name, "the plan has no such tunnel", true, false);
  }

  void compare_tunnel(const policy::FacilityPlan& facility, const TunnelFact& fact, const std::set<Prefix>& reached) {
    std::vector<Prefix> real, guarded;
    for (const auto& network : facility.networks) real.push_back(network.real), guarded.push_back(network.seen);
    const std::string of = " of " + facility.name.text;
    const auto differ = [&](const char* layer, const std::string& what, const std::vector<Prefix>& found,
                            const std::vector<Prefix>& wanted) {
      const auto a = in_order(found), b = in_order(wanted);
      if (a == b) return;
      const bool opens = !std::ranges::includes(b, a), closes = !std::ranges::includes(a, b);
      add(layer, what + of + ": " + texts(a), "the plan says " + texts(b), opens, closes);
    };
    differ("tunnels", "selectors", fact.near, real);
    if (fact.both_ends != facility.ike.has_value())
      add("tunnels", "tunnel" + of, "it speaks another protocol than the plan says", true, true);
    if (facility.ike) differ("tunnels", "selectors of the gateway's side", fact.far, {reached.begin(), reached.end()});
    if (fact.networks != facility.networks)
      add("tunnels", "translation" + of, "the plan translates other networks", true, true);
    differ("guard", "networks", fact.guarded, guarded);
  }

  void compare_guard() {
    const auto nobody = nobody_s();
    std::vector<PacketBox> boxes;
    for (const PermissionRow& row : told_.rows)
      if (now_ < row.until)
        boxes.push_back(policy::box_of(row.source, row.destination,
                                       {static_cast<config::value::IpProtocol>(row.protocol), row.first, row.last}));
    const PacketSet found = PacketSet::of(std::move(boxes));
    out_.installed.permitted = found - nobody;
    const auto guard = Guard::compile(running_);
    if (guard && guard->permission_rows() == told_.rows) return;
    const PacketSet wanted = guard ? guard->permitted_packets(now_) : PacketSet();
    for (const bool opens : {true, false}) {
      const PacketSet set = opens ? found - wanted : wanted - found;
      const auto packet = set.witness();
      if (!packet) continue;
      out_.differences.push_back(
          {"guard",
           opens ? "row of the guard: " + row_of(*packet) : "no row of the guard for " + policy::to_text(*packet),
           opens, !opens,
           policy::to_text(*packet) +
               (opens ? " is permitted, and no line declares it" : " is declared, and not permitted"),
           packet, true});
    }
  }

  [[nodiscard]] std::string row_of(const policy::PacketPoint& packet) const {
    for (const PermissionRow& row : told_.rows)
      if (row.source.first <= packet.source && packet.source <= row.source.last && now_ < row.until &&
          row.destination.first <= packet.destination && packet.destination <= row.destination.last &&
          row.protocol == packet.protocol)
        return row.source.first.to_string() + "-" + row.source.last.to_string() + " -> " +
               row.destination.first.to_string() + "-" + row.destination.last.to_string() + " protocol " +
               std::to_string(row.protocol) + " ports " + std::to_string(row.first) + "-" + std::to_string(row.last);
    return policy::to_text(packet);
  }

  // The two addresses of a network that are no host's: the guard refuses them (policy/declared.h).
  [[nodiscard]] PacketSet nobody_s() const {
    std::vector<AddressRange> networks;
    for (const TunnelFact& fact : told_.tunnels)
      for (const Prefix& network : fact.guarded) networks.push_back(policy::range_of(network));
    const auto nobody = policy::no_hosts(networks);
    return PacketSet::from(nobody) | PacketSet::to(nobody);
  }

  void fill() {
    Installed& out = out_.installed;
    std::vector<AddressRange> guarded, from, to;
    std::vector<PacketBox> both_from, both_to;
    for (const TunnelFact& fact : told_.tunnels) {
      const auto own = seen(fact);
      for (const Prefix& network : fact.guarded) guarded.push_back(policy::range_of(network));
      if (!fact.both_ends) {
        from.insert(from.end(), own.begin(), own.end());
        to.insert(to.end(), own.begin(), own.end());
        continue;
      }
      for (const Prefix& other : fact.far)
        for (const AddressRange& range : own) {
          both_from.push_back({range, policy::range_of(other)});
          both_to.push_back({policy::range_of(other), range});
        }
    }
    out.at_source = {PacketSet::from(from), PacketSet::of(std::move(both_from))};
    out.at_destination = {PacketSet::to(to), PacketSet::of(std::move(both_to))};
    out.of_facilities = PacketSet::from(guarded);
    for (const auto& facility : plan_.facilities) {
      const auto fact = facts_.find(facility.name.text);
      out.sources.push_back(fact == facts_.end() ? std::vector<AddressRange>() : seen(*fact->second));
    }
  }

  const policy::Plan& plan_;
  policy::Plan running_;  // as the data plane is given it: without what is isolated
  const TunnelState& told_;
  WallTime now_;
  std::map<std::string, const TunnelFact*> facts_;
  InstalledTunnels out_;
};

}  // namespace

InstalledTunnels installed_tunnels(const policy::Plan& plan, const TunnelState& told, WallTime now) {
  return Judge(plan, told, now).judge();
}

}  // namespace gateway::core
