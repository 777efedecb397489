// docs/decisions/0003: why each path is closed where it is, and why a flow is judged by its tuple on every packet.
#include "firewall/chains.h"

#include <algorithm>

#include "firewall/entry_chains.h"
#include "firewall/error_chains.h"
#include "firewall/reasons.h"
#include "firewall/words.h"

namespace firewall {
namespace {

// The class mark of one end of the packet. 0, "no class", is in no map's key.
std::string classify(const Words& w, const std::string& end) {
  return "meta mark set " + w.protocol + " " + end + " map @class" + w.digit;
}

std::string permit(const std::string& guard, const std::string& key, const std::string& map, const std::string& pass) {
  return guard + " ct mark set " + key + " map @" + map + " " + pass;
}

// Flows opened in this direction: the packet's own tuple is the flow's.
Rules along(const Words& w, const std::string& stem, const std::string& source, const std::string& pass) {
  const std::string ends = source + " . " + w.protocol + " daddr";
  const std::string ports = ends + " . meta l4proto . th dport";
  return {permit("ct direction original", ports, stem + w.digit, pass),
          permit("ct direction original", w.protocol + " saddr . " + w.protocol + " daddr . meta l4proto . th dport",
                 stem + "_range" + w.digit, pass),
          permit("ct direction original " + w.request, ends, stem + "_echo" + w.digit, pass)};
}

// Answers: the flow's tuple is the packet's turned round (nothing translates addresses inside this zone).
Rules back(const Words& w, const std::string& stem, const std::string& source, const std::string& pass) {
  const std::string ends = source + " . " + w.protocol + " saddr";
  const std::string ports = ends + " . meta l4proto . th sport";
  return {permit("ct direction reply", ports, stem + w.digit, pass),
          permit("ct direction reply", w.protocol + " daddr . " + w.protocol + " saddr . meta l4proto . th sport",
                 stem + "_range" + w.digit, pass),
          permit("ct direction reply " + w.reply, ends, stem + "_echo" + w.digit, pass)};
}

// A flow that a facility opens and may open: it passes while the kernel tracks no more than kFlowsPerFacility of that
// facility, in both families together. Counted only here: what is refused elsewhere is never tracked.
Chain admit(const Words& w, const std::string& name, const std::string& pass) {
  return {name + w.digit,
          "",
          {"ct state new meta mark set " + w.protocol + " saddr map @site" + w.digit +
               " add @flows { meta mark ct count over " + std::to_string(kFlowsPerFacility) + " } goto drop_flow_limit",
           pass}};
}

Rules exchange_rules(const Words& w, const std::string& pass_new) {
  Rules rules{"meta mark set 0", classify(w, "saddr")};
  append(rules, along(w, "exchange", "meta mark", pass_new));
  append(rules, {"meta mark set 0", classify(w, "daddr")});
  append(rules, back(w, "exchange", "meta mark", kPassAcross));
  rules.push_back(errors_to(w, "jump error_across"));
  return rules;
}

// sekisho0 -> inside: flows to services, answers to what inside opened.
Chain to_inside(const Words& w) {
  Rules rules{"meta mark set 0", classify(w, "saddr")};
  append(rules, along(w, "service", "meta mark", std::string("goto admit") + w.digit));
  append(rules, back(w, "inside", w.protocol + " daddr", kPass));
  rules.push_back(errors_to(w, "goto error_inward"));
  rules.push_back("goto drop_not_permitted");
  return {std::string("to_inside") + w.digit, "", rules};
}

// inside -> sekisho0: answers of services, flows to what a facility offers to inside.
Chain to_tunnel(const Words& w) {
  Rules rules{w.protocol + " daddr != @facility" + w.digit + " goto drop_foreign_destination", "meta mark set 0",
              classify(w, "daddr")};
  append(rules, back(w, "service", "meta mark", kPass));
  append(rules, along(w, "inside", w.protocol + " saddr", kPass));
  rules.push_back(errors_to(w, "goto error_outward"));
  rules.push_back("goto drop_not_permitted");
  return {std::string("to_tunnel") + w.digit, "", rules};
}

// sekisho0 -> sekisho0: only what prerouting marked, judged once more.
Chain across(const Words& w) {
  Rules rules{"meta mark != 0x80000000 goto drop_detour",
              w.protocol + " daddr != @facility" + w.digit + " goto drop_foreign_destination"};
  append(rules, exchange_rules(w, std::string("goto admit_across") + w.digit));
  rules.push_back("goto drop_detour");
  return {std::string("across") + w.digit, "", rules};
}

// Before routing: a packet of a declared exchange gets the mark that selects its table. Any other gets none, and must
// be for a host that some row names; refused here rather than by an unreachable route, it is counted and on record
// (P7).
Chain mark_exchange(const Words& w) {
  Rules rules = exchange_rules(w, kPassAcross);
  append(rules, {"meta mark set 0", "fib daddr type local accept",
                 w.protocol + " daddr != @reach" + w.digit + " goto drop_detour"});
  return {std::string("mark_exchange") + w.digit, "", rules};
}

Rules both(const std::string& guard, const std::string& chain) {
  return {guard + " meta nfproto ipv4 goto " + chain + "4", guard + " meta nfproto ipv6 goto " + chain + "6"};
}

// From the other two sides nothing is forwarded but to facilities, from inside. Local and link traffic stays.
Chain prerouting(const policy::Plan& plan) {
  const std::string inside = "iifname " + quoted(plan.inside_interface);
  const std::string sides =
      "iifname { " + quoted(plan.outside_interface) + ", " + quoted(plan.inside_interface) + " } ";
  Rules rules = both("iifname " + kTunnel, "mark_exchange");
  append(rules, {inside + " ip daddr @facility4 accept", inside + " ip6 daddr @facility6 accept",
                 sides + "ip6 daddr fe80::/10 accept",
                 sides + "fib daddr type { local, broadcast, multicast, anycast } accept", sides + "goto drop_detour"});
  return {"prerouting", "type filter hook prerouting priority -150; policy accept;", rules};
}

Chain forward(const policy::Plan& plan) {
  const std::string inside = quoted(plan.inside_interface);
  const std::string ours = "{ " + kTunnel + ", " + inside + ", " + quoted(plan.outside_interface) + " }";
  Rules rules{"oifname != " + kTunnel + " ip daddr @facility4 iifname != " + kTunnel + " goto drop_clear_leak",
              "oifname != " + kTunnel + " ip6 daddr @facility6 iifname != " + kTunnel + " goto drop_clear_leak",
              "iifname != " + ours + " oifname != " + ours + " accept", "ct state invalid goto drop_invalid_state"};
  append(rules, both("iifname " + kTunnel + " oifname " + inside, "to_inside"));
  append(rules, both("iifname " + inside + " oifname " + kTunnel, "to_tunnel"));
  append(rules, both("iifname " + kTunnel + " oifname " + kTunnel, "across"));
  rules.push_back("goto drop_detour");
  return {"forward", "type filter hook forward priority 0; policy drop;", rules};
}

// RFC 4861 7.1: a neighbour's word counts only with hop limit 255. RFC 2710: without an answer to the querier, a switch
// forgets where the solicited-node groups are.
const Rules kLinkNeeds{
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept",
    "icmpv6 type mld-listener-query accept"};

// The carrier's side of the gateway: the tunnels, what keeps IP working, and answers to what the gateway itself asked.
Chain input_outside(const policy::Plan& plan) {
  Rules rules;
  for (const auto& address : plan.outside_addresses)
    for (const std::string& own : outer(plan, "dport"))
      rules.push_back(std::string(address.is_v4() ? "ip" : "ip6") + " daddr " + address.to_string() + " " + own +
                      " accept");
  for (const auto& address : plan.outside_addresses) {  // the inside addresses do not answer here
    const Words& words = address.is_v4() ? words_v4() : words_v6();
    rules.push_back(words.protocol + " daddr " + address.to_string() + " " + words.request + " accept");
  }
  append(rules, {"ct state established accept", words_v4().errors + " accept", words_v6().errors + " accept"});
  append(rules, kLinkNeeds);
  rules.push_back("goto drop_outside_input");
  return {"input_outside", "", rules};
}

Chain input(const policy::Plan& plan) {
  const std::string outside = quoted(plan.outside_interface);
  const std::string sides = "iifname { " + outside + ", " + quoted(plan.inside_interface) + " } ";
  return {"input",
          "type filter hook input priority 0; policy accept;",
          {"iifname " + kTunnel + " goto drop_to_gateway", sides + "icmp type redirect goto drop_icmp_redirect",
           sides + "icmpv6 type nd-redirect goto drop_icmp_redirect", "iifname " + outside + " goto input_outside"}};
}

// The gateway itself may tell a facility that its packet went nowhere (PMTU, unreachable, TTL), and nothing else.
Chain output_tunnel() {
  return {"output_tunnel",
          "",
          {"ip daddr != @facility4 goto drop_foreign_destination",
           "ip6 daddr != @facility6 goto drop_foreign_destination", "ct state related " + words_v4().errors + " accept",
           "ct state related " + words_v6().errors + " accept", "goto drop_not_permitted"}};
}

// What a wrong route would let out in clear: words to the hosts of some row, and errors, which quote what they are
// about (none of the gateway's is needed outside: it forwards nothing from there).
Chain output(const policy::Plan& plan) {
  const std::string outside = "oifname " + quoted(plan.outside_interface) + " ";
  return {
      "output",
      "type filter hook output priority 0; policy accept;",
      {"oifname " + kTunnel + " goto output_tunnel", "ip daddr @facility4 goto drop_clear_leak",
       "ip6 daddr @facility6 goto drop_clear_leak", outside + "ip daddr @reach4 goto drop_clear_leak",
       outside + "ip6 daddr @reach6 goto drop_clear_leak", outside + words_v4().errors + " goto drop_outside_error",
       outside + words_v6().errors + " goto drop_outside_error",
       // the kernel's table of flows is the facilities'; of this machine's users only root may need more
       "ct state new meta skuid != 0 ct count over " + std::to_string(kFlowsOfHostUsers) + " goto drop_flow_limit"}};
}

}  // namespace

std::vector<std::string> refusal_counters() {
  std::vector<std::string> out;
  for (const RefusalReason& reason : kRefusalReasons) out.emplace_back(reason.name);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<Chain> drop_chains() {
  std::vector<Chain> out;
  for (const std::string& name : refusal_counters())
    out.push_back(
        {"drop_" + name,
         "",
         {"counter name " + quoted(name),
          "limit rate 20/second log prefix " + quoted(name) + " group " + std::to_string(kLogGroup), "drop"}});
  return out;
}

std::vector<Chain> closed_chains(const std::string& outside_interface) {
  std::vector<Chain> out = drop_chains();
  Rules input{"iifname " + kTunnel + " goto drop_to_gateway"};
  if (!outside_interface.empty()) {
    Rules outside{"icmp type redirect goto drop_icmp_redirect", "icmpv6 type nd-redirect goto drop_icmp_redirect",
                  "ct state established accept", "ct state related " + words_v4().errors + " accept",
                  "ct state related " + words_v6().errors + " accept"};
    append(outside, kLinkNeeds);
    outside.push_back("goto drop_outside_input");
    out.push_back({"closed_outside", "", outside});
    input.push_back("iifname " + quoted(outside_interface) + " goto closed_outside");
  }
  out.push_back({"forward", "type filter hook forward priority 0; policy drop;", {"goto drop_not_permitted"}});
  out.push_back({"input", "type filter hook input priority 0; policy accept;", input});
  out.push_back({"output",
                 "type filter hook output priority 0; policy accept;",
                 {"oifname " + kTunnel + " goto drop_not_permitted"}});
  return out;
}

std::vector<Chain> chains_of(const policy::Plan& plan) {
  std::vector<Chain> out = drop_chains();
  for (const Words& words : {words_v4(), words_v6()}) {
    for (Chain& chain : error_chains(words)) out.push_back(std::move(chain));
    out.push_back(admit(words, "admit", kPass));
    out.push_back(admit(words, "admit_across", kPassAcross));
    out.push_back(mark_exchange(words));
    out.push_back(to_inside(words));
    out.push_back(to_tunnel(words));
    out.push_back(across(words));
  }
  out.push_back(input_outside(plan));
  out.push_back(output_tunnel());
  out.push_back(forward(plan));
  out.push_back(input(plan));
  out.push_back(output(plan));
  out.push_back(prerouting(plan));
  for (Chain& chain : entry_chains(plan)) out.push_back(std::move(chain));
  return out;
}

}  // namespace firewall
