// docs/decisions/0003: why each path is closed where it is, and why a flow is judged by its tuple on every packet.
#include "firewall/chains.h"

#include <algorithm>

#include "firewall/reasons.h"

namespace firewall {
namespace {

using Rules = std::vector<std::string>;

const std::string kTunnel = "\"sekisho0\"";
const std::string kErrors4 = "icmp type { destination-unreachable, time-exceeded, parameter-problem }";
const std::string kErrors6 =
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }";

std::string quoted(const std::string& name) {
  return "\"" + name + "\"";
}

void append(Rules& to, const Rules& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// How one family is written.
struct Words {
  char digit;
  std::string protocol;  // "ip"
  std::string nfproto;   // "ipv4"
  std::string request;   // echo
  std::string reply;
  std::string errors;
};

const Words kV4{'4', "ip", "ipv4", "icmp type echo-request", "icmp type echo-reply", kErrors4};
const Words kV6{'6', "ip6", "ipv6", "icmpv6 type echo-request", "icmpv6 type echo-reply", kErrors6};

// What a permitted packet gets besides its rule number in the conntrack mark.
const std::string kPass = "meta mark set 0 accept";
const std::string kPassAcross = "meta mark set 0x80000000 accept";

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

// The facility number of one end of the packet. 0, "no facility", is in no set's key.
Rules facility_of(const Words& w, const std::string& end) {
  return {"meta mark set 0", "meta mark set " + w.protocol + " " + end + " map @site" + w.digit};
}

// RFC 792, RFC 4443: conntrack says which flow an error quotes, not who says so. Anybody can quote what he does not
// see, so each error passes only where the flow's rule still holds, in the direction of that flow, and from or to the
// very facility that the rule names.
std::string error_of(const char* direction, const std::string& parties, const std::string& pass) {
  return std::string("ct direction ") + direction + " ct mark . meta mark @" + parties + " " + pass;
}

std::string errors_to(const Words& w, const std::string& verb_and_chain) {
  return "ct state related " + w.errors + " " + verb_and_chain + w.digit;
}

// Out of a tunnel to inside: what the facility opened, and answers of it.
Chain error_inward(const Words& w) {
  Rules rules = facility_of(w, "saddr");
  append(rules, {error_of("original", "ends_service", kPass), error_of("reply", "ends_inside", kPass),
                 "goto drop_not_permitted"});
  return {std::string("error_inward") + w.digit, "", rules};
}

Chain error_outward(const Words& w) {
  Rules rules = facility_of(w, "daddr");
  append(rules, {error_of("reply", "ends_service", kPass), error_of("original", "ends_inside", kPass),
                 "goto drop_not_permitted"});
  return {std::string("error_outward") + w.digit, "", rules};
}

// Between two tunnels both must be parties of the rule, each on its own side. What is not returns to the caller.
std::vector<Chain> error_across(const Words& w) {
  const auto receiver = [&](const char* chain, const std::string& parties) {
    Rules rules = facility_of(w, "daddr");
    rules.push_back("ct mark . meta mark @" + parties + " " + kPassAcross);
    return Chain{std::string(chain) + w.digit, "", rules};
  };
  Rules rules = facility_of(w, "saddr");
  append(rules, {error_of("original", "opens_exchange", std::string("goto error_to_answerer") + w.digit),
                 error_of("reply", "answers_exchange", std::string("goto error_to_opener") + w.digit)});
  return {receiver("error_to_answerer", "answers_exchange"),
          receiver("error_to_opener", "opens_exchange"),
          {std::string("error_across") + w.digit, "", rules}};
}

Rules exchange_rules(const Words& w) {
  Rules rules{"meta mark set 0", classify(w, "saddr")};
  append(rules, along(w, "exchange", "meta mark", kPassAcross));
  append(rules, {"meta mark set 0", classify(w, "daddr")});
  append(rules, back(w, "exchange", "meta mark", kPassAcross));
  rules.push_back(errors_to(w, "jump error_across"));
  return rules;
}

// sekisho0 -> inside: flows to services, answers to what inside opened.
Chain to_inside(const Words& w) {
  Rules rules{"meta mark set 0", classify(w, "saddr")};
  append(rules, along(w, "service", "meta mark", kPass));
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
  append(rules, exchange_rules(w));
  rules.push_back("goto drop_detour");
  return {std::string("across") + w.digit, "", rules};
}

// Before routing: a packet of a declared exchange gets the mark that selects its table. Any other gets none, and must
// be for a host that some row names; refused here rather than by an unreachable route, it is counted and on record
// (P7).
Chain mark_exchange(const Words& w) {
  Rules rules = exchange_rules(w);
  append(rules, {"meta mark set 0", "fib daddr type local accept",
                 w.protocol + " daddr != @reach" + w.digit + " goto drop_detour"});
  return {std::string("mark_exchange") + w.digit, "", rules};
}

Rules both(const std::string& guard, const std::string& chain) {
  return {guard + " meta nfproto ipv4 goto " + chain + "4", guard + " meta nfproto ipv6 goto " + chain + "6"};
}

// Out of a tunnel, before conntrack sees it: shape and source (P2).
Chain from_tunnel() {
  return {
      "from_tunnel",
      "",
      {"ip hdrlength != 5 goto drop_header_options",  // RFC 7126: source route, record route and all others
       "exthdr rt exists goto drop_header_options",   // RFC 5095
       "fib daddr type { broadcast, multicast, anycast } goto drop_not_unicast",
       "ip daddr { 224.0.0.0/4, 255.255.255.255 } goto drop_not_unicast", "icmp type redirect goto drop_icmp_redirect",
       "icmpv6 type nd-redirect goto drop_icmp_redirect", "ip saddr != @facility4 goto drop_foreign_source",
       "ip6 saddr != @facility6 goto drop_foreign_source", "ct zone set " + std::to_string(kConntrackZone)}};
}

std::string outer(const policy::Plan& plan, const char* side) {
  return std::string("udp ") + side + " " + std::to_string(plan.wireguard_port);
}

Chain raw_prerouting(const policy::Plan& plan) {
  const std::string inside = "iifname " + quoted(plan.inside_interface);
  const std::string zone = " ct zone set " + std::to_string(kConntrackZone);
  return {"raw_prerouting",
          "type filter hook prerouting priority -310; policy accept;",
          {"iifname " + quoted(plan.outside_interface) + " " + outer(plan, "dport") + " notrack",
           "iifname " + kTunnel + " goto from_tunnel", inside + " ip daddr @facility4" + zone,
           inside + " ip6 daddr @facility6" + zone}};
}

// Before the kernel joins fragments (conntrack's defragmentation, priority -400): its queue knows neither interface nor
// zone, so a fragment let in here from the wrong side would complete a packet of the right one. Nothing from outside is
// ever forwarded, and no source of a facility is behind inside.
Chain before_fragments(const policy::Plan& plan) {
  const std::string inside = "iifname " + quoted(plan.inside_interface);
  return {"before_fragments",
          "type filter hook prerouting priority -450; policy accept;",
          {"iifname " + quoted(plan.outside_interface) +
               " fib daddr type != { local, broadcast, multicast, anycast } goto drop_detour",
           inside + " ip saddr @facility4 goto drop_foreign_source",
           inside + " ip6 saddr @facility6 goto drop_foreign_source",
           "iifname " + kTunnel + " ip saddr != @facility4 goto drop_foreign_source",
           "iifname " + kTunnel + " ip6 saddr != @facility6 goto drop_foreign_source"}};
}

Chain raw_output(const policy::Plan& plan) {
  return {"raw_output",
          "type filter hook output priority -310; policy accept;",
          {"oifname " + quoted(plan.outside_interface) + " " + outer(plan, "sport") + " notrack",
           "oifname " + kTunnel + " ct zone set " + std::to_string(kConntrackZone)}};
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

// The carrier's side of the gateway: the tunnels, what keeps IP working, and answers to what the gateway itself asked.
Chain input_outside(const policy::Plan& plan) {
  Rules rules;
  for (const auto& address : plan.outside_addresses)
    rules.push_back(std::string(address.is_v4() ? "ip" : "ip6") + " daddr " + address.to_string() + " " +
                    outer(plan, "dport") + " accept");
  append(rules, {"ct state established accept",
                 "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept",
                 "icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, "
                 "parameter-problem, mld-listener-query } accept",
                 // RFC 4861 7.1: a neighbour's word counts only with hop limit 255.
                 "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept",
                 "goto drop_outside_input"});
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
           "ip6 daddr != @facility6 goto drop_foreign_destination", "ct state related " + kErrors4 + " accept",
           "ct state related " + kErrors6 + " accept", "goto drop_not_permitted"}};
}

Chain output() {
  return {"output",
          "type filter hook output priority 0; policy accept;",
          {"oifname " + kTunnel + " goto output_tunnel", "ip daddr @facility4 goto drop_clear_leak",
           "ip6 daddr @facility6 goto drop_clear_leak"}};
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

std::vector<Chain> chains_of(const policy::Plan& plan) {
  std::vector<Chain> out = drop_chains();
  for (const Words& words : {kV4, kV6}) {
    out.push_back(error_inward(words));
    out.push_back(error_outward(words));
    for (Chain& chain : error_across(words)) out.push_back(std::move(chain));
    out.push_back(mark_exchange(words));
    out.push_back(to_inside(words));
    out.push_back(to_tunnel(words));
    out.push_back(across(words));
  }
  out.push_back(from_tunnel());
  out.push_back(input_outside(plan));
  out.push_back(output_tunnel());
  out.push_back(forward(plan));
  out.push_back(input(plan));
  out.push_back(output());
  out.push_back(prerouting(plan));
  out.push_back(before_fragments(plan));
  out.push_back(raw_prerouting(plan));
  out.push_back(raw_output(plan));
  return out;
}

}  // namespace firewall
