// Batches of inner packets on the TUN descriptor: a virtio_net_hdr before each packet (IFF_VNET_HDR). Opening the
// device: tun_device.h. No offload is asked for yet, so that each packet is whole; the types already carry
// super-packets.
#pragma once

#include <span>
#include <vector>

#include "gateway/core/data_plane.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

struct TunCounters {
  std::uint64_t read = 0, written = 0, write_failed = 0, malformed = 0;
};

class TunQueue {
 public:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kLargest = 9216;  // octets of a packet; the largest MTU is 9000

  // Switches offloads off and asks how long the header is.
  [[nodiscard]] static OsResult<TunQueue> adopt(FileDescriptor tun);

  [[nodiscard]] int descriptor() const { return tun_.number(); }
  // What is there now, at most kBatch. Bytes stay valid, and may be changed, until the next call. Empty: nothing there.
  [[nodiscard]] std::span<const core::TunPacket> read();
  // Writes each; what the kernel refuses (device down, malformed, full) is counted and lost, as on any link.
  void write(std::span<const tunnel::wire::ConstBytes> packets);
  [[nodiscard]] const TunCounters& counters() const { return counters_; }

 private:
  TunQueue(FileDescriptor tun, std::size_t header);
  [[nodiscard]] bool read_one(std::size_t slot);

  FileDescriptor tun_;
  std::size_t header_;  // 0 without IFF_VNET_HDR, 10 or 12 with
  std::vector<std::uint8_t> buffer_;
  std::vector<core::TunPacket> packets_;
  TunCounters counters_;
};

}  // namespace gateway::os
