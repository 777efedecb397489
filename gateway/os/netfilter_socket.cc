#include "gateway/os/netfilter_socket.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace gateway::os {

NetfilterSocket::NetfilterSocket(FileDescriptor socket) : socket_(std::move(socket)) {
  const int flags = fcntl(socket_.number(), F_GETFL);
  if (flags < 0 || fcntl(socket_.number(), F_SETFL, flags | O_NONBLOCK) != 0) socket_.reset();
}

OsResult<NetfilterSocket::Read> NetfilterSocket::read() {
  sockaddr_nl from{};
  iovec part{buffer_.data(), buffer_.size()};
  msghdr message{};
  message.msg_name = &from, message.msg_namelen = sizeof from;
  message.msg_iov = &part, message.msg_iovlen = 1;
  const ssize_t size = recvmsg(socket_.number(), &message, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Read{};
  if (size < 0 && errno == ENOBUFS) return Read{Read::Outcome::kLost, {}};
  if (size < 0) return std::unexpected(OsError{errno, "recvmsg netfilter events"});
  if ((message.msg_flags & MSG_TRUNC) != 0) return Read{Read::Outcome::kTruncated, {}};
  if (from.nl_pid != 0) return Read{};  // only the kernel may tell us
  return Read{Read::Outcome::kDatagram, {buffer_.data(), static_cast<std::size_t>(size)}};
}

}  // namespace gateway::os
