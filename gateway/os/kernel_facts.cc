#include "gateway/os/kernel_facts.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/lwtunnel.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "gateway/os/netlink_socket.h"

namespace gateway::os {
namespace {

using config::value::Family;
using config::value::IpAddress;
using config::value::Prefix;
using policy::KernelHop;
using policy::KernelRoute;
using policy::KernelRule;

constexpr int kAnswerMilliseconds = 5000;
constexpr int kMostTries = 5;                 // of a dump that something changed meanwhile
constexpr std::uint16_t kLinkXdp = 43;        // IFLA_XDP
constexpr std::uint16_t kXdpAttached = 2;     // IFLA_XDP_ATTACHED
constexpr std::uint16_t kNextHopObject = 30;  // RTA_NH_ID
constexpr std::uint16_t kLastKnownRule = 24;  // FRA_DPORT_RANGE

using Octets = std::span<const std::uint8_t>;

// The attributes of a message, or those inside of one. Each type once: the last counts.
class Attributes {
 public:
  explicit Attributes(Octets octets) {
    const auto* at = reinterpret_cast<const nlattr*>(octets.data());
    auto left = static_cast<int>(octets.size());
    while (mnl_attr_ok(at, left)) {
      const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(at));
      all_[mnl_attr_get_type(at)] = Octets(payload, mnl_attr_get_payload_len(at));
      left -= static_cast<int>(MNL_ALIGN(at->nla_len));
      at = mnl_attr_next(at);
    }
  }
  [[nodiscard]] bool has(std::uint16_t type) const { return all_.contains(type); }
  [[nodiscard]] Octets octets(std::uint16_t type) const {
    const auto found = all_.find(type);
    return found == all_.end() ? Octets() : found->second;
  }
  [[nodiscard]] std::optional<std::uint32_t> number(std::uint16_t type) const {
    const Octets found = octets(type);
    std::uint32_t out = 0;
    if (found.size() != sizeof out) return std::nullopt;
    std::memcpy(&out, found.data(), sizeof out);
    return out;
  }
  [[nodiscard]] std::string text(std::uint16_t type) const {
    const Octets found = octets(type);
    const auto* text = reinterpret_cast<const char*>(found.data());
    return found.empty() ? "" : std::string(text, strnlen(text, found.size()));
  }
  [[nodiscard]] std::optional<IpAddress> address(std::uint16_t type) const { return address_of(octets(type)); }
  [[nodiscard]] std::uint16_t highest() const { return all_.empty() ? std::uint16_t{0} : all_.rbegin()->first; }

  static std::optional<IpAddress> address_of(Octets octets) {
    if (octets.size() == 4) return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
    if (octets.size() != 16) return std::nullopt;
    std::array<std::uint8_t, 16> v6{};
    std::memcpy(v6.data(), octets.data(), v6.size());
    return IpAddress::v6(v6);
  }

 private:
  std::map<std::uint16_t, Octets> all_;
};

template <class Header>
std::optional<std::pair<Header, Attributes>> parts(const nlmsghdr& message) {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(Header)) return std::nullopt;
  Header header{};
  std::memcpy(&header, mnl_nlmsg_get_payload(&message), sizeof header);
  const auto* begin = static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload_offset(&message, sizeof(Header)));
  const auto* end = static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload_tail(&message));
  return std::pair(header, Attributes(begin < end ? Octets(begin, end) : Octets()));
}

class Dump {
 public:
  static OsResult<Dump> open() {
    Dump dump;
    dump.socket_ = TRY(open_netlink(NETLINK_ROUTE, {}));
    return dump;
  }

  // All messages of one question. Something changed in between: asked again, and `begin` is called first.
  template <class Header, class Take>
  OsResult<void> ask(std::uint16_t type, std::uint8_t family, auto begin, Take take) {
    Header about{};
    std::memcpy(&about, &family, sizeof family);  // it is first in each of them
    return ask_about(type, about, begin, take);
  }
  template <class Header, class Take>
  OsResult<void> ask_about(std::uint16_t type, const Header& about, auto begin, Take take) {
    for (int i = 0; i < kMostTries; ++i) {
      begin();
      const auto whole = ask_once(type, about, take);
      if (!whole) return std::unexpected(whole.error());
      if (*whole) return {};
    }
    return std::unexpected(OsError{EAGAIN, "rtnetlink changes while it is read"});
  }

 private:
  template <class Header>
  OsResult<bool> ask_once(std::uint16_t type, const Header& about, auto take) {
    alignas(nlmsghdr) std::array<char, 256> question{};
    nlmsghdr* header = mnl_nlmsg_put_header(question.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++sequence_;
    std::memcpy(mnl_nlmsg_put_extra_header(header, sizeof about), &about, sizeof about);
    if (send(socket_.number(), header, header->nlmsg_len, 0) < 0) return failed("ask rtnetlink");
    bool whole = true;
    for (;;) {
      pollfd readable{socket_.number(), POLLIN, 0};
      if (poll(&readable, 1, kAnswerMilliseconds) <= 0) return std::unexpected(OsError{ETIMEDOUT, "rtnetlink"});
      alignas(nlmsghdr) static std::array<char, 1 << 18> octets;
      const auto got = recv(socket_.number(), octets.data(), octets.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("read rtnetlink");
      auto left = static_cast<int>(got);
      for (auto* message = reinterpret_cast<const nlmsghdr*>(octets.data()); mnl_nlmsg_ok(message, left);
           message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_seq != sequence_) continue;
        if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) whole = false;
        if (message->nlmsg_type == NLMSG_DONE) return whole;
        if (message->nlmsg_type == NLMSG_ERROR) return refused(*message);
        take(*message);
      }
    }
  }

  static std::unexpected<OsError> failed(const char* what) { return std::unexpected(OsError{errno, what}); }
  static std::unexpected<OsError> refused(const nlmsghdr& message) {
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
    const bool there = mnl_nlmsg_get_payload_len(&message) >= sizeof(nlmsgerr);
    return std::unexpected(OsError{there ? -error->error : EPROTO, "rtnetlink"});
  }

  FileDescriptor socket_;
  std::uint32_t sequence_ = 0;
};

class Names {
 public:
  void add(std::uint32_t index, const std::string& name) { all_[index] = name; }
  void clear() { all_.clear(); }
  [[nodiscard]] std::string of(std::uint32_t index) const {
    const auto found = all_.find(index);
    return found == all_.end() ? "if" + std::to_string(index) : found->second;
  }

 private:
  std::map<std::uint32_t, std::string> all_;
};

void take_link(const nlmsghdr& message, core::KernelState& state, Names& names,
               std::map<std::string, std::uint32_t>& masters) {
  const auto all = parts<ifinfomsg>(message);
  if (!all || message.nlmsg_type != RTM_NEWLINK) return;
  const auto& [header, attributes] = *all;
  core::KernelLink link;
  link.name = attributes.text(IFLA_IFNAME);
  link.index = static_cast<std::uint32_t>(header.ifi_index);
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.mtu = attributes.number(IFLA_MTU).value_or(0);
  if (const auto master = attributes.number(IFLA_MASTER)) masters[link.name] = *master;
  if (const Octets xdp = Attributes(attributes.octets(kLinkXdp)).octets(kXdpAttached); !xdp.empty() && xdp[0] != 0)
    link.disciplines.emplace_back("XDP program");
  names.add(link.index, link.name);
  state.links.push_back(std::move(link));
}

struct Discipline {
  int interface = 0;
  std::uint32_t handle = 0;
  std::string kind;
};

void take_discipline(const nlmsghdr& message, std::vector<Discipline>& disciplines) {
  const auto all = parts<tcmsg>(message);
  if (!all || message.nlmsg_type != RTM_NEWQDISC) return;
  disciplines.push_back({all->first.tcm_ifindex, all->first.tcm_handle, all->second.text(TCA_KIND)});
}

// "filter u32": what hangs on one queue; it may send a packet elsewhere (mirred), past every rule.
OsResult<std::set<std::string>> filters_of(Dump& dump, const Discipline& queue) {
  std::set<std::string> found;
  tcmsg about{};
  about.tcm_family = AF_UNSPEC, about.tcm_ifindex = queue.interface, about.tcm_parent = queue.handle;
  TRY(dump.ask_about(
      RTM_GETTFILTER, about, [&] { found.clear(); },
      [&](const nlmsghdr& message) {
        const auto all = parts<tcmsg>(message);
        if (all && message.nlmsg_type == RTM_NEWTFILTER) found.insert("filter " + all->second.text(TCA_KIND));
      }));
  return found;
}

// Of every link the queues that see a packet before any rule; of `interfaces` the filters of all their queues.
OsResult<void> read_disciplines(Dump& dump, const std::vector<std::string>& interfaces, core::KernelState& state) {
  std::vector<Discipline> disciplines;
  TRY(dump.ask<tcmsg>(
      RTM_GETQDISC, AF_UNSPEC, [&] { disciplines.clear(); },
      [&](const nlmsghdr& message) { take_discipline(message, disciplines); }));
  for (core::KernelLink& link : state.links) {
    const bool asked = std::ranges::find(interfaces, link.name) != interfaces.end();
    std::set<std::string> filters;
    for (const Discipline& each : disciplines) {
      if (static_cast<std::uint32_t>(each.interface) != link.index) continue;
      if (each.kind == "ingress" || each.kind == "clsact") link.disciplines.push_back("qdisc " + each.kind);
      if (asked) filters.merge(TRY(filters_of(dump, each)));
    }
    link.disciplines.insert(link.disciplines.end(), filters.begin(), filters.end());
  }
  return {};
}

void take_address(const nlmsghdr& message, core::KernelState& state, const Names& names) {
  const auto all = parts<ifaddrmsg>(message);
  if (!all || message.nlmsg_type != RTM_NEWADDR) return;
  const auto& [header, attributes] = *all;
  auto address = attributes.address(IFA_LOCAL);
  if (!address) address = attributes.address(IFA_ADDRESS);
  if (address) state.addresses.push_back({names.of(header.ifa_index), *address, header.ifa_prefixlen});
}

IpAddress any_of(bool v4) {
  return v4 ? IpAddress::v4({}) : IpAddress::v6({});
}

KernelRoute::Type type_of(std::uint8_t type) {
  switch (type) {
    case RTN_UNICAST:
      return KernelRoute::Type::kUnicast;
    case RTN_LOCAL:
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
      return KernelRoute::Type::kLocal;
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
      return KernelRoute::Type::kNowhere;
    case RTN_THROW:
      return KernelRoute::Type::kThrow;
    default:
      return KernelRoute::Type::kOther;
  }
}

std::optional<IpAddress> via_of(const Attributes& attributes) {
  if (auto gateway = attributes.address(RTA_GATEWAY)) return gateway;
  const Octets via = attributes.octets(RTA_VIA);  // rtvia: a family, then the address
  return via.size() > 2 ? Attributes::address_of(via.subspan(2)) : std::nullopt;
}

bool is_dead(std::uint32_t flags) {
  return (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0;
}

void take_hops(Octets octets, const Names& names, KernelRoute& route) {
  while (octets.size() >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    std::memcpy(&hop, octets.data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > octets.size()) return;
    const Attributes own(octets.subspan(sizeof hop, hop.rtnh_len - sizeof hop));
    if (!is_dead(hop.rtnh_flags))
      route.hops.push_back({names.of(static_cast<std::uint32_t>(hop.rtnh_ifindex)), via_of(own)});
    if (own.has(RTA_ENCAP)) route.plain = false;
    const std::size_t step = std::min<std::size_t>(octets.size(), (hop.rtnh_len + 3u) & ~3u);
    octets = octets.subspan(step);
  }
}

void take_route(const nlmsghdr& message, core::KernelState& state, const Names& names) {
  const auto all = parts<rtmsg>(message);
  if (!all || message.nlmsg_type != RTM_NEWROUTE || (all->first.rtm_flags & RTM_F_CLONED) != 0) return;
  const auto& [header, attributes] = *all;
  const bool v4 = header.rtm_family == AF_INET;
  if (!v4 && header.rtm_family != AF_INET6) return;
  KernelRoute route;
  route.table = attributes.number(RTA_TABLE).value_or(header.rtm_table);
  route.destination = Prefix::masked(attributes.address(RTA_DST).value_or(any_of(v4)), header.rtm_dst_len);
  route.metric = attributes.number(RTA_PRIORITY).value_or(0);
  route.type = type_of(header.rtm_type);
  route.plain = header.rtm_src_len == 0 && header.rtm_tos == 0 && !attributes.has(RTA_ENCAP);
  const Attributes metrics(attributes.octets(RTA_METRICS));
  route.mtu = metrics.number(RTAX_MTU).value_or(0);
  if (attributes.has(RTA_MULTIPATH))
    take_hops(attributes.octets(RTA_MULTIPATH), names, route);
  else if (const auto interface = attributes.number(RTA_OIF); interface && !is_dead(header.rtm_flags))
    route.hops.push_back({names.of(*interface), via_of(attributes)});
  if (route.type == KernelRoute::Type::kNowhere) route.hops.clear();  // IPv6 names lo
  // By a next-hop object, which is not read (net.ipv4.nexthop_compat_mode 0): it may lead anywhere.
  const bool by_object = route.hops.empty() && attributes.has(kNextHopObject) && !is_dead(header.rtm_flags);
  if (route.type == KernelRoute::Type::kUnicast && by_object) route.type = KernelRoute::Type::kOther;
  if (route.type == KernelRoute::Type::kUnicast && route.hops.empty()) return;  // its line is down
  // Without the lock an error of somebody's may change it (gateway/os/routing.cc).
  if (route.mtu != 0 && (metrics.number(RTAX_LOCK).value_or(0) & (1u << RTAX_MTU)) == 0)
    route.mtu += policy::kNotLocked;
  if (route.type == KernelRoute::Type::kOther && by_object) {
    route.plain = false;
    route.text = policy::to_text(route) + " nhid " + std::to_string(attributes.number(kNextHopObject).value_or(0));
  } else if (!route.plain)
    route.text = policy::to_text(route) + " (by its source, its type of service, or in a tunnel)";
  state.routes.routes.push_back(std::move(route));
}

KernelRule::Action action_of(std::uint8_t action) {
  switch (action) {
    case FR_ACT_TO_TBL:
      return KernelRule::Action::kLookUp;
    case FR_ACT_GOTO:
      return KernelRule::Action::kGoto;
    case FR_ACT_NOP:
      return KernelRule::Action::kNothing;
    case FR_ACT_BLACKHOLE:
    case FR_ACT_UNREACHABLE:
    case FR_ACT_PROHIBIT:
      return KernelRule::Action::kNowhere;
    default:
      return KernelRule::Action::kOther;
  }
}

// What it asks for besides what KernelRule holds.
std::string more_of(const fib_rule_hdr& header, const Attributes& attributes) {
  std::string out;
  const auto add = [&](bool there, const char* word) { out += there ? std::string(" ") + word : ""; };
  add(attributes.has(FRA_L3MDEV) && !attributes.octets(FRA_L3MDEV).empty() && attributes.octets(FRA_L3MDEV)[0] != 0,
      "l3mdev");
  add(header.tos != 0, "tos");
  add(attributes.has(FRA_TUN_ID), "tun_id");
  add(attributes.has(FRA_UID_RANGE), "uidrange");
  add(attributes.octets(FRA_IP_PROTO).size() == 1 && attributes.octets(FRA_IP_PROTO)[0] != 0, "ipproto");
  add(attributes.has(FRA_SPORT_RANGE), "sport");
  add(attributes.has(FRA_DPORT_RANGE), "dport");
  add(attributes.has(FRA_SUPPRESS_IFGROUP), "suppress_ifgroup");
  add(attributes.highest() > kLastKnownRule, "and more");
  return out;
}

void take_rule(const nlmsghdr& message, core::KernelState& state) {
  const auto all = parts<fib_rule_hdr>(message);
  if (!all || message.nlmsg_type != RTM_NEWRULE) return;
  const auto& [header, attributes] = *all;
  const bool v4 = header.family == AF_INET;
  if (!v4 && header.family != AF_INET6) return;
  KernelRule rule;
  rule.family = v4 ? Family::kV4 : Family::kV6;
  rule.priority = attributes.number(FRA_PRIORITY).value_or(0);
  rule.inverted = (header.flags & FIB_RULE_INVERT) != 0;
  rule.from = Prefix::masked(attributes.address(FRA_SRC).value_or(any_of(v4)), header.src_len);
  rule.to = Prefix::masked(attributes.address(FRA_DST).value_or(any_of(v4)), header.dst_len);
  rule.incoming = attributes.text(FRA_IIFNAME);
  rule.outgoing = attributes.text(FRA_OIFNAME);
  rule.mark = attributes.number(FRA_FWMARK).value_or(0);
  rule.mask = attributes.number(FRA_FWMASK).value_or(rule.mark == 0 ? 0 : UINT32_MAX);
  rule.action = action_of(header.action);
  if (rule.action == KernelRule::Action::kLookUp) rule.table = attributes.number(FRA_TABLE).value_or(header.table);
  rule.target = attributes.number(FRA_GOTO).value_or(0);
  rule.suppressed = static_cast<std::int32_t>(attributes.number(FRA_SUPPRESS_PREFIXLEN).value_or(UINT32_MAX));
  if (const std::string more = more_of(header, attributes); !more.empty()) {
    rule.plain = false;
    if (more.starts_with(" l3mdev")) rule.action = KernelRule::Action::kOther;
    rule.text = policy::to_text(rule) + more;
  }
  state.routes.rules.push_back(std::move(rule));
}

}  // namespace

OsResult<std::vector<std::pair<std::string, std::string>>> legacy_tables(const std::string& directory) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string family : {"ip", "ip6"}) {
    const std::string path = directory + "/" + family + "_tables_names";
    errno = 0;
    std::ifstream names(path);
    if (!names && errno == ENOENT) continue;
    if (!names) return std::unexpected(OsError{errno, path});
    for (std::string name; std::getline(names, name);)
      if (!name.empty()) out.emplace_back(family, name);
  }
  return out;
}

OsResult<void> read_kernel_facts(core::KernelState& state, const std::vector<std::string>& interfaces) {
  auto dump = TRY(Dump::open());
  Names names;
  std::map<std::string, std::uint32_t> masters;
  TRY(dump.ask<ifinfomsg>(
      RTM_GETLINK, AF_UNSPEC, [&] { state.links.clear(), names.clear(), masters.clear(); },
      [&](const nlmsghdr& message) { take_link(message, state, names, masters); }));
  for (core::KernelLink& link : state.links)
    if (const auto master = masters.find(link.name); master != masters.end()) link.master = names.of(master->second);
  TRY(read_disciplines(dump, interfaces, state));
  TRY(dump.ask<ifaddrmsg>(
      RTM_GETADDR, AF_UNSPEC, [&] { state.addresses.clear(); },
      [&](const nlmsghdr& message) { take_address(message, state, names); }));
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    const std::size_t routes = state.routes.routes.size(), rules = state.routes.rules.size();
    TRY(dump.ask<rtmsg>(
        RTM_GETROUTE, family, [&] { state.routes.routes.resize(routes); },
        [&](const nlmsghdr& message) { take_route(message, state, names); }));
    TRY(dump.ask<fib_rule_hdr>(
        RTM_GETRULE, family, [&] { state.routes.rules.resize(rules); },
        [&](const nlmsghdr& message) { take_rule(message, state); }));
  }
  return {};
}

}  // namespace gateway::os
