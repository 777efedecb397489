// Options that the data plane needs are set here, because some ask for a privilege it does not have.
#include "gateway/os/outside_socket.h"

#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace gateway::os {
namespace {

using config::value::IpAddress;
using config::value::SocketAddress;

constexpr int kBufferOctets = 4 << 20;
constexpr int kOn = 1;

struct Option {
  int level, name, value;
};
// Binding to an address that is not there yet.
// *_PMTUDISC_OMIT: an ICMP error anybody on the carrier's network can forge must not shrink what leaves for a hospital
// (RFC 5927 7); the inner MTU is configured, and the inner path has its own discovery.
constexpr std::array kOptionsV4{Option{IPPROTO_IP, IP_FREEBIND, 1}, Option{IPPROTO_IP, IP_PKTINFO, 1},
                                Option{IPPROTO_IP, IP_RECVTOS, 1},
                                Option{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT}};
constexpr std::array kOptionsV6{Option{IPPROTO_IPV6, IPV6_V6ONLY, 1} /* the first: see bind_socket */,
                                Option{IPPROTO_IPV6, IPV6_FREEBIND, 1},
                                Option{IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT},
                                Option{IPPROTO_IPV6, IPV6_RECVPKTINFO, 1}, Option{IPPROTO_IPV6, IPV6_RECVTCLASS, 1}};

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

KernelAddress to_kernel(const SocketAddress& address) {
  KernelAddress out;
  if (address.address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    std::memcpy(&v4->sin_addr, address.address.octets().data(), 4);
    out.size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    std::memcpy(&v6->sin6_addr, address.address.octets().data(), 16);
    out.size = sizeof *v6;
  }
  return out;
}

OsResult<void> set_options(int socket, std::span<const Option> options, const std::string& name) {
  for (const auto& option : options)
    if (setsockopt(socket, option.level, option.name, &option.value, sizeof option.value) != 0)
      return std::unexpected(OsError{errno, "setsockopt of " + name});
  return {};
}

void widen_buffers(int socket) {
  for (const auto& [forced, plain] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}})
    if (setsockopt(socket, SOL_SOCKET, forced, &kBufferOctets, sizeof kBufferOctets) != 0)
      (void)setsockopt(socket, SOL_SOCKET, plain, &kBufferOctets, sizeof kBufferOctets);  // as much as the limit allows
}

OsResult<FileDescriptor> bind_socket(const SocketAddress& address, int type, int protocol) {
  const bool v4 = address.address.is_v4();
  const std::string name = protocol == IPPROTO_ESP ? address.address.to_string() + " protocol 50" : address.to_string();
  FileDescriptor socket(::socket(v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!socket.valid()) return std::unexpected(OsError{errno, "socket for " + name});
  auto options = v4 ? std::span<const Option>(kOptionsV4) : std::span<const Option>(kOptionsV6);
  if (!v4 && type == SOCK_RAW) options = options.subspan(1);  // a raw socket has one family by itself
  if (auto set = set_options(socket.number(), options, name); !set) return std::unexpected(set.error());
  // A socket for any address must not send from one that the host no longer has, which IPv6 then allows.
  const Option no_free_bind{v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, 0};
  if (address.address.is_unspecified())
    if (auto set = set_options(socket.number(), {&no_free_bind, 1}, name); !set) return std::unexpected(set.error());
  widen_buffers(socket.number());
  if (type == SOCK_DGRAM)
    (void)setsockopt(socket.number(), IPPROTO_UDP, UDP_GRO, &kOn, sizeof kOn);  // without it: one by one
  const auto kernel = to_kernel(address);
  if (bind(socket.number(), reinterpret_cast<const sockaddr*>(&kernel.storage), kernel.size) != 0)
    return std::unexpected(OsError{
        errno, "bind " + name + (errno == EADDRINUSE ? " (another program holds it; \"ss -ulnp\" names it)" : "")});
  return socket;
}

}  // namespace

OsResult<FileDescriptor> bind_outside(const SocketAddress& address) {
  return bind_socket(address, SOCK_DGRAM, IPPROTO_UDP);
}

OsResult<void> set_mark(int descriptor, std::uint32_t mark) {
  if (setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return std::unexpected(OsError{errno, "SO_MARK " + std::to_string(mark)});
  return {};
}

OsResult<FileDescriptor> bind_outside_esp(const IpAddress& address) {
  return bind_socket({address, 0}, SOCK_RAW, IPPROTO_ESP);
}

std::optional<SocketAddress> bound_address(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  int type = 0;
  int protocol = 0;
  socklen_t type_size = sizeof type, protocol_size = sizeof protocol;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0) return std::nullopt;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_size) != 0) return std::nullopt;
  const bool udp = type == SOCK_DGRAM, esp = type == SOCK_RAW && protocol == IPPROTO_ESP;
  if (!udp && !esp) return std::nullopt;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4->sin_addr, octets.size());
    return SocketAddress{IpAddress::v4(octets), udp ? ntohs(v4->sin_port) : std::uint16_t{0}};
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &v6->sin6_addr, octets.size());
  return SocketAddress{IpAddress::v6(octets), udp ? ntohs(v6->sin6_port) : std::uint16_t{0}};
}

}  // namespace gateway::os
