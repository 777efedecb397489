// One table of wanted values serves the setting and the check.
#include "gateway/daemon/netd_sysctls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <optional>

#include "gateway/core/messages.h"
#include "gateway/os/sysctl.h"

namespace gateway::daemon {
namespace {

using os::OsResult;

struct Wanted {
  std::string path;
  std::string value;
};

void add_common(std::vector<Wanted>& wanted, const std::string& interface) {
  const std::string v4 = "net/ipv4/conf/" + interface + "/", v6 = "net/ipv6/conf/" + interface + "/";
  for (const char* name : {"accept_redirects", "send_redirects", "accept_source_route"})
    wanted.push_back({v4 + name, "0"});
  wanted.push_back({v6 + "accept_redirects", "0"});
  wanted.push_back({v6 + "accept_source_route", "0"});
}

std::vector<Wanted> wanted_settings(const policy::Plan& plan) {
  const std::string tunnel = policy::kTunnelInterface;
  std::vector<Wanted> wanted;
  // The kernel takes "all OR own" for sending redirects and source routes, so "all" must be off as well.
  for (const auto& interface : {std::string("all"), tunnel, plan.inside_interface, plan.outside_interface})
    add_common(wanted, interface);
  wanted.push_back({"net/ipv4/conf/" + tunnel + "/rp_filter", "1"});  // facility sources have their route by iif lo
  // Between two tunnels the way back is judged as "from sekisho0": only with the exchange mark does it find table 7103.
  wanted.push_back({"net/ipv4/conf/" + tunnel + "/src_valid_mark", "1"});
  wanted.push_back({"net/ipv4/conf/" + tunnel + "/route_localnet", "0"});
  wanted.push_back({"net/ipv4/conf/" + tunnel + "/accept_local", "0"});
  // Towards the carrier the gateway answers for itself alone; inside an operator may want otherwise.
  wanted.push_back({"net/ipv4/conf/" + plan.outside_interface + "/proxy_arp", "0"});
  wanted.push_back({"net/ipv6/conf/" + plan.outside_interface + "/proxy_ndp", "0"});
  wanted.push_back({"net/ipv6/conf/" + tunnel + "/disable_ipv6", "0"});
  wanted.push_back(
      {"net/ipv6/conf/" + tunnel + "/addr_gen_mode", "1"});  // none: the gateway says nothing of its own there
  wanted.push_back({"net/ipv6/conf/" + tunnel + "/accept_ra", "0"});
  // Of the carrier's router advertisements the default route alone: a prefix "on link" or a route (RFC 4861 4.6.2, RFC
  // 4191) to the inside would be taken without a question, and what the gateway sends there would leave in clear.
  for (const char* name : {"accept_ra_pinfo", "accept_ra_rt_info_max_plen"})
    wanted.push_back({"net/ipv6/conf/" + plan.outside_interface + "/" + name, "0"});
  return wanted;
}

// A kernel without IPv6, or an interface that is not there yet: it is set when it comes.
OsResult<void> write_if_there(const Wanted& wanted) {
  auto written = os::write_sysctl(wanted.path, wanted.value);
  if (!written && written.error().number == ENOENT) return {};
  return written;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = os::read_sysctl(path);
  std::uint64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

// IPv6 from the tunnels and from outside is joined by conntrack, in a queue of its own; ip6frag is the host's.
constexpr std::array kQueueSizes{"net/ipv4/ipfrag_high_thresh", "net/netfilter/nf_conntrack_frag6_high_thresh",
                                 "net/ipv6/ip6frag_high_thresh"};
constexpr std::array kQueueTimes{"net/ipv4/ipfrag_time", "net/netfilter/nf_conntrack_frag6_timeout",
                                 "net/ipv6/ip6frag_time"};
constexpr std::uint64_t kQueueOctets = 32 << 20;
constexpr std::uint64_t kQueueSeconds = 10;

std::vector<Wanted> interface_forwarding(bool on, const policy::Plan& plan) {
  std::vector<Wanted> out;
  for (const auto& interface : {std::string(policy::kTunnelInterface), plan.inside_interface, plan.outside_interface})
    out.push_back({"net/ipv4/conf/" + interface + "/forwarding", on ? "1" : "0"});
  return out;
}

// What counts beside an interface's own and is the host's: told where it is set, and not set by us.
std::vector<core::KernelParameter> of_the_host(const policy::Plan& plan) {
  std::vector<core::KernelParameter> out;
  const auto tell = [&out](const std::string& path, const char* bad, const char* wanted) {
    if (auto now = os::read_sysctl(path); now && (bad == nullptr ? *now != wanted : *now == bad))
      out.push_back({path, *std::move(now), wanted, false});
  };
  tell("net/ipv4/conf/all/rp_filter", "2", "0 or 1");  // the larger of "all" and the interface's own
  for (const char* name : {"proxy_arp", "route_localnet", "accept_local"})  // "all OR own"
    tell(std::string("net/ipv4/conf/all/") + name, nullptr, "0");
  tell("net/ipv6/conf/all/proxy_ndp", nullptr, "0");
  for (const auto& interface : {std::string(policy::kTunnelInterface), plan.inside_interface, plan.outside_interface})
    tell("net/ipv6/conf/" + interface + "/force_forwarding", nullptr, "0");  // Linux 6.17
  return out;
}

constexpr std::array kForwarding{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"};

std::vector<core::KernelParameter> set_by_us(const policy::Plan& plan, bool forwarding) {
  std::vector<core::KernelParameter> out;
  auto wanted = wanted_settings(plan);
  for (const char* path : kForwarding) wanted.push_back({path, forwarding ? "1" : "0"});
  for (auto& each : interface_forwarding(forwarding, plan)) wanted.push_back(std::move(each));
  for (const auto& one : wanted)
    if (auto now = os::read_sysctl(one.path)) out.push_back({one.path, *std::move(now), one.value});
  return out;
}

}  // namespace

OsResult<void> prepare_interfaces(const policy::Plan& plan) {
  for (const auto& wanted : wanted_settings(plan))
    if (auto written = write_if_there(wanted); !written) return written;
  return {};
}

void widen_fragment_queues() {
  for (const char* path : kQueueSizes)
    if (const auto now = read_number(path); now && *now < kQueueOctets)
      (void)os::write_sysctl(path, std::to_string(kQueueOctets));
  for (const char* path : kQueueTimes)
    if (const auto now = read_number(path); now && *now > kQueueSeconds)
      (void)os::write_sysctl(path, std::to_string(kQueueSeconds));
}

void reserve_ports(const policy::Plan& plan) {
  constexpr const char* kReserved = "net/ipv4/ip_local_reserved_ports";
  auto reserved = os::read_sysctl(kReserved);
  if (!reserved || reserved->size() >= os::kLongestSysctl - 1) return;  // cut: writing it back would lose the rest
  // The kernel keeps a set: what stands there twice is there once.
  for (const auto& socket : core::sockets_of(plan))
    if (socket.address.port != 0) *reserved += (reserved->empty() ? "" : ",") + std::to_string(socket.address.port);
  (void)os::write_sysctl(kReserved, *reserved);
}

OsResult<void> set_forwarding(bool on, const std::string& outside_interface) {
  const std::string accept_ra = "net/ipv6/conf/" + outside_interface + "/accept_ra";
  if (const auto now = os::read_sysctl(accept_ra); on && now && *now == "1")
    if (auto kept = os::write_sysctl(accept_ra, "2"); !kept) return kept;
  OsResult<void> result{};
  for (const char* path : kForwarding)  // both, also when the first fails: off means off
    if (auto written = write_if_there({path, on ? "1" : "0"}); !written) result = written;
  return result;
}

OsResult<void> set_interface_forwarding(bool on, const policy::Plan& plan) {
  for (const auto& wanted : interface_forwarding(on, plan))
    if (auto written = write_if_there(wanted); !written) return written;
  return {};
}

std::vector<core::KernelParameter> parameters(const policy::Plan& plan, bool forwarding) {
  auto out = set_by_us(plan, forwarding);
  std::ranges::move(of_the_host(plan), std::back_inserter(out));
  return out;
}

std::vector<std::string> wrong_sysctls(const policy::Plan& plan, bool forwarding) {
  std::vector<std::string> wrong;
  for (const auto& one : set_by_us(plan, forwarding))
    if (one.value != one.wanted) wrong.push_back("sysctl " + one.path + " is " + one.value + ", not " + one.wanted);
  return wrong;
}

}  // namespace gateway::daemon
