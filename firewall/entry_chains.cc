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

}  // namespace

std::vector<Chain> entry_chains(const policy::Plan& plan) {
  return {from_tunnel(), before_fragments(plan), raw_prerouting(plan), raw_output(plan)};
}

std::string outer(const policy::Plan& plan, const char* side) {
  return std::string("udp ") + side + " " + std::to_string(plan.wireguard_port);
}

}  // namespace firewall
