#include "gateway/core/live_proof.h"

#include <algorithm>
#include <map>

#include "firewall/compile.h"
#include "firewall/foreign_tables.h"
#include "firewall/kernel_listing.h"
#include "firewall/table_changes.h"
#include "gateway/core/live_routes.h"
#include "gateway/core/live_tunnels.h"
#include "gateway/core/reach.h"
#include "policy/declared.h"

namespace gateway::core {
namespace {

using config::value::Result;
using firewall::KernelTable;
using policy::PacketSet;
using Kind = firewall::Edit::Kind;

constexpr std::size_t kMostTold = 100;  // differences of a layer: ours, and of others

bool is_own(const KernelTable& table) {
  return table.family == "inet" && table.name == "sekisho";
}

const char* words(Kind kind) {
  switch (kind) {
    case Kind::kRuleMissing:
      return "rule missing: ";
    case Kind::kRuleAdded:
      return "rule added: ";
    case Kind::kRuleMoved:
      return "rule moved: ";
    case Kind::kChainMissing:
      return "chain missing: ";
    case Kind::kChainAdded:
      return "chain added: ";
    case Kind::kHookChanged:
      return "chain changed: ";
    case Kind::kSetMissing:
      return "set missing: ";
    case Kind::kSetAdded:
      return "set added: ";
    case Kind::kSetChanged:
      return "set changed: ";
    case Kind::kElementMissing:
      return "element missing: ";
    case Kind::kElementAdded:
      return "element added: ";
    case Kind::kCounterMissing:
      return "counter missing: ";
  }
  return "";
}

class LiveProver {
 public:
  explicit LiveProver(const LiveState& state)
      : state_(state),
        plan_(state.plan),
        interfaces_{policy::kTunnelInterface, plan_.inside_interface, plan_.outside_interface} {}

  LiveVerdict prove() {
    if (!state_.kernel.error.empty()) return not_read("the kernel could not be read: " + state_.kernel.error);
    if (!state_.tunnels.error.empty()) return not_read("the tunnels could not be read: " + state_.tunnels.error);
    const auto tables = firewall::read_ruleset(state_.kernel.ruleset);
    if (!tables) return not_read(tables.error());
    const auto table = own_table(*tables);
    wanted_ = firewall::compile(plan_);
    declared_ = policy::declared_by(plan_, state_.now);
    compare_table(*tables, table);
    compare_foreign(*tables);
    compare_legacy(*tables);
    take(route_differences(plan_, state_.kernel.routes));
    compare_links();
    compare_addresses();
    compare_parameters();
    const auto tunnels = installed_tunnels(plan_, state_.tunnels, state_.now);
    take(tunnels.differences);
    prove_theorems(table, tunnels);
    return std::move(verdict_);
  }

 private:
  LiveVerdict not_read(std::string why) {
    verdict_.not_proved = std::move(why);
    return std::move(verdict_);
  }

  void tell(LiveDifference difference) {
    if (told_[{difference.layer, difference.ours}]++ < kMostTold)
      verdict_.differences.push_back(std::move(difference));
    else
      ++verdict_.left_out;
  }

  // What opens is told first: of too many the rest is only counted.
  void take(std::vector<LiveDifference> more) {
    std::ranges::stable_partition(more, &LiveDifference::opens);
    for (LiveDifference& each : more) tell(std::move(each));
  }

  void add(const char* layer, std::string what, std::string says, bool closes, bool ours) {
    tell({layer, std::move(what), false, closes, std::move(says), {}, ours});
  }

  // Without one everything passes that the other layers let pass: an empty table says so.
  firewall::RuleSet own_table(const std::vector<KernelTable>& tables) const {
    const auto own = std::ranges::find_if(tables, is_own);
    if (own == tables.end() || firewall::is_dormant(*own)) return firewall::RuleSet();
    return firewall::installed(*own, state_.kernel.sets);
  }

  void compare_table(const std::vector<KernelTable>& tables, const firewall::RuleSet& found) {
    const auto own = std::ranges::find_if(tables, is_own);
    if (own == tables.end() || firewall::is_dormant(*own)) {
      tell({"nftables",
            own == tables.end() ? "table missing: inet sekisho"
                                : "table inet sekisho is dormant: no chain of it is asked",
            true,
            false,
            "nftables refuses nothing: routes and guard alone hold",
            {},
            true});
      return;
    }
    const auto result = firewall::table_changes(wanted_, found, interfaces_);
    verdict_.left_out += result.left_out;
    if (!result.not_understood.empty() && result.changes.empty())
      add("nftables", "table inet sekisho", result.not_understood, false, true);
    for (const firewall::TableChange& change : result.changes)
      tell({"nftables", words(change.edit.kind) + named(*own, change.edit), change.opens, change.closes,
            said(change, result.not_understood), change.packet, true});
  }

  static std::string said(const firewall::TableChange& change, const std::string& not_understood) {
    return not_understood.empty() ? change.says : change.says + ": " + not_understood;
  }

  static std::string named(const KernelTable& own, const firewall::Edit& edit) {
    const std::string at = "table inet sekisho, ";
    switch (edit.kind) {
      case Kind::kRuleAdded:
      case Kind::kRuleMoved: {
        const auto chain = std::ranges::find(own.chains, edit.object, &firewall::KernelChain::name);
        if (chain != own.chains.end() && edit.found_at < chain->rules.size())
          return firewall::place_of(own, *chain, chain->rules[edit.found_at]);
        [[fallthrough]];
      }
      case Kind::kRuleMissing:
        return at + "chain " + edit.object + ": \"" + edit.text + "\"";
      case Kind::kElementMissing:
      case Kind::kElementAdded:
        return at + "@" + edit.object + " { " + edit.text + " }";
      case Kind::kChainMissing:
      case Kind::kChainAdded:
      case Kind::kHookChanged:
        return at + "chain " + edit.object + (edit.text.empty() ? "" : ": " + edit.text);
      case Kind::kSetMissing:
      case Kind::kSetAdded:
      case Kind::kSetChanged:
      case Kind::kCounterMissing:
        break;
    }
    return at + edit.object + (edit.text.empty() ? "" : ": " + edit.text);
  }

  void compare_foreign(const std::vector<KernelTable>& tables) {
    if (std::ranges::all_of(tables, is_own)) return;
    firewall::ForeignQuestion question{interfaces_, {}, {}, {}, {}, {}, {}, {}};
    std::vector<policy::AddressRange> networks;
    for (const auto& facility : plan_.facilities)
      for (const auto& network : facility.networks) networks.push_back(policy::range_of(network.seen));
    question.of_facilities = PacketSet::from(networks) | PacketSet::to(networks);
    std::vector<policy::AddressRange> own;
    for (const auto& address : plan_.outside_addresses) own.push_back({address, address});
    question.to_tunnels = to_tunnels();
    question.from_gateway = PacketSet::from(own), question.to_gateway = PacketSet::to(own);
    question.to_inside = declared_.packets.to_inside;
    question.from_inside = declared_.packets.from_inside;
    question.between = declared_.packets.between;
    std::vector<LiveDifference> all;
    for (const KernelTable& table : tables) {
      if (is_own(table) || firewall::is_dormant(table) || firewall::is_legacy(table)) continue;
      const auto answer = firewall::judge_foreign(table, question);
      for (const firewall::ForeignFinding& each : answer.findings)
        all.push_back({"nftables", each.what, each.opens, each.closes, each.says, each.packet, false});
      verdict_.left_out += answer.left_out;
      verdict_.notes.insert(verdict_.notes.end(), answer.notes.begin(), answer.notes.end());
    }
    take(std::move(all));
  }

  // Those of nat, mangle and raw rewrite; those of filter and security can only drop more.
  void compare_legacy(const std::vector<KernelTable>& tables) {
    for (const KernelTable& each : tables) {
      if (!firewall::is_legacy(each)) continue;
      const std::string what = "table " + each.family + " " + each.name + " of iptables-legacy";
      if (each.name == "filter" || each.name == "security")
        verdict_.notes.push_back(what + " is not read, and may drop more");
      else
        add("nftables", what, "of others, not read: its rules may change packets before ours judge them", false, false);
    }
  }

  // From whom the facilities' sources say, or anybody.
  [[nodiscard]] PacketSet to_tunnels() const {
    std::vector<policy::PacketBox> boxes;
    const auto add = [&](const policy::IpAddress& own, std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
      policy::PacketBox box = policy::whole(own.family());
      box.destination = {own, own};
      box.first_protocol = box.last_protocol = protocol, box.first_port = first, box.last_port = last;
      boxes.push_back(box);
    };
    std::vector<policy::AddressRange> sources;
    bool from_anywhere = false;
    for (const auto& facility : plan_.facilities) {
      from_anywhere |= facility.sources.empty();
      for (const auto& source : facility.sources) sources.push_back(policy::range_of(source));
    }
    for (const auto& own : plan_.outside_addresses) {
      if (plan_.wireguard_port != 0) add(own, 17, plan_.wireguard_port, plan_.wireguard_port);
      if (!plan_.ikev2) continue;
      add(own, 17, 500, 500), add(own, 17, 4500, 4500), add(own, 50, 0, 65535);
    }
    const PacketSet all = PacketSet::of(boxes);
    return from_anywhere ? all : all & PacketSet::from(sources);
  }

  const KernelLink* link(const std::string& name) const {
    const auto found = std::ranges::find(state_.kernel.links, name, &KernelLink::name);
    return found == state_.kernel.links.end() ? nullptr : &*found;
  }

  void compare_links() {
    for (const std::string& name : {interfaces_.tunnel, interfaces_.inside, interfaces_.outside}) {
      const bool tunnel = name == interfaces_.tunnel;
      const std::string what = "link " + name;
      const KernelLink* found = link(name);
      if (found == nullptr) {
        add("links", what + " missing", "nothing can come or go there", true, tunnel);
        continue;
      }
      if (!found->up) add("links", what + " is down", "nothing can come or go there", true, tunnel);
      if (!found->master.empty())
        add("links", what + " is a part of " + found->master,
            "packets come by " + found->master + ", which no rule names", true, false);
      for (const std::string& each : found->disciplines)
        add("links", what + " has the traffic control " + each, "it can send packets elsewhere, past every rule", false,
            false);
      if (found->mtu < plan_.tunnel_mtu || (tunnel && found->mtu != plan_.tunnel_mtu))
        add("links", what + " has the MTU " + std::to_string(found->mtu),
            "the plan counts with " + std::to_string(plan_.tunnel_mtu), true, tunnel);
    }
    if (const KernelLink* tunnel = link(interfaces_.tunnel);
        tunnel != nullptr && tunnel->index != state_.kernel.tun_index)
      add("links",
          "link " + interfaces_.tunnel + " has the index " + std::to_string(tunnel->index) +
              ", and the data plane is attached to " +
              (state_.kernel.tun_index == 0 ? "none" : std::to_string(state_.kernel.tun_index)),
          "whoever made it gets the packets for the facilities, and none comes out of a tunnel", true, true);
  }

  void compare_addresses() {
    for (const auto& address : plan_.outside_addresses)
      if (std::ranges::none_of(state_.kernel.addresses, [&](const KernelAddress& each) {
            return each.interface == plan_.outside_interface && each.address == address;
          }))
        add("addresses", "address missing: " + address.to_string() + " dev " + plan_.outside_interface,
            "no tunnel can reach the gateway there", true, false);
    for (const KernelAddress& each : state_.kernel.addresses)
      if (each.interface == policy::kTunnelInterface && !each.address.is_link_local())
        add("addresses",
            "address added: " + each.address.to_string() + "/" + std::to_string(each.length) + " dev " + each.interface,
            "the gateway says nothing of its own into the tunnels", false, false);
  }

  void compare_parameters() {
    for (const KernelParameter& each : state_.kernel.parameters)
      if (each.value != each.wanted)
        add("parameters", "sysctl " + each.path + " is " + each.value + ", not " + each.wanted,
            parameter_says(each.path), false, each.ours);
  }

  static std::string parameter_says(const std::string& path) {
    const auto ends = [&](const char* name) { return path.ends_with(name); };
    if (ends("ip_forward") || ends("/forwarding")) return "forwarding is switched on last and off first";
    if (ends("redirects")) return "a redirect would lead packets past the gateway";
    if (ends("accept_source_route")) return "a packet would choose its own way";
    if (ends("rp_filter") || ends("src_valid_mark"))
      return "a source that is not behind its interface is to be refused";
    if (ends("proxy_arp") || ends("proxy_ndp")) return "the gateway would answer for the addresses of others";
    if (ends("force_forwarding")) return "it forwards also while forwarding is off";
    if (ends("accept_local")) return "packets with an address of the gateway as their source would be taken";
    if (ends("route_localnet")) return "packets for 127.0.0.0/8 would be taken";
    return "the gateway relies on it";
  }

  void prove_theorems(const firewall::RuleSet& table, const InstalledTunnels& tunnels) {
    Installed installed = tunnels.installed;
    installed.routes = state_.kernel.routes;
    for (const KernelAddress& each : state_.kernel.addresses) installed.here.push_back({each.address, each.address});
    auto proof = core::prove(plan_, Reachability(plan_, table, installed), declared_, state_.now);
    if (proof)
      verdict_.proof = *std::move(proof);
    else
      verdict_.not_proved = proof.error();
  }

  const LiveState& state_;
  const policy::Plan& plan_;
  firewall::Interfaces interfaces_;
  firewall::RuleSet wanted_;
  policy::Declared declared_;
  std::map<std::pair<std::string, bool>, std::size_t> told_;  // by layer and whose
  LiveVerdict verdict_;
};

}  // namespace

LiveVerdict prove_live(const LiveState& state) {
  return LiveProver(state).prove();
}

std::string to_sentence(const LiveDifference& difference) {
  std::string out = difference.layer + ": " + difference.what;
  if (difference.opens) out += "; opens";
  if (difference.closes) out += difference.opens ? " and closes" : "; closes";
  return difference.says.empty() ? out : out + ": " + difference.says;
}

}  // namespace gateway::core
