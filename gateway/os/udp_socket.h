// Batches of datagrams on one bound outside socket (recvmmsg, sendmmsg) with both ends and the ECN bits of each: UDP,
// or protocol 50, whose datagrams are ESP packets without IP header and have port 0. Binding and options:
// outside_socket.h. Buffers are made once; nothing is allocated per packet.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"
#include "tunnel/wire/outputs.h"

namespace gateway::os {

struct UdpCounters {
  std::uint64_t received = 0, truncated = 0, sent = 0, send_failed = 0;
};

class UdpSocket {
 public:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kLargest = 9216;  // octets of a datagram; the largest inner MTU is 9000

  // `index` comes back in OuterPath::socket; `bound` is the local address where the kernel tells none.
  UdpSocket(FileDescriptor socket, config::value::SocketAddress bound, std::uint16_t index);

  [[nodiscard]] int descriptor() const { return socket_.number(); }
  [[nodiscard]] const config::value::SocketAddress& bound() const { return bound_; }
  // What is there now, at most kBatch. Bytes stay valid, and may be changed, until the next call. Empty: nothing there.
  [[nodiscard]] std::span<const tunnel::wire::OuterDatagram> receive();
  // Sends in order; returns how many are done with (sent, or refused by the kernel and counted). Less than given: full.
  [[nodiscard]] std::size_t send(std::span<const tunnel::wire::Transmit> transmits);
  // Waits until there is room to send again, or an error to be read. False when `milliseconds` passed without.
  [[nodiscard]] bool wait_writable(int milliseconds) const;
  [[nodiscard]] const UdpCounters& counters() const { return counters_; }

 private:
  struct Control {
    alignas(cmsghdr) std::array<std::uint8_t, 128> octets;
  };
  struct Batch {
    std::array<mmsghdr, kBatch> messages;
    std::array<iovec, kBatch> vectors;
    std::array<sockaddr_storage, kBatch> names;
    std::array<Control, kBatch> controls;
  };
  void prepare_receive();
  void read_one(std::size_t i);
  void prepare_send(std::size_t i, const tunnel::wire::Transmit& transmit);

  FileDescriptor socket_;
  config::value::SocketAddress bound_;
  std::uint16_t index_;
  std::unique_ptr<Batch> in_, out_;
  std::vector<std::uint8_t> buffer_;
  std::vector<tunnel::wire::OuterDatagram> datagrams_;
  UdpCounters counters_;
};

}  // namespace gateway::os
