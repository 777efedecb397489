// Control messages: local address in and out (a gateway has several), TOS or traffic class in and out (RFC 6040).
#include "gateway/os/udp_socket.h"

#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gateway::os {
namespace {

using config::value::IpAddress;
using config::value::SocketAddress;
using tunnel::wire::OuterDatagram;
using tunnel::wire::Transmit;

IpAddress from_kernel(const in_addr& address) {
  std::array<std::uint8_t, 4> octets;
  std::memcpy(octets.data(), &address, octets.size());
  return IpAddress::v4(octets);
}

IpAddress from_kernel(const in6_addr& address) {
  std::array<std::uint8_t, 16> octets;
  std::memcpy(octets.data(), &address, octets.size());
  return IpAddress::v6(octets);
}

SocketAddress from_kernel(const sockaddr_storage& name) {
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    return {from_kernel(v4.sin_addr), ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
  return {from_kernel(v6.sin6_addr), ntohs(v6.sin6_port)};
}

socklen_t to_kernel(const SocketAddress& address, sockaddr_storage& name) {
  std::memset(&name, 0, sizeof(sockaddr_in6));
  const auto octets = address.address.octets();
  if (address.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(name);
    v4.sin_family = AF_INET, v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, octets.data(), octets.size());
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(name);
  v6.sin6_family = AF_INET6, v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
  return sizeof v6;
}

// The kernel gives IPv4's TOS as one octet and IPv6's class as an int.
std::uint8_t ecn_of(const cmsghdr& control) {
  if (control.cmsg_level == IPPROTO_IP) return *CMSG_DATA(&control) & 3;
  int value = 0;
  std::memcpy(&value, CMSG_DATA(&control), sizeof value);
  return static_cast<std::uint8_t>(value & 3);
}

void read_control(const cmsghdr& control, OuterDatagram& datagram, std::size_t& segment) {
  if (control.cmsg_level == SOL_UDP && control.cmsg_type == UDP_GRO) {
    int size = 0;  // octets of each datagram but the last
    std::memcpy(&size, CMSG_DATA(&control), sizeof size);
    segment = size > 0 ? static_cast<std::size_t>(size) : 0;
  } else if (control.cmsg_level == IPPROTO_IP && control.cmsg_type == IP_PKTINFO) {
    in_pktinfo info;
    std::memcpy(&info, CMSG_DATA(&control), sizeof info);
    datagram.path.local = from_kernel(info.ipi_addr);
  } else if (control.cmsg_level == IPPROTO_IPV6 && control.cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info;
    std::memcpy(&info, CMSG_DATA(&control), sizeof info);
    datagram.path.local = from_kernel(info.ipi6_addr);
  } else if ((control.cmsg_level == IPPROTO_IP && control.cmsg_type == IP_TOS) ||
             (control.cmsg_level == IPPROTO_IPV6 && control.cmsg_type == IPV6_TCLASS)) {
    datagram.ecn = ecn_of(control);
  }
}

// Appends one control message and grows msg_controllen, which counts what is used so far.
template <class T>
void put_control(msghdr& message, int level, int type, const T& value) {
  auto* control = reinterpret_cast<cmsghdr*>(static_cast<std::uint8_t*>(message.msg_control) + message.msg_controllen);
  control->cmsg_level = level, control->cmsg_type = type, control->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(control), &value, sizeof value);
  message.msg_controllen += CMSG_SPACE(sizeof value);
}

void put_source(msghdr& message, const IpAddress& local) {
  const auto octets = local.octets();
  if (local.is_unspecified()) return;
  if (local.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, octets.data(), octets.size());
    return put_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, octets.data(), octets.size());
  put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

}  // namespace

UdpSocket::UdpSocket(FileDescriptor socket, SocketAddress bound, std::uint16_t index)
    : socket_(std::move(socket)),
      bound_(bound),
      index_(index),
      in_(std::make_unique<Batch>()),
      out_(std::make_unique<Batch>()) {
  const auto value_of = [&](int option) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(socket_.number(), SOL_UDP, option, &value, &size) == 0 ? value : -1;
  };
  const bool udp = bound_.port != 0;
  offloads_.segment = known_.segment = udp && value_of(UDP_SEGMENT) >= 0;  // each call says how long
  offloads_.gro = known_.gro = udp && value_of(UDP_GRO) > 0;               // asked for when it was bound
  const std::size_t room = known_.gro ? std::max(kReceived * kLargestReceived, kBatch * kLargest) : kBatch * kLargest;
  buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(room);
  datagrams_.reserve(kReceived * kMostSegments);
}

void UdpSocket::use(UdpOffloads wanted) {
  offloads_.segment = known_.segment && wanted.segment;
  const int on = wanted.gro ? 1 : 0;
  if (known_.gro && setsockopt(socket_.number(), SOL_UDP, UDP_GRO, &on, sizeof on) == 0) offloads_.gro = wanted.gro;
}

void UdpSocket::prepare_receive() {
  const std::size_t room = offloads_.gro ? kLargestReceived : kLargest;
  for (std::size_t i = 0; i < (offloads_.gro ? kReceived : kBatch); ++i) {
    in_->vectors[i] = {buffer_.get() + i * room, room};
    msghdr& header = in_->messages[i].msg_hdr;
    header = {};
    header.msg_name = &in_->names[i], header.msg_namelen = sizeof in_->names[i];
    header.msg_iov = &in_->vectors[i], header.msg_iovlen = 1;
    header.msg_control = in_->controls[i].octets.data(), header.msg_controllen = in_->controls[i].octets.size();
  }
}

std::span<const OuterDatagram> UdpSocket::receive() {
  datagrams_.clear();
  prepare_receive();
  const unsigned most = offloads_.gro ? kReceived : kBatch;
  const int got = recvmmsg(socket_.number(), in_->messages.data(), most, MSG_DONTWAIT, nullptr);
  messages_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  // An error is either "nothing there" or a queued ICMP error of an earlier transmit: taken off by this call.
  for (int i = 0; i < got; ++i) read_one(static_cast<std::size_t>(i));
  return datagrams_;
}

void UdpSocket::read_one(std::size_t i) {
  msghdr& header = in_->messages[i].msg_hdr;
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || header.msg_namelen == 0) {
    ++counters_.truncated;
    return;
  }
  OuterDatagram datagram;
  datagram.path = {from_kernel(in_->names[i]), bound_.address, index_};
  datagram.bytes = {static_cast<std::uint8_t*>(in_->vectors[i].iov_base), in_->messages[i].msg_len};
  if (bound_.port == 0) datagram.path.remote.port = 0;  // IPv6 gives the protocol's number here
  if (bound_.port == 0 && bound_.address.is_v4()) {     // raw(7): the IPv4 header is there
    const std::size_t header_size = datagram.bytes.empty() ? 0 : (datagram.bytes[0] & 15u) * 4u;
    if (header_size < 20 || header_size > datagram.bytes.size()) {
      ++counters_.truncated;
      return;
    }
    datagram.bytes = datagram.bytes.subspan(header_size);
  }
  std::size_t segment = 0;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control))
    read_control(*control, datagram, segment);
  add_datagrams(datagram, segment);
}

// All of them have one path and one ECN mark: the kernel joins no others.
void UdpSocket::add_datagrams(OuterDatagram whole, std::size_t segment) {
  const bool several = segment != 0 && whole.bytes.size() > segment;
  do {
    OuterDatagram one = whole;
    one.bytes = whole.bytes.first(several ? std::min(segment, whole.bytes.size()) : whole.bytes.size());
    whole.bytes = whole.bytes.subspan(one.bytes.size());
    if (one.bytes.size() > kLargest) {
      ++counters_.truncated;
      continue;
    }
    datagrams_.push_back(one);
    ++counters_.received;
    if (several) ++counters_.coalesced;
  } while (!whole.bytes.empty());
}

// How many of the first may leave as one: same ends and mark, same length, and one shorter at the end.
std::size_t UdpSocket::run_of(std::span<const Transmit> transmits) const {
  const Transmit& first = transmits.front();
  const std::size_t size = first.bytes.size();
  if (!offloads_.segment || size == 0) return 1;
  if (std::ranges::find(singly_, first.path.remote) != singly_.end()) return 1;
  const std::size_t most = std::min({transmits.size(), kMostSegments, std::max<std::size_t>(1, kLargestSent / size)});
  std::size_t run = 1;
  for (; run < most; ++run) {
    const Transmit& next = transmits[run];
    if (next.bytes.size() > size || next.bytes.empty() || next.ecn != first.ecn || !(next.path == first.path)) break;
    if (next.bytes.size() < size) return run + 1;
  }
  return run;
}

UdpSocket::Prepared UdpSocket::prepare_send(std::span<const Transmit> transmits) {
  Prepared done;
  while (done.messages < kBatch && done.datagrams < transmits.size()) {
    const auto rest = transmits.subspan(done.datagrams);
    const Transmit& transmit = rest.front();
    const std::size_t run = run_of(rest), i = done.messages++;
    iovec* const vectors = out_->vectors.data() + i * kMostSegments;
    for (std::size_t n = 0; n < run; ++n)  // sendmmsg only reads what it is given
      vectors[n] = {const_cast<std::uint8_t*>(rest[n].bytes.data()), rest[n].bytes.size()};
    out_->datagrams[i] = run;
    done.datagrams += run;
    msghdr& header = out_->messages[i].msg_hdr;
    header = {};
    header.msg_name = &out_->names[i];
    header.msg_namelen = to_kernel(transmit.path.remote, out_->names[i]);
    header.msg_iov = vectors, header.msg_iovlen = run;
    header.msg_control = out_->controls[i].octets.data();
    put_source(header, transmit.path.local);
    const bool v4 = transmit.path.remote.address.is_v4();
    if (transmit.ecn != 0)
      put_control(header, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, static_cast<int>(transmit.ecn));
    if (run > 1) put_control(header, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(transmit.bytes.size()));
  }
  return done;
}

void UdpSocket::count_sent(std::size_t messages) {
  for (std::size_t i = 0; i < messages; ++i) {
    counters_.sent += out_->datagrams[i];
    if (out_->datagrams[i] > 1) counters_.segmented += out_->datagrams[i];
  }
}

std::size_t UdpSocket::send(std::span<const Transmit> transmits) {
  std::size_t done = 0;
  int split_for = 0;  // the error that ended sending several as one, in this call
  while (done < transmits.size()) {
    const Prepared prepared = prepare_send(transmits.subspan(done));
    const int sent =
        sendmmsg(socket_.number(), out_->messages.data(), static_cast<unsigned>(prepared.messages), MSG_DONTWAIT);
    if (sent > 0) {
      count_sent(static_cast<std::size_t>(sent));
      for (std::size_t i = 0; i < static_cast<std::size_t>(sent); ++i) done += out_->datagrams[i];
      split_for = 0;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return done;
    const SocketAddress& remote = transmits[done].path.remote;
    if (refused_several(out_->datagrams[0], remote, errno)) {
      split_for = errno;
      continue;
    }
    // One alone is refused for the same: it was not that there were several (a source no longer ours gives EINVAL).
    if (split_for != 0 && std::exchange(split_for, 0) == errno) allow_several(remote);
    // The first one cannot leave (no route, refused, too large): the tunnel's own timers deal with the loss.
    counters_.send_failed += out_->datagrams[0];
    done += out_->datagrams[0];
  }
  return done;
}

// True: it was because there were several in one, and they are to be tried again one by one, now and from now on: all
// of them where the interface cannot (EIO: no checksum offload), those to one peer where they are longer than its path
// takes unfragmented.
bool UdpSocket::refused_several(std::size_t datagrams, const SocketAddress& remote, int error) {
  if (datagrams < 2) return false;
  if (error == EIO) {
    known_.segment = offloads_.segment = false;
    return true;
  }
  if (error != EINVAL && error != EMSGSIZE) return false;
  singly_[singly_next_++ % singly_.size()] = remote;
  return true;
}

void UdpSocket::allow_several(const SocketAddress& remote) {
  std::ranges::replace(singly_, remote, SocketAddress{});
}

std::size_t UdpSocket::send_all(std::span<const Transmit> transmits, int milliseconds) {
  for (;;) {
    transmits = transmits.subspan(send(transmits));
    // Backpressure: nothing more is read meanwhile, so the TUN's queue fills and its senders slow down.
    if (transmits.empty() || !wait_writable(milliseconds)) return transmits.size();
  }
}

std::span<const Transmit> run_of_socket(std::span<const Transmit> transmits) {
  const auto other = [&](const Transmit& each) { return each.path.socket != transmits.front().path.socket; };
  return transmits.first(static_cast<std::size_t>(std::ranges::find_if(transmits, other) - transmits.begin()));
}

bool UdpSocket::wait_writable(int milliseconds) const {
  pollfd room{socket_.number(), POLLOUT, 0};
  return poll(&room, 1, milliseconds) > 0;
}

}  // namespace gateway::os
