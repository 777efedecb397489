// Batches of datagrams on one bound outside socket (recvmmsg, sendmmsg) with both ends and the ECN bits of each: UDP,
// or protocol 50, whose datagrams are ESP packets without IP header and have port 0. Of UDP, equal datagrams to one
// peer leave as one (UDP_SEGMENT), and the kernel may hand several in as one (UDP_GRO): each asked for alone, and done
// without where the kernel or the interface refuses. Binding and options: outside_socket.h. Buffers are made once;
// nothing is allocated per packet.
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

struct UdpOffloads {
  bool segment = false;  // UDP_SEGMENT: Linux 4.18
  bool gro = false;      // UDP_GRO: as the socket was bound
};

struct UdpCounters {
  std::uint64_t received = 0, truncated = 0, sent = 0, send_failed = 0;
  std::uint64_t segmented = 0, coalesced = 0;  // of sent and received: those that went and came with others in one
};

class UdpSocket {
 public:
  static constexpr std::size_t kBatch = 64;                // messages of one call
  static constexpr std::size_t kLargest = 9216;            // octets of a datagram; the largest inner MTU is 9000
  static constexpr std::size_t kReceived = 16;             // messages of one call where each may be many datagrams
  static constexpr std::size_t kLargestReceived = 65'535;  // octets of such a message
  static constexpr std::size_t kMostSegments = 64;         // UDP_MAX_SEGMENTS
  static constexpr std::size_t kLargestSent = 65'000;      // octets of segments in one: 65,535 with IP and UDP headers

  // `index` comes back in OuterPath::socket; `bound` is the local address where
  // the kernel tells none.
  UdpSocket(FileDescriptor socket, config::value::SocketAddress bound, std::uint16_t index);

  [[nodiscard]] int descriptor() const { return socket_.number(); }
  [[nodiscard]] const config::value::SocketAddress& bound() const { return bound_; }
  // What is there now, at most kBatch. Bytes stay valid, and may be changed, until the next call. Empty: nothing there.
  [[nodiscard]] std::span<const tunnel::wire::OuterDatagram> receive();
  // The last receive() was full: there may be more.
  [[nodiscard]] bool more() const { return messages_ >= (offloads_.gro ? kReceived : kBatch) / 2; }
  // Only these from now on, of those the kernel has.
  void use(UdpOffloads wanted);
  [[nodiscard]] UdpOffloads offloads() const { return offloads_; }
  // Sends in order; returns how many are done with (sent, or refused by the kernel and counted). Less than given: full.
  [[nodiscard]] std::size_t send(std::span<const tunnel::wire::Transmit> transmits);
  // The same until all are done with, waiting as long as `milliseconds` each time it is full. How many were left out.
  [[nodiscard]] std::size_t send_all(std::span<const tunnel::wire::Transmit> transmits, int milliseconds);
  // Waits until there is room to send again, or an error to be read. False when `milliseconds` passed without.
  [[nodiscard]] bool wait_writable(int milliseconds) const;
  [[nodiscard]] const UdpCounters& counters() const { return counters_; }

 private:
  struct Control {
    alignas(cmsghdr) std::array<std::uint8_t, 128> octets;
  };
  struct Batch {
    std::array<mmsghdr, kBatch> messages;
    std::array<iovec, kBatch * kMostSegments> vectors;
    std::array<std::size_t, kBatch> datagrams;  // in each message, when sent
    std::array<sockaddr_storage, kBatch> names;
    std::array<Control, kBatch> controls;
  };
  void prepare_receive();
  void read_one(std::size_t i);
  void add_datagrams(tunnel::wire::OuterDatagram whole, std::size_t segment);
  struct Prepared {
    std::size_t messages = 0, datagrams = 0;
  };
  [[nodiscard]] Prepared prepare_send(std::span<const tunnel::wire::Transmit> transmits);
  [[nodiscard]] bool refused_several(std::size_t datagrams, const config::value::SocketAddress& remote, int error);
  void allow_several(const config::value::SocketAddress& remote);
  [[nodiscard]] std::size_t run_of(std::span<const tunnel::wire::Transmit> transmits) const;
  void count_sent(std::size_t messages);

  FileDescriptor socket_;
  config::value::SocketAddress bound_;
  std::uint16_t index_;
  UdpOffloads known_, offloads_;                        // what the kernel has, what is used
  std::array<config::value::SocketAddress, 8> singly_;  // where several in one were too long for the way; a ring
  std::size_t singly_next_ = 0;
  std::size_t messages_ = 0;  // of the last receive()
  std::unique_ptr<Batch> in_, out_;
  std::unique_ptr<std::uint8_t[]> buffer_;  // as made: pages that nothing came into are not there
  std::vector<tunnel::wire::OuterDatagram> datagrams_;
  UdpCounters counters_;
};

// The first transmits of one socket: a run that leaves in one call, so that the order of every peer stays.
[[nodiscard]] std::span<const tunnel::wire::Transmit> run_of_socket(std::span<const tunnel::wire::Transmit> transmits);

}  // namespace gateway::os
