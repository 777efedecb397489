// nfnetlink_conntrack: one dump, then one delete for each flow that was found, by the tuple as the kernel told it.
#include "gateway/os/conntrack_forget.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "gateway/audit/conntrack_event.h"
#include "gateway/os/netlink_socket.h"

namespace gateway::os {
namespace {

using config::value::Prefix;

constexpr int kAnswerMilliseconds = 2000;
constexpr std::size_t kBuffer = 1 << 18;  // octets: a dump comes in datagrams of up to 32 KiB

// Of a flow only what names it in a request to delete: the attributes' octets as they were read.
struct Found {
  std::uint8_t family = AF_UNSPEC;
  std::vector<std::uint8_t> tuple, zone;
};

nlmsghdr* put_request(std::span<char> buffer, std::uint16_t message, std::uint16_t flags, std::uint8_t family) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  auto* generic = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  generic->nfgen_family = family;
  generic->version = NFNETLINK_V0;
  return header;
}

std::optional<Found> found_in(audit::Octets octets, std::span<const Prefix> networks) {
  const auto events = audit::read_conntrack_events(octets).events;
  if (events.size() != 1) return std::nullopt;
  const auto& tuple = events.front().original;
  const bool theirs = std::ranges::any_of(networks, [&](const Prefix& network) {
    return network.contains(tuple.source) || network.contains(tuple.destination);
  });
  if (!theirs) return std::nullopt;
  Found found;
  found.family = tuple.source.is_v4() ? AF_INET : AF_INET6;
  auto rest = octets;
  audit::AttributeReader reader(audit::next_message(rest)->attributes);
  while (const auto attribute = reader.next()) {
    if (attribute->type == CTA_TUPLE_ORIG) found.tuple.assign(attribute->value.begin(), attribute->value.end());
    if (attribute->type == CTA_ZONE) found.zone.assign(attribute->value.begin(), attribute->value.end());
  }
  return found;
}

OsResult<audit::Octets> receive(int socket, std::span<std::uint8_t> buffer) {
  pollfd readable{socket, POLLIN, 0};
  if (poll(&readable, 1, kAnswerMilliseconds) <= 0)
    return std::unexpected(OsError{ETIMEDOUT, "read connection tracking"});
  const auto got = recv(socket, buffer.data(), buffer.size(), 0);
  if (got < 0) return std::unexpected(OsError{errno, "read connection tracking"});
  return audit::Octets(buffer.first(static_cast<std::size_t>(got)));
}

// Positive: an errno the kernel answered with; 0: acknowledged, or the end of a dump; empty: something else.
std::optional<int> verdict_of(audit::Octets message) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(message.data());
  if (header->nlmsg_type == NLMSG_DONE) return 0;
  if (header->nlmsg_type != NLMSG_ERROR || message.size() < sizeof(nlmsghdr) + sizeof(nlmsgerr)) return std::nullopt;
  return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
}

OsResult<std::vector<Found>> dump(int socket, std::span<std::uint8_t> buffer, std::span<const Prefix> networks) {
  alignas(nlmsghdr) std::array<char, 64> request{};
  const auto* header = put_request(request, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
  if (send(socket, header, header->nlmsg_len, 0) < 0)
    return std::unexpected(OsError{errno, "ask for connection tracking"});
  std::vector<Found> all;
  for (;;) {
    auto datagram = TRY(receive(socket, buffer));
    while (datagram.size() >= sizeof(nlmsghdr)) {
      if (const auto verdict = verdict_of(datagram)) {
        if (*verdict != 0) return std::unexpected(OsError{*verdict, "read connection tracking"});
        return all;
      }
      const auto from = datagram;
      if (!audit::next_message(datagram)) break;
      if (auto found = found_in(from.first(from.size() - datagram.size()), networks)) all.push_back(*std::move(found));
    }
  }
}

OsResult<bool> forget(int socket, std::span<std::uint8_t> buffer, const Found& flow) {
  alignas(nlmsghdr) std::array<char, 512> request{};
  if (flow.tuple.size() + flow.zone.size() > 256) return std::unexpected(OsError{EMSGSIZE, "forget a flow"});
  auto* header = put_request(request, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow.family);
  mnl_attr_put(header, NLA_F_NESTED | CTA_TUPLE_ORIG, flow.tuple.size(), flow.tuple.data());
  if (!flow.zone.empty()) mnl_attr_put(header, CTA_ZONE, flow.zone.size(), flow.zone.data());
  if (send(socket, header, header->nlmsg_len, 0) < 0) return std::unexpected(OsError{errno, "forget a flow"});
  for (;;) {
    const auto answer = TRY(receive(socket, buffer));
    if (answer.size() < sizeof(nlmsghdr)) continue;
    const auto verdict = verdict_of(answer);
    if (!verdict) continue;
    if (*verdict == 0 || *verdict == ENOENT) return *verdict == 0;
    return std::unexpected(OsError{*verdict, "forget a flow"});
  }
}

}  // namespace

OsResult<std::size_t> forget_flows(std::span<const Prefix> networks) {
  if (networks.empty()) return std::size_t{0};
  const auto socket = TRY(open_netlink(NETLINK_NETFILTER, {}));
  std::vector<std::uint8_t> buffer(kBuffer);
  const auto all = TRY(dump(socket.number(), buffer, networks));
  std::size_t count = 0;
  for (const Found& flow : all)
    if (TRY(forget(socket.number(), buffer, flow))) ++count;
  return count;
}

}  // namespace gateway::os
