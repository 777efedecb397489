// Differences are computed on values; libnl objects live only inside one function.
#include "gateway/os/routing.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

namespace gateway::os {
namespace {

using config::value::IpAddress;
using config::value::Prefix;
using policy::Route;
using policy::RouteTable;
using policy::RoutingRule;

constexpr std::uint8_t kProtocol = 171;  // rtm_protocol of everything we install
constexpr std::uint32_t kMetric = 1024;  // IPv6's default, used for both families

struct Release {
  void operator()(nl_addr* address) const { nl_addr_put(address); }
  void operator()(rtnl_route* route) const { rtnl_route_put(route); }
  void operator()(rtnl_rule* rule) const { rtnl_rule_put(rule); }
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
};
template <class T>
using Owned = std::unique_ptr<T, Release>;

// libnl numbers its errors itself; those that matter keep their errno.
int errno_of(int nl_error) {
  switch (std::abs(nl_error)) {
    case NLE_EXIST:
      return EEXIST;
    case NLE_OBJ_NOTFOUND:
      return ENOENT;
    case NLE_NODEV:
      return ENODEV;
    case NLE_PERM:
      return EPERM;
    default:
      return 0;
  }
}

std::unexpected<OsError> failed(int nl_error, const std::string& what) {
  const int number = errno_of(nl_error);
  return std::unexpected(OsError{number, number == 0 ? what + ": " + nl_geterror(nl_error) : what});
}

Owned<nl_addr> to_kernel(const Prefix& prefix) {
  const auto octets = prefix.address().octets();
  Owned<nl_addr> address(nl_addr_build(prefix.address().is_v4() ? AF_INET : AF_INET6, octets.data(), octets.size()));
  nl_addr_set_prefixlen(address.get(), prefix.length());
  return address;
}

std::optional<IpAddress> from_kernel(nl_addr* address) {
  if (address == nullptr) return std::nullopt;
  const auto* octets = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
  if (nl_addr_get_family(address) == AF_INET && nl_addr_get_len(address) == 4)
    return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
  if (nl_addr_get_family(address) != AF_INET6 || nl_addr_get_len(address) != 16) return std::nullopt;
  std::array<std::uint8_t, 16> v6{};
  std::copy_n(octets, v6.size(), v6.begin());
  return IpAddress::v6(v6);
}

Prefix destination_of(rtnl_route* route) {
  nl_addr* destination = rtnl_route_get_dst(route);
  const bool v4 = rtnl_route_get_family(route) == AF_INET;
  const auto address = from_kernel(destination).value_or(v4 ? IpAddress::v4({}) : IpAddress::v6({}));
  return Prefix::masked(address, static_cast<std::uint8_t>(nl_addr_get_prefixlen(destination)));
}

// RTAX_LOCK: without it the kernel forwards IPv6 by the interface's MTU, and a forged ICMP error may change IPv4's.
constexpr std::uint32_t kLockMtu = 1u << RTAX_MTU;
constexpr std::uint16_t kStrangersMtu = 1;  // no plan has it

std::uint16_t mtu_of(rtnl_route* route) {
  std::uint32_t mtu = 0, locked = 0;
  if (rtnl_route_get_metric(route, RTAX_MTU, &mtu) != 0) return 0;
  const bool lock = rtnl_route_get_metric(route, RTAX_LOCK, &locked) == 0 && locked == kLockMtu;
  return lock && mtu <= UINT16_MAX ? static_cast<std::uint16_t>(mtu) : kStrangersMtu;
}

// A kernel route of our tables as the plan would write it. One of a stranger's form gets an interface no plan has.
Route as_value(rtnl_route* route) {
  Route value{static_cast<RouteTable>(rtnl_route_get_table(route)), destination_of(route), {}, {}};
  if (rtnl_route_get_type(route) == RTN_UNREACHABLE) return value;
  std::array<char, IF_NAMESIZE> name{};
  rtnl_nexthop* hop = rtnl_route_get_nnexthops(route) == 1 ? rtnl_route_nexthop_n(route, 0) : nullptr;
  if (hop == nullptr || rtnl_route_get_type(route) != RTN_UNICAST) return value.interface = "?", value;
  const bool named = if_indextoname(static_cast<unsigned int>(rtnl_route_nh_get_ifindex(hop)), name.data()) != nullptr;
  value.interface = named ? name.data() : "?";
  value.via = from_kernel(rtnl_route_nh_get_gateway(hop));
  value.mtu = mtu_of(route);
  return value;
}

Owned<rtnl_route> to_kernel(const Route& route) {
  Owned<rtnl_route> out(rtnl_route_alloc());
  const bool v4 = route.destination.address().is_v4();
  rtnl_route_set_family(out.get(), v4 ? AF_INET : AF_INET6);
  rtnl_route_set_table(out.get(), static_cast<std::uint32_t>(route.table));
  rtnl_route_set_protocol(out.get(), kProtocol);
  rtnl_route_set_priority(out.get(), kMetric);
  rtnl_route_set_dst(out.get(), to_kernel(route.destination).get());
  rtnl_route_set_type(out.get(), route.interface.empty() ? RTN_UNREACHABLE : RTN_UNICAST);
  rtnl_route_set_scope(out.get(), v4 && !route.interface.empty() && !route.via ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  if (route.interface.empty()) return out;
  if (route.mtu != 0) {
    rtnl_route_set_metric(out.get(), RTAX_MTU, route.mtu);
    rtnl_route_set_metric(out.get(), RTAX_LOCK, kLockMtu);
  }
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(if_nametoindex(route.interface.c_str())));
  if (route.via) {
    // ONLINK: the plan says where the next hop is; it must not depend on which addresses the interface has today.
    rtnl_route_nh_set_gateway(hop, to_kernel(Prefix::host(*route.via)).get());
    rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  }
  rtnl_route_add_nexthop(out.get(), hop);
  return out;
}

std::string describe(const Route& route) {
  return "route " + route.destination.to_string() + " table " + std::to_string(static_cast<std::uint32_t>(route.table));
}

std::string describe(const RoutingRule& rule, int family) {
  return std::string("rule ") + (family == AF_INET ? "IPv4 " : "IPv6 ") + std::to_string(rule.priority);
}

template <class T>
std::vector<T> missing_from(const std::vector<T>& wanted, const std::vector<T>& present) {
  std::vector<T> missing;
  std::ranges::set_difference(wanted, present, std::back_inserter(missing));
  return missing;
}

// Which of the routes have an interface that is there and up.
class UsableLinks {
 public:
  bool carry(const Route& route) {
    if (route.interface.empty()) return true;
    if (const auto known = up_.find(route.interface); known != up_.end()) return known->second;
    const auto link = read_link(route.interface);
    return up_[route.interface] = link && link->up;
  }

 private:
  std::map<std::string, bool> up_;
};

Owned<rtnl_rule> to_kernel(const RoutingRule& rule, int family) {
  Owned<rtnl_rule> out(rtnl_rule_alloc());
  rtnl_rule_set_family(out.get(), family);
  rtnl_rule_set_prio(out.get(), rule.priority);
  rtnl_rule_set_protocol(out.get(), kProtocol);
  rtnl_rule_set_action(out.get(), rule.prohibit ? FR_ACT_PROHIBIT : FR_ACT_TO_TBL);
  if (!rule.prohibit) rtnl_rule_set_table(out.get(), static_cast<std::uint32_t>(rule.table));
  if (!rule.incoming_interface.empty()) rtnl_rule_set_iif(out.get(), rule.incoming_interface.c_str());
  if (rule.mark != 0) rtnl_rule_set_mark(out.get(), rule.mark), rtnl_rule_set_mask(out.get(), rule.mark);
  return out;
}

RoutingRule as_value(rtnl_rule* rule) {
  const char* interface = rtnl_rule_get_iif(rule);
  const bool prohibit = rtnl_rule_get_action(rule) == FR_ACT_PROHIBIT;
  return {rtnl_rule_get_prio(rule), interface == nullptr ? "" : interface, rtnl_rule_get_mark(rule),
          prohibit ? RouteTable{} : static_cast<RouteTable>(rtnl_rule_get_table(rule)), prohibit};
}

bool is_ours(rtnl_rule* rule) {
  std::uint8_t protocol = 0;
  (void)rtnl_rule_get_protocol(rule, &protocol);
  return protocol == kProtocol || policy::is_route_table(rtnl_rule_get_table(rule));
}

}  // namespace

void Routing::FreeSocket::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

OsResult<Routing> Routing::open() {
  std::unique_ptr<nl_sock, FreeSocket> socket(nl_socket_alloc());
  if (!socket) return std::unexpected(OsError{ENOMEM, "nl_socket_alloc"});
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
    return failed(error, "connect to rtnetlink");
  return Routing(std::move(socket));
}

OsResult<RoutingState> Routing::read() {
  RoutingState state;
  for (const int family : {AF_INET, AF_INET6}) {
    nl_cache* raw = nullptr;
    if (const int error = rtnl_route_alloc_cache(socket_.get(), family, 0, &raw); error < 0)
      return failed(error, "read routes");
    const Owned<nl_cache> cache(raw);
    for (nl_object* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object)) {
      auto* route = reinterpret_cast<rtnl_route*>(object);
      if (policy::is_route_table(rtnl_route_get_table(route))) state.routes.push_back(as_value(route));
    }
  }
  std::ranges::sort(state.routes);
  state.rules_v4 = TRY(read_rules(AF_INET));
  state.rules_v6 = TRY(read_rules(AF_INET6));
  return state;
}

OsResult<std::vector<RoutingRule>> Routing::read_rules(int family) {
  nl_cache* raw = nullptr;
  if (const int error = rtnl_rule_alloc_cache(socket_.get(), family, &raw); error < 0)
    return failed(error, "read routing rules");
  const Owned<nl_cache> cache(raw);
  std::vector<RoutingRule> rules;
  for (nl_object* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object))
    // libnl's dump has both families, whichever was asked for.
    if (auto* rule = reinterpret_cast<rtnl_rule*>(object); rtnl_rule_get_family(rule) == family && is_ours(rule))
      rules.push_back(as_value(rule));
  std::ranges::sort(rules);
  return rules;
}

OsResult<void> Routing::add(const Route& route) {
  if (route.via &&
      route.via->family() != route.destination.address().family())  // the kernel would take its first octets
    return std::unexpected(OsError{0, describe(route) + ": next hop of another family"});
  const int error = rtnl_route_add(socket_.get(), to_kernel(route).get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (error < 0) return failed(error, "add " + describe(route));
  return {};
}

OsResult<void> Routing::remove(const Route& route) {
  // Without metric and protocol, so that a stranger's choice of these cannot make it unremovable.
  Owned<rtnl_route> key(rtnl_route_alloc());
  rtnl_route_set_family(key.get(), route.destination.address().is_v4() ? AF_INET : AF_INET6);
  rtnl_route_set_table(key.get(), static_cast<std::uint32_t>(route.table));
  rtnl_route_set_protocol(key.get(), RTPROT_UNSPEC);
  rtnl_route_set_scope(key.get(), RT_SCOPE_NOWHERE);
  rtnl_route_set_dst(key.get(), to_kernel(route.destination).get());
  rtnl_route_set_type(key.get(), route.interface.empty() ? RTN_UNREACHABLE : RTN_UNICAST);
  if (const auto index = if_nametoindex(route.interface.c_str()); index != 0) {
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    rtnl_route_nh_set_ifindex(hop, static_cast<int>(index));
    rtnl_route_add_nexthop(key.get(), hop);
  }
  const int error = rtnl_route_delete(socket_.get(), key.get(), 0);
  if (error < 0 && error != -NLE_OBJ_NOTFOUND) return failed(error, "remove " + describe(route));
  return {};
}

OsResult<void> Routing::change_rule(const RoutingRule& rule, int family, bool present) {
  const auto kernel_rule = to_kernel(rule, family);
  if (!present) rtnl_rule_set_protocol(kernel_rule.get(), 0);
  const int error = present ? rtnl_rule_add(socket_.get(), kernel_rule.get(), NLM_F_CREATE | NLM_F_EXCL)
                            : rtnl_rule_delete(socket_.get(), kernel_rule.get(), 0);
  if (error < 0 && error != (present ? -NLE_EXIST : -NLE_OBJ_NOTFOUND))
    return failed(error, (present ? "add " : "remove ") + describe(rule, family));
  return {};
}

// Additions first: between, both the old and the new hold, and a prohibiting rule is never absent.
OsResult<void> Routing::change_rules(const std::vector<RoutingRule>& from, const std::vector<RoutingRule>& to,
                                     int family, Change& change) {
  for (const auto& rule : missing_from(to, from)) {
    if (auto added = change_rule(rule, family, true); !added) return added;
    change.repaired.push_back(describe(rule, family) + " missing");
  }
  for (const auto& rule : missing_from(from, to)) {
    if (auto removed = change_rule(rule, family, false); !removed) return removed;
    change.repaired.push_back(describe(rule, family) + " unwanted");
  }
  return {};
}

OsResult<std::vector<std::string>> Routing::differences(const RoutingState& wanted) {
  const auto present = TRY(read());
  std::vector<std::string> out;
  for (const auto& route : missing_from(wanted.routes, present.routes)) out.push_back(describe(route) + " missing");
  for (const auto& route : missing_from(present.routes, wanted.routes)) out.push_back(describe(route) + " unwanted");
  const auto compare = [&](const auto& from, const auto& to, int family) {
    for (const auto& rule : missing_from(to, from)) out.push_back(describe(rule, family) + " missing");
    for (const auto& rule : missing_from(from, to)) out.push_back(describe(rule, family) + " unwanted");
  };
  compare(present.rules_v4, wanted.rules_v4, AF_INET);
  compare(present.rules_v6, wanted.rules_v6, AF_INET6);
  return out;
}

OsResult<Routing::Change> Routing::apply(const RoutingState& wanted) {
  const auto present = TRY(read());
  Change change;
  UsableLinks links;
  auto missing = missing_from(wanted.routes, present.routes);
  const auto surplus = missing_from(present.routes, wanted.routes);
  std::ranges::stable_partition(missing, [](const Route& route) { return route.interface.empty(); });
  const auto first_open = std::ranges::find_if(missing, [](const Route& route) { return !route.interface.empty(); });
  const auto install = [&](auto begin, auto end) -> OsResult<void> {
    for (auto route = begin; route != end; ++route) {
      if (!links.carry(*route)) {
        change.waiting.push_back(describe(*route));
        continue;
      }
      if (auto added = add(*route); !added) return added;
      change.repaired.push_back(describe(*route) + " missing");
    }
    return {};
  };
  if (auto done = install(missing.begin(), first_open); !done) return std::unexpected(done.error());
  if (auto done = change_rules(present.rules_v4, wanted.rules_v4, AF_INET, change); !done)
    return std::unexpected(done.error());
  if (auto done = change_rules(present.rules_v6, wanted.rules_v6, AF_INET6, change); !done)
    return std::unexpected(done.error());
  for (const auto& route : surplus) {  // before the open ones: a destination that moves is unreachable between
    if (auto removed = remove(route); !removed) return std::unexpected(removed.error());
    change.repaired.push_back(describe(route) + " unwanted");
  }
  if (auto done = install(first_open, missing.end()); !done) return std::unexpected(done.error());
  return change;
}

OsResult<LinkState> read_link(const std::string& name) {
  std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) return std::unexpected(OsError{errno, "rtnetlink"});
  rtnl_link* raw = nullptr;
  if (const int error = rtnl_link_get_kernel(socket.get(), 0, name.c_str(), &raw); error < 0)
    return std::unexpected(OsError{ENODEV, "interface " + name});
  const Owned<rtnl_link> link(raw);
  return LinkState{static_cast<unsigned int>(rtnl_link_get_ifindex(raw)), (rtnl_link_get_flags(raw) & IFF_UP) != 0,
                   rtnl_link_get_mtu(raw)};
}

OsResult<void> set_link(const std::string& name, unsigned int mtu, bool up) {
  std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) return std::unexpected(OsError{errno, "rtnetlink"});
  const auto now = TRY(read_link(name));
  if (now.mtu == mtu && now.up == up) return {};
  const Owned<rtnl_link> origin(rtnl_link_alloc());
  const Owned<rtnl_link> change(rtnl_link_alloc());
  rtnl_link_set_ifindex(origin.get(), static_cast<int>(now.index));
  rtnl_link_set_mtu(change.get(), mtu);
  up ? rtnl_link_set_flags(change.get(), IFF_UP) : rtnl_link_unset_flags(change.get(), IFF_UP);
  if (const int error = rtnl_link_change(socket.get(), origin.get(), change.get(), 0); error < 0)
    return failed(error, "set interface " + name);
  return {};
}

}  // namespace gateway::os
