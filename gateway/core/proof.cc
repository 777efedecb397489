#include "gateway/core/proof.h"

#include <algorithm>
#include <map>
#include <set>

#include "firewall/compile.h"
#include "policy/decide.h"

namespace gateway::core {
namespace {

using config::value::IpProtocol;
using config::value::Result;
using config::value::WallTime;
using policy::AddressRange;
using policy::Declared;
using policy::PacketBox;
using policy::PacketPoint;
using policy::PacketSet;

constexpr std::size_t kMostBreaches = 10;

// Who has an address, by the plan's networks; sorted.
class Owners {
 public:
  explicit Owners(const policy::Plan& plan) {
    for (const auto& facility : plan.facilities)
      for (const auto& network : facility.networks) all_.push_back({policy::range_of(network.seen), &facility.name});
    std::sort(all_.begin(), all_.end(), [](const Owned& a, const Owned& b) { return a.range < b.range; });
  }

  // Empty: no facility's.
  [[nodiscard]] std::string of(const policy::IpAddress& address) const {
    const auto after = std::ranges::upper_bound(all_, address, {}, [](const Owned& each) { return each.range.first; });
    if (after == all_.begin() || std::prev(after)->range.last < address) return "";
    return std::prev(after)->name->text;
  }

 private:
  struct Owned {
    AddressRange range;
    const policy::FacilityName* name;
  };
  std::vector<Owned> all_;
};

PacketPoint first_of(const PacketBox& box) {
  return {box.source.first, box.destination.first, box.first_protocol, box.first_port};
}

policy::Packet packet_of(const PacketPoint& point) {
  policy::Packet packet{point.source, point.destination, static_cast<IpProtocol>(point.protocol), 0, point.port};
  const bool ports = packet.protocol == IpProtocol::kTcp || packet.protocol == IpProtocol::kUdp;
  if (!ports) packet.destination_port = 0;
  return packet;
}

// Where a packet comes from and goes to, in words, and the interface it came in by.
struct Leg {
  std::string from, to;  // empty: a facility, to be named
  std::string in;        // empty: the gateway's own
};

class Prover {
 public:
  Prover(const policy::Plan& plan, Reachability reachability, const Declared& declared, WallTime now)
      : plan_(plan), declared_(declared), now_(now), owners_(plan), reachability_(std::move(reachability)) {}

  Result<Proof, std::string> prove() {
    const Reach reach = TRY(reachability_.openings());
    count(reach);
    proof_.theorems.push_back(no_detour(reach));
    proof_.theorems.push_back(true_source(reach));
    proof_.theorems.push_back(true_destination(reach));
    proof_.theorems.push_back(TRY(no_single_fault()));
    proof_.theorems.push_back(TRY(exact(reach)));
    return std::move(proof_);
  }

 private:
  void count(const Reach& reach) {
    proof_.facilities = plan_.facilities.size();
    proof_.pairs = proof_.facilities == 0 ? 0 : proof_.facilities * (proof_.facilities - 1);
    std::set<std::pair<std::string, std::string>> open;
    for (const PacketBox& box : reach.between.boxes())
      open.emplace(owners_.of(box.source.first), owners_.of(box.destination.first));
    proof_.open_pairs = open.size();
    proof_.boxes = reach.between.size() + reach.to_inside.size() + reach.from_inside.size();
  }

  [[nodiscard]] std::string line_of(const PacketPoint& packet) const {
    const auto decision = policy::decide(plan_, packet_of(packet), now_);
    return decision.allowed() ? decision.permission->origin : "";
  }

  // One breach for each two ends that the set joins. A packet that people know is taken before others.
  void add(const PacketSet& set, const Leg& leg, const std::string& why, Theorem& theorem) {
    std::set<std::pair<std::string, std::string>> named;
    for (const PacketBox& box : set.boxes()) {
      if (theorem.breaches.size() >= kMostBreaches) return;
      const PacketPoint packet = first_of(box);
      const std::string from = leg.from.empty() ? owners_.of(packet.source) : leg.from;
      const std::string to = leg.to.empty() ? owners_.of(packet.destination) : leg.to;
      if (!named.emplace(from, to).second) continue;
      Breach breach;
      breach.what = from + " -> " + to + ": " + policy::to_text(packet) + " " + why;
      if (const std::string all = policy::to_text(box); all != policy::to_text(packet))
        breach.what += " (all of " + all + ")";
      breach.packet = packet;
      breach.line = line_of(packet);
      if (!leg.in.empty()) breach.rules = reachability_.accepting_rules(leg.in, packet);
      theorem.breaches.push_back(std::move(breach));
    }
  }

  Theorem no_detour(const Reach& reach) {
    Theorem theorem{"P1",
                    "what comes out of a facility's tunnel goes to the services it may use, to hosts that others offer "
                    "it in an exchange, and nowhere else: not to another facility, outside, or to the gateway",
                    {}};
    const std::string tunnel = policy::kTunnelInterface;
    const std::string why = "passes, and no line declares it";
    add(reach.between - declared_.packets.between, {"", "", tunnel}, why, theorem);
    add(reach.to_inside - declared_.packets.to_inside, {"", "inside", tunnel}, why, theorem);
    add(reach.to_elsewhere, {"", "outside", tunnel}, "passes", theorem);
    add(reach.to_gateway, {"", "the gateway", tunnel}, "passes", theorem);
    return theorem;
  }

  // What the tunnels let out against what the configuration says is there. A packet that goes on is named before one
  // that another layer stops.
  Theorem true_source(const Reach& reach) {
    Theorem theorem{"P2", "a packet out of a facility's tunnel has a source inside that facility's networks", {}};
    const auto& sources = reachability_.sources_of_tunnels();
    const PacketSet passing = reach.between | reach.to_inside;
    std::map<std::string, const std::vector<AddressRange>*> networks;
    for (const auto& facility : declared_.facilities) networks[facility.name.text] = &facility.networks;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::string& name = plan_.facilities[i].name.text;
      const auto own = networks.find(name);
      if (own != networks.end() && *own->second == sources[i]) continue;
      PacketSet foreign = PacketSet::from(sources[i]);
      if (own != networks.end()) foreign = foreign - PacketSet::from(*own->second);
      if (foreign.empty()) continue;
      const Leg leg{name, "inside", policy::kTunnelInterface};
      if (const PacketSet gone = passing & foreign; !gone.empty())
        add(gone, leg, "passes, from a source that is not in its networks", theorem);
      else
        add(foreign, leg, "leaves the tunnel, from a source that is not in its networks", theorem);
    }
    return theorem;
  }

  Theorem true_destination(const Reach& reach) {
    Theorem theorem{"P3",
                    "a packet into a facility's tunnel has a destination inside that facility's networks and a source "
                    "that may reach it there",
                    {}};
    const std::string inside = plan_.inside_interface, outside = plan_.outside_interface;
    add(reach.from_inside - declared_.packets.from_inside, {"inside", "", inside}, "passes, and no line declares it",
        theorem);
    add(reach.inside_forward, {"inside", "elsewhere", inside}, "passes, though not into a tunnel", theorem);
    add(reach.from_outside, {"outside", "", outside}, "passes in clear", theorem);
    add(reach.from_gateway, {"the gateway", "", ""}, "passes", theorem);
    std::vector<AddressRange> networks;
    for (const auto& facility : declared_.facilities)
      networks.insert(networks.end(), facility.networks.begin(), facility.networks.end());
    add((reach.between | reach.from_inside) - PacketSet::to(networks), {"", "", policy::kTunnelInterface},
        "goes into a tunnel, and is for nobody's network", theorem);
    return theorem;
  }

  // Without nftables nothing tells inside's packets from those of a facility with the same source: such a source may
  // reach that destination, which is all that P3 says. Without the guard the two addresses of a network that are no
  // host's are addresses of it.
  Result<Theorem, std::string> no_single_fault() {
    Theorem theorem{"P4", "all of this also with any one layer gone: selectors, guard, routes or nftables", {}};
    const std::string tunnel = policy::kTunnelInterface;
    for (const auto& [missing, name] : {std::pair{Missing::kSelectors, "the selectors"},
                                        {Missing::kGuard, "the guard"},
                                        {Missing::kRoutes, "the routes"},
                                        {Missing::kNftables, "nftables"}}) {
      const Reach reach = TRY(reachability_.openings(missing));
      const std::string why = std::string("would pass without ") + name + ", and no line declares it";
      add(reach.between - declared_.by_network.between, {"", "", ""}, why, theorem);
      add(reach.to_inside - declared_.by_network.to_inside, {"", "inside", ""}, why, theorem);
      add(reach.to_elsewhere, {"", "outside", ""}, why, theorem);
      add(reach.to_gateway, {"", "the gateway", ""}, why, theorem);
      add(reach.from_inside - declared_.by_network.from_inside - declared_.by_network.between, {"inside", "", ""}, why,
          theorem);
      add(reach.inside_forward, {"inside", "elsewhere", ""}, why, theorem);
      add(reach.from_outside, {"outside", "", ""}, why, theorem);
      add(reach.from_gateway, {"the gateway", "", ""}, why, theorem);
    }
    return theorem;
  }

  Result<Theorem, std::string> exact(const Reach& reach) {
    Theorem theorem{"exact", "everything that is declared passes, and its answers; nothing else is answered", {}};
    const std::string why = "is declared, and does not pass";
    add(declared_.packets.between - reach.between, {"", "", ""}, why, theorem);
    add(declared_.packets.to_inside - reach.to_inside, {"", "inside", ""}, why, theorem);
    add(declared_.packets.from_inside - reach.from_inside, {"inside", "", ""}, why, theorem);
    const Answers answers = TRY(reachability_.answers());
    const std::string lost = "passes, and its answers do not", stray = "does not pass, and answers to it would";
    add(reach.between - answers.between, {"", "", ""}, lost, theorem);
    add(reach.to_inside - answers.to_inside, {"", "inside", ""}, lost, theorem);
    add(reach.from_inside - answers.from_inside, {"inside", "", ""}, lost, theorem);
    add(answers.between - reach.between, {"", "", ""}, stray, theorem);
    add(answers.to_inside - reach.to_inside, {"", "inside", ""}, stray, theorem);
    add(answers.from_inside - reach.from_inside, {"inside", "", ""}, stray, theorem);
    return theorem;
  }

  const policy::Plan& plan_;
  const Declared& declared_;
  WallTime now_;
  Owners owners_;
  Reachability reachability_;
  Proof proof_;
};

}  // namespace

bool Proof::holds() const {
  return !theorems.empty() && std::ranges::all_of(theorems, &Theorem::holds);
}

Result<Proof, std::string> prove(const Compiled& compiled, const Declared& declared, WallTime now) {
  return prove(compiled.plan, Reachability(compiled.plan, compiled.table, compiled.guard, now), declared, now);
}

Result<Proof, std::string> prove(const policy::Plan& plan, Reachability reachability, const Declared& declared,
                                 WallTime now) {
  return Prover(plan, std::move(reachability), declared, now).prove();
}

Result<Proof, std::string> prove(const policy::Plan& plan, const Declared& declared, WallTime now) {
  const Guard guard = TRY(Guard::compile(plan));
  const firewall::RuleSet table = firewall::compile(plan);
  return prove(Compiled{plan, table, guard}, declared, now);
}

std::vector<std::string> breaches_of(const Proof& proof) {
  std::vector<std::string> out;
  for (const Theorem& theorem : proof.theorems)
    for (const Breach& breach : theorem.breaches) {
      std::string text = theorem.promise + ": " + breach.what;
      if (!breach.line.empty()) text += "; opened by " + breach.line;
      for (const std::string& rule : breach.rules) text += "; accepted by " + rule;
      out.push_back(std::move(text));
    }
  return out;
}

}  // namespace gateway::core
