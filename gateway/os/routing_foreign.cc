#include "gateway/os/routing_foreign.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace gateway::os {
namespace {

using config::value::IpAddress;
using config::value::Prefix;

constexpr std::uint8_t kProtocol = 171;  // of our own rules, see routing.cc

std::optional<Prefix> source_of(rtnl_rule* rule) {
  nl_addr* address = rtnl_rule_get_src(rule);
  if (address == nullptr || nl_addr_get_prefixlen(address) == 0) return std::nullopt;
  std::array<std::uint8_t, 16> octets{};
  std::copy_n(static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address)),
              std::min<std::size_t>(nl_addr_get_len(address), octets.size()), octets.begin());
  const bool v4 = rtnl_rule_get_family(rule) == AF_INET;
  const auto value = v4 ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
  return Prefix::masked(value, static_cast<std::uint8_t>(nl_addr_get_prefixlen(address)));
}

// A packet of ours has one of these: the source of a facility or of a service.
bool is_source_of_ours(const Prefix& source, const RoutingState& ours) {
  return std::ranges::any_of(ours.routes, [&](const policy::Route& route) {
    return route.destination.length() != 0 &&
           (route.destination.contains(source) || source.contains(route.destination));
  });
}

bool is_interface_of_ours(const std::string& name, const RoutingState& ours) {
  return name != "lo" && std::ranges::any_of(ours.rules_v4, [&](const policy::RoutingRule& rule) {
           return rule.incoming_interface == name;
         });
}

// Packets from sekisho0 have mark 0 or the exchange mark when they are routed; others have 0 unless a stranger marks
// them.
bool takes_our_marks(rtnl_rule* rule) {
  const std::uint32_t mark = rtnl_rule_get_mark(rule), mask = rtnl_rule_get_mask(rule);
  const auto taken = [&](std::uint32_t ours) { return ((ours ^ mark) & mask) == 0; };
  return taken(0) || taken(policy::kExchangeMark);
}

bool is_default_local(rtnl_rule* rule) {
  return rtnl_rule_get_prio(rule) == 0 && rtnl_rule_get_table(rule) == RT_TABLE_LOCAL && !source_of(rule) &&
         rtnl_rule_get_iif(rule) == nullptr;
}

bool diverts(rtnl_rule* rule, const RoutingState& ours, std::uint32_t last) {
  std::uint8_t protocol = 0;
  (void)rtnl_rule_get_protocol(rule, &protocol);
  if (rtnl_rule_get_l3mdev(rule) > 0) return false;
  if (protocol == kProtocol || rtnl_rule_get_prio(rule) >= last || is_default_local(rule)) return false;
  if (rtnl_rule_get_action(rule) == FR_ACT_NOP || rtnl_rule_get_oif(rule) != nullptr) return false;
  if (const char* name = rtnl_rule_get_iif(rule); name != nullptr && !is_interface_of_ours(name, ours)) return false;
  const auto source = source_of(rule);
  return takes_our_marks(rule) && (!source || is_source_of_ours(*source, ours));
}

std::string describe(rtnl_rule* rule) {
  const auto source = source_of(rule);
  const char* interface = rtnl_rule_get_iif(rule);
  return std::string("rule ") + (rtnl_rule_get_family(rule) == AF_INET ? "IPv4 " : "IPv6 ") +
         std::to_string(rtnl_rule_get_prio(rule)) + " from " + (source ? source->to_string() : "all") +
         (interface == nullptr ? "" : std::string(" iif ") + interface) +
         (rtnl_rule_get_action(rule) == FR_ACT_TO_TBL ? " lookup " + std::to_string(rtnl_rule_get_table(rule)) : "") +
         " of others diverts our packets";
}

}  // namespace

OsResult<std::vector<ForeignRule>> remove_diverting_rules(const RoutingState& ours) {
  std::vector<ForeignRule> found;
  if (ours.rules_v4.empty()) return found;
  const std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) return std::unexpected(OsError{errno, "rtnetlink"});
  nl_cache* raw = nullptr;
  if (const int error = rtnl_rule_alloc_cache(socket.get(), AF_UNSPEC, &raw); error < 0)
    return std::unexpected(OsError{0, std::string("read routing rules: ") + nl_geterror(error)});
  const std::unique_ptr<nl_cache, decltype(&nl_cache_free)> cache(raw, nl_cache_free);
  for (nl_object* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object)) {
    auto* rule = reinterpret_cast<rtnl_rule*>(object);
    if (diverts(rule, ours, ours.rules_v4.back().priority))
      found.push_back({describe(rule), rtnl_rule_delete(socket.get(), rule, 0) >= 0});
  }
  return found;
}

}  // namespace gateway::os
