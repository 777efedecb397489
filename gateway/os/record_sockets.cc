// nfnetlink_conntrack groups and one nfnetlink_log binding.
#include "gateway/os/record_sockets.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "gateway/os/netlink_socket.h"
#include "gateway/os/sysctl.h"

namespace gateway::os {
namespace {

constexpr std::uint32_t kCopiedOctets = 128;
constexpr std::uint32_t kFlushHundredths = 10;  // NFULNL_CFG_TIMEOUT: a refusal is seen within 100 ms
constexpr std::uint32_t kLogBuffer = 128 * 1024;
constexpr int kAnswerMilliseconds = 2000;

nlmsghdr* put_config(std::span<char> buffer, std::uint16_t group) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  family->nfgen_family = AF_UNSPEC;
  family->version = NFNETLINK_V0;
  family->res_id = htons(group);
  return header;
}

// The errno the kernel answered with, 0 for success. A logged packet may already come between.
int exchange(int socket, const nlmsghdr* request) {
  if (send(socket, request, request->nlmsg_len, 0) < 0) return errno;
  std::array<char, 65536> octets;
  for (;;) {
    pollfd readable{socket, POLLIN, 0};
    if (poll(&readable, 1, kAnswerMilliseconds) <= 0) return ETIMEDOUT;
    const auto got = recv(socket, octets.data(), octets.size(), 0);
    if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return got < 0 ? errno : EPROTO;
    const auto* header = reinterpret_cast<const nlmsghdr*>(octets.data());
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
  }
}

int bind_group(int socket, std::uint16_t group) {
  alignas(nlmsghdr) std::array<char, 512> buffer{};
  nlmsghdr* header = put_config(buffer, group);
  const nfulnl_msg_config_cmd command{NFULNL_CFG_CMD_BIND};
  mnl_attr_put(header, NFULA_CFG_CMD, sizeof command, &command);
  return exchange(socket, header);
}

int configure_group(int socket, std::uint16_t group) {
  alignas(nlmsghdr) std::array<char, 512> buffer{};
  nlmsghdr* header = put_config(buffer, group);
  nfulnl_msg_config_mode mode{};
  mode.copy_range = htonl(kCopiedOctets);
  mode.copy_mode = NFULNL_COPY_PACKET;
  mnl_attr_put(header, NFULA_CFG_MODE, sizeof mode, &mode);
  mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(kFlushHundredths));
  mnl_attr_put_u32(header, NFULA_CFG_NLBUFSIZ, htonl(kLogBuffer));
  return exchange(socket, header);
}

}  // namespace

OsResult<FileDescriptor> open_conntrack_events() {
  static constexpr std::array<unsigned int, 3> kGroups{NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE,
                                                       NFNLGRP_CONNTRACK_DESTROY};
  return open_netlink(NETLINK_NETFILTER, kGroups);
}

OsResult<FileDescriptor> open_nflog(std::uint16_t group) {
  auto socket = TRY(open_netlink(NETLINK_NETFILTER, {}));
  if (const int number = bind_group(socket.number(), group); number != 0)
    return std::unexpected(OsError{number, "bind NFLOG group " + std::to_string(group)});
  if (const int number = configure_group(socket.number(), group); number != 0)
    return std::unexpected(OsError{number, "configure NFLOG group " + std::to_string(group)});
  return socket;
}

OsResult<void> enable_conntrack_accounting() {
  for (const char* name : {"nf_conntrack_acct", "nf_conntrack_timestamp", "nf_conntrack_events"})
    if (auto set = write_sysctl(std::string("net/netfilter/") + name, "1"); !set) return set;
  // A flow's end is told when the kernel forgets it: not the default's 120 s after it was closed.
  return write_sysctl("net/netfilter/nf_conntrack_tcp_timeout_time_wait", "10");
}

}  // namespace gateway::os
