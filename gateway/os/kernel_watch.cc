// A transaction arrives as its changes, then one NEWGEN that names the process. Ours are told apart by our own pid.
#include "gateway/os/kernel_watch.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include "gateway/os/netlink_socket.h"
#include "policy/plan.h"

namespace gateway::os {
namespace {

constexpr std::string_view kTable = "sekisho";
constexpr std::uint16_t kTableAttribute =
    1;  // NFTA_TABLE_NAME = NFTA_RULE_TABLE = NFTA_CHAIN_TABLE = NFTA_SET_TABLE = …

// Calls `take` for each well-formed message that is there. False when the kernel says that some were lost.
template <class Take>
bool read_messages(int socket, Take take) {
  alignas(nlmsghdr) static std::array<char, 1 << 18> octets;
  for (;;) {
    const auto got = recv(socket, octets.data(), octets.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno != ENOBUFS;
    auto left = static_cast<int>(got);
    for (auto* header = reinterpret_cast<const nlmsghdr*>(octets.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left))
      take(*header);
  }
}

const nlattr* find_attribute(const nlmsghdr& message, std::size_t header_size, std::uint16_t type) {
  if (mnl_nlmsg_get_payload_len(&message) < header_size) return nullptr;
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, header_size));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    if (mnl_attr_get_type(attribute) == type) return attribute;
    attribute = mnl_attr_next(attribute);
  }
  return nullptr;
}

std::string_view text_of(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, strnlen(text, mnl_attr_get_payload_len(attribute))};
}

std::optional<std::uint32_t> number_of(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != 4) return std::nullopt;
  return mnl_attr_get_u32(attribute);
}

bool touches_routing(const nlmsghdr& message) {
  const bool route = message.nlmsg_type == RTM_NEWROUTE || message.nlmsg_type == RTM_DELROUTE;
  if (!route) return true;  // rules, links and addresses are few
  const auto table = number_of(find_attribute(message, sizeof(rtmsg), RTA_TABLE));
  return table && policy::is_route_table(*table);
}

std::string name_of_process(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

}  // namespace

OsResult<KernelWatch> KernelWatch::open() {
  static constexpr std::array<unsigned int, 1> kNftables{NFNLGRP_NFTABLES};
  static constexpr std::array<unsigned int, 7> kRouting{RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                                        RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                                                        RTNLGRP_IPV6_RULE};
  auto nftables = TRY(open_netlink(NETLINK_NETFILTER, kNftables));
  auto routing = TRY(open_netlink(NETLINK_ROUTE, kRouting));
  return KernelWatch(std::move(nftables), std::move(routing));
}

KernelChanges KernelWatch::drain() {
  KernelChanges changes;
  drain_nftables(changes);
  drain_routing(changes);
  return changes;
}

OsResult<void> KernelWatch::hear_nftables(bool on) {
  constexpr unsigned int kGroup = NFNLGRP_NFTABLES;
  table_touched_ = false;  // of a transaction whose end is not heard, or whose begin was not
  last_touched_.clear();
  if (setsockopt(nftables_.number(), SOL_NETLINK, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &kGroup,
                 sizeof kGroup) == 0)
    return {};
  return std::unexpected(OsError{errno, "watch of nftables"});
}

void KernelWatch::drain_nftables(KernelChanges& changes) {
  const bool whole = read_messages(nftables_.number(), [&](const nlmsghdr& message) {
    if ((message.nlmsg_type >> 8) != NFNL_SUBSYS_NFTABLES) return;
    if ((message.nlmsg_type & 0xff) != NFT_MSG_NEWGEN) {
      last_touched_ = text_of(find_attribute(message, sizeof(nfgenmsg), kTableAttribute));
      table_touched_ |= last_touched_ == kTable;
      return;
    }
    const auto pid = number_of(find_attribute(message, sizeof(nfgenmsg), NFTA_GEN_PROC_PID));
    const core::KernelWriter writer{
        pid ? ntohl(*pid) : 0, std::string(text_of(find_attribute(message, sizeof(nfgenmsg), NFTA_GEN_PROC_NAME)))};
    const bool touched = std::exchange(table_touched_, false);
    if (writer.pid == static_cast<std::uint32_t>(getpid())) return;
    if (touched) changes.rules = true, changes.rules_by = writer;
    if (!touched) changes.elsewhere = true;
    changes.writers.push_back({touched ? std::string(kTable) : last_touched_, writer});
  });
  changes.rules |= !whole, changes.elsewhere |= !whole;
}

void KernelWatch::drain_routing(KernelChanges& changes) {
  std::uint32_t last = 0;  // another process that wrote; of thousands of messages it is looked for once
  const bool whole = read_messages(routing_.number(), [&](const nlmsghdr& message) {
    // Sockets of one process that come after its first have other bits above (libnl).
    const std::uint32_t pid = message.nlmsg_pid & 0x3fffff;
    const bool by_us = pid == static_cast<std::uint32_t>(getpid());
    const bool touches = touches_routing(message);
    changes.routing |= touches;
    changes.elsewhere |= !touches && !by_us;
    if (!by_us && pid != 0) last = pid;
  });
  if (last != 0) changes.routing_by = {last, name_of_process(last)};
  changes.routing |= !whole, changes.elsewhere |= !whole;
}

}  // namespace gateway::os
