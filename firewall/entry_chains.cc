#include "firewall/entry_chains.h"

#include "firewall/reasons.h"
#include "firewall/words.h"

namespace firewall {
namespace {

// Out of a tunnel, before conntrack sees it: its shape. Its source (P2) was asked in before_fragments.
Chain from_tunnel() {
  return {
      "from_tunnel",
      "",
      {"ip hdrlength != 5 goto drop_header_options",  // RFC 7126: source route, record route and all others
       "exthdr rt exists goto drop_header_options",   // RFC 5095
       "fib daddr type { broadcast, multicast, anycast } goto drop_not_unicast",
       "ip daddr { 224.0.0.0/4, 255.255.255.255 } goto drop_not_unicast", "icmp type redirect goto drop_icmp_redirect",
       "icmpv6 type nd-redirect goto drop_icmp_redirect", "ct zone set " + std::to_string(kConntrackZone)}};
}

// The tunnels' own packets, and echo: whoever asks us from outside must not fill the kernel's table of flows.
Rules untracked(const policy::Plan& plan, const std::string& outside, const char* side, const char* echo) {
  Rules rules;
  for (const std::string& own : outer(plan, side)) rules.push_back(outside + own + " notrack");
  append(rules, {outside + "icmp type echo-" + echo + " notrack", outside + "icmpv6 type echo-" + echo + " notrack"});
  return rules;
}

Chain raw_prerouting(const policy::Plan& plan) {
  const std::string inside = "iifname " + quoted(plan.inside_interface);
  const std::string zone = " ct zone set " + std::to_string(kConntrackZone);
  Rules rules = untracked(plan, "iifname " + quoted(plan.outside_interface) + " ", "dport", "request");
  rules.push_back("iifname \"lo\" notrack");
  append(rules, {"iifname " + kTunnel + " goto from_tunnel", inside + " ip daddr @facility4" + zone,
                 inside + " ip6 daddr @facility6" + zone});
  return {"raw_prerouting", "type filter hook prerouting priority -310; policy accept;", rules};
}

const std::string kDropFlood = " goto drop_fragment_flood";

// Fragments from outside: the tunnels need none (WireGuard fits its packets to the path), but an IKEv2 peer may send
// its certificates so, or a router ESP in UDP. Until they are joined they lie in one queue of the kernel, 32 MiB for
// each family (gateway/daemon/netd_sysctls), with those of the tunnels. A source can be forged, so what counts is the
// sum: 550 a second for 10 s, 2.5 KiB each, are 15 MiB. Addresses of facilities have a share that no other address can
// take, and none of them can take it whole.
Chain peer_fragments(const Words& w) {
  return {std::string("peer_fragments") + w.digit,
          "",
          {std::string("update @fragments") + w.digit + " { " + w.protocol +
               " saddr limit rate over 250/second burst 250 packets }" + kDropFlood,
           "limit rate over 500/second burst 500 packets" + kDropFlood}};
}

Chain outside_fragments(const Words& w) {
  return {std::string("outside_fragments") + w.digit,
          "",
          {"fib daddr type != local" + kDropFlood,
           w.protocol + " saddr @source" + w.digit + " goto peer_fragments" + w.digit,
           "limit rate over 50/second burst 50 packets" + kDropFlood}};
}

// Before the kernel joins fragments (conntrack's defragmentation, priority -400): its queue knows neither interface nor
// zone, so a fragment let in here from the wrong side would complete a packet of the right one. Nothing from outside is
// ever forwarded, and no source of a facility is behind inside. A source whose answer would not leave by the outside
// interface is forged: echo, or a tunnel's answer, would carry the stranger's octets to the inside. And what comes from
// inside for a facility with such a source would be answered, or quoted in an error, out of the outside interface.
Chain before_fragments(const policy::Plan& plan) {
  const std::string inside = "iifname " + quoted(plan.inside_interface);
  const std::string outside = "iifname " + quoted(plan.outside_interface);
  return {"before_fragments",
          "type filter hook prerouting priority -450; policy accept;",
          {outside + " fib daddr type != { local, broadcast, multicast, anycast } goto drop_detour",
           outside + " fib saddr . iif oif missing goto drop_outside_source",  // RFC 3704 2.2, for both families
           outside + " ip frag-off & 0x3fff != 0 goto outside_fragments4",
           outside + " meta nfproto ipv6 exthdr frag exists goto outside_fragments6",
           inside + " ip saddr @facility4 goto drop_foreign_source",
           inside + " ip6 saddr @facility6 goto drop_foreign_source",
           inside + " ip daddr @facility4 fib saddr . iif oif missing goto drop_inside_source",
           inside + " ip6 daddr @facility6 fib saddr . iif oif missing goto drop_inside_source",
           "iifname " + kTunnel + " ip saddr != @facility4 goto drop_foreign_source",
           "iifname " + kTunnel + " ip6 saddr != @facility6 goto drop_foreign_source"}};
}

Chain raw_output(const policy::Plan& plan) {
  Rules rules = untracked(plan, "oifname " + quoted(plan.outside_interface) + " ", "sport", "reply");
  append(rules, {"oifname \"lo\" notrack",  // what a user of this machine opens with itself fills nothing
                 "oifname " + kTunnel + " ct zone set " + std::to_string(kConntrackZone)});
  return {"raw_output", "type filter hook output priority -310; policy accept;", rules};
}

}  // namespace

std::vector<Chain> entry_chains(const policy::Plan& plan) {
  std::vector<Chain> out{from_tunnel()};
  for (const Words& words : {words_v4(), words_v6()}) {
    out.push_back(peer_fragments(words));
    out.push_back(outside_fragments(words));
  }
  out.insert(out.end(), {before_fragments(plan), raw_prerouting(plan), raw_output(plan)});
  return out;
}

Rules outer(const policy::Plan& plan, const char* side) {
  Rules matches;
  const std::string udp = std::string("udp ") + side + " ";
  if (plan.wireguard_port != 0) matches.push_back(udp + std::to_string(plan.wireguard_port));
  if (plan.ikev2) append(matches, {udp + "{ 500, 4500 }", "meta l4proto esp"});
  return matches;
}

}  // namespace firewall
