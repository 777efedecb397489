// Frames on a SOCK_SEQPACKET pair. Everything a peer sends is checked here before it is kept: a broken form closes the
// channel.
#include "gateway/os/message_channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sodium.h>

namespace gateway::os {
namespace {

constexpr std::uint32_t kMagic = 0x316b6573;  // "sek1", little-endian
constexpr std::size_t kFramePayload = 32 * 1024 - 16;
constexpr std::size_t kMaxQueuedFrames = 8192;  // 256 MiB: a peer that reads nothing for so long is dead
constexpr std::size_t kMaxDescriptors = 64;
constexpr std::uint32_t kLastFrame = 1;

struct Header {
  std::uint32_t magic = kMagic;
  std::uint16_t version = core::kMessageVersion;
  std::uint16_t type = 0;
  std::uint32_t flags = 0;
  std::uint32_t number = 0;
};
static_assert(sizeof(Header) == 16);

union DescriptorBuffer {
  cmsghdr align;
  std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> octets;
};

struct Wiped {  // at the end of the block: keys come this way
  std::span<std::uint8_t> octets;
  ~Wiped() { sodium_memzero(octets.data(), octets.size()); }
};

std::vector<FileDescriptor> take_descriptors(msghdr& message) {
  std::vector<FileDescriptor> taken;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(c) + i * sizeof number, sizeof number);
      taken.emplace_back(number);
    }
  }
  return taken;
}

void put_descriptors(msghdr& message, DescriptorBuffer& buffer, const std::vector<FileDescriptor>& descriptors) {
  if (descriptors.empty()) return;
  message.msg_control = buffer.octets.data();
  message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const int number = descriptors[i].number();
    std::memcpy(CMSG_DATA(c) + i * sizeof number, &number, sizeof number);
  }
}

std::unexpected<OsError> broken(const char* why) {
  return std::unexpected(OsError{0, why});
}

}  // namespace

MessageChannel::MessageChannel(FileDescriptor socket) : socket_(std::move(socket)) {
  fcntl(socket_.number(), F_SETFL, fcntl(socket_.number(), F_GETFL) | O_NONBLOCK);
  fcntl(socket_.number(), F_SETFD, FD_CLOEXEC);
}

OsResult<std::pair<FileDescriptor, FileDescriptor>> MessageChannel::pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return std::unexpected(OsError{errno, "socketpair"});
  return std::pair{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void MessageChannel::close() {
  socket_.reset();
  queue_.clear();
  partial_.reset();
}

OsResult<void> MessageChannel::send_octets(core::MessageType type, std::span<const std::uint8_t> payload,
                                           std::span<const int> descriptors) {
  if (!open()) return broken("channel is closed");
  if (payload.size() > kMostPayload || descriptors.size() > kMaxDescriptors) return broken("message is too large");
  if (queue_.size() > kMaxQueuedFrames) {
    close();
    return broken("peer does not read");
  }
  std::vector<FileDescriptor> copies;
  for (const int number : descriptors) {
    copies.emplace_back(fcntl(number, F_DUPFD_CLOEXEC, 0));
    if (!copies.back().valid()) return std::unexpected(OsError{errno, "dup"});
  }
  Header header{.type = static_cast<std::uint16_t>(type), .number = next_number_++};
  do {
    const auto piece = payload.first(std::min(payload.size(), kFramePayload));
    payload = payload.subspan(piece.size());
    header.flags = payload.empty() ? kLastFrame : 0;
    Frame frame{tunnel::wire::WipedOctets(sizeof header + piece.size()), std::exchange(copies, {})};
    std::memcpy(frame.octets.data(), &header, sizeof header);
    std::copy(piece.begin(), piece.end(), frame.octets.begin() + sizeof header);
    queue_.push_back(std::move(frame));
  } while (!payload.empty());
  return flush();
}

OsResult<void> MessageChannel::flush() {
  while (open() && !queue_.empty()) {
    Frame& frame = queue_.front();
    iovec piece{frame.octets.data(), frame.octets.size()};
    DescriptorBuffer buffer{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    put_descriptors(message, buffer, frame.descriptors);
    if (sendmsg(socket_.number(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) return {};
      const OsError error{errno, "sendmsg"};
      close();
      return std::unexpected(error);
    }
    queue_.pop_front();
  }
  return {};
}

OsResult<std::vector<Message>> MessageChannel::receive() {
  std::vector<Message> complete;
  if (!open()) return broken("channel is closed");
  for (int frames = 0; frames < kMostFramesAtOnce; ++frames) {
    auto more = receive_frame(complete);
    if (more && *more) continue;
    if (more) return complete;
    close();
    // What came whole before the end is still good; the closed channel says the rest at the next call.
    if (!complete.empty()) return complete;
    return std::unexpected(more.error());
  }
  return complete;
}

// One frame into partial_ or `complete`; false when nothing is there.
OsResult<bool> MessageChannel::receive_frame(std::vector<Message>& complete) {
  received_.resize(sizeof(Header) + kFramePayload);  // once; a buffer made and wiped whole for each frame costs more
  iovec piece{received_.data(), received_.size()};
  DescriptorBuffer buffer{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = buffer.octets.data();
  message.msg_controllen = sizeof buffer.octets;
  const ssize_t got = recvmsg(socket_.number(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got < 0) return std::unexpected(OsError{errno, "recvmsg"});
  const std::span frame(received_.data(), static_cast<std::size_t>(got));
  const Wiped wiped{frame};
  auto descriptors = take_descriptors(message);
  if (got == 0) return broken("closed by the peer");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return broken("frame is too long");
  if (auto joined = join(frame, std::move(descriptors)); !joined)
    return std::unexpected(joined.error());
  else if (*joined)
    complete.push_back(*std::exchange(partial_, std::nullopt));
  return true;
}

// Checks a frame's form and appends it to partial_; true when that completes the message.
OsResult<bool> MessageChannel::join(std::span<const std::uint8_t> frame, std::vector<FileDescriptor> descriptors) {
  Header header;
  if (frame.size() < sizeof header) return broken("frame is too short");
  std::memcpy(&header, frame.data(), sizeof header);
  frame = frame.subspan(sizeof header);
  if (header.magic != kMagic) return broken("wrong magic");
  if (header.version != core::kMessageVersion) return broken("wrong version");
  if ((header.flags & ~kLastFrame) != 0) return broken("unknown flags");
  if (header.number != expected_number_) return broken("wrong order");
  const auto type = static_cast<core::MessageType>(header.type);
  if (!partial_) {
    partial_ = Message{type, {}, std::move(descriptors)};
  } else if (partial_->type != type || !descriptors.empty() || frame.empty()) {
    return broken("wrong continuation");
  }
  if (partial_->payload.size() + frame.size() > kMostPayload) return broken("message is too long");
  partial_->payload.insert(partial_->payload.end(), frame.begin(), frame.end());
  if ((header.flags & kLastFrame) == 0) return frame.empty() ? OsResult<bool>(broken("empty frame")) : false;
  ++expected_number_;
  return true;
}

}  // namespace gateway::os
