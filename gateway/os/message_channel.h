// Typed messages between our processes over a SOCK_SEQPACKET pair. A message is one or more frames of at most 32 KiB:
// header {magic, version, type, flags (last), message number}, then a piece of the payload; descriptors ride on the
// first frame. A frame that does not fit the header, the version, the order or the cap of 64 MiB closes the channel.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "gateway/core/messages.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

struct Message {
  core::MessageType type = core::MessageType::kAlive;
  tunnel::wire::WipedOctets payload;  // may be keyd's answer
  std::vector<FileDescriptor> descriptors;
};

class MessageChannel {
 public:
  static constexpr int kMostFramesAtOnce = 64;            // 2 MiB
  static constexpr std::size_t kMostPayload = 64u << 20;  // octets of a message

  MessageChannel() = default;                      // closed
  explicit MessageChannel(FileDescriptor socket);  // made non-blocking
  // Two connected ends.
  [[nodiscard]] static OsResult<std::pair<FileDescriptor, FileDescriptor>> pair();

  [[nodiscard]] bool open() const { return socket_.valid(); }
  [[nodiscard]] int descriptor() const { return socket_.number(); }
  void close();

  // Queues and sends as much as the socket takes; descriptors are duplicated, the caller keeps its own.
  [[nodiscard]] OsResult<void> send_octets(core::MessageType type, std::span<const std::uint8_t> payload,
                                           std::span<const int> descriptors = {});
  template <class T>
  [[nodiscard]] OsResult<void> send(core::MessageType type, const T& value, std::span<const int> descriptors = {}) {
    return send_octets(type, core::encode<tunnel::wire::WipedOctets>(value), descriptors);
  }
  [[nodiscard]] bool wants_write() const { return !queue_.empty(); }
  [[nodiscard]] OsResult<void> flush();

  // What is complete of the next kMostFramesAtOnce frames; the descriptor stays readable while there are more, so that
  // one peer that talks without end leaves the others their turn. An error means the channel is closed: the peer is
  // gone or broke the form.
  [[nodiscard]] OsResult<std::vector<Message>> receive();

 private:
  struct Frame {
    tunnel::wire::WipedOctets octets;
    std::vector<FileDescriptor> descriptors;
  };
  [[nodiscard]] OsResult<bool> receive_frame(std::vector<Message>& complete);
  [[nodiscard]] OsResult<bool> join(std::span<const std::uint8_t> frame, std::vector<FileDescriptor> descriptors);

  FileDescriptor socket_;
  std::deque<Frame> queue_;
  std::optional<Message> partial_;
  std::vector<std::uint8_t> received_;  // one frame while it is read
  std::uint32_t next_number_ = 1;
  std::uint32_t expected_number_ = 1;
};

}  // namespace gateway::os
