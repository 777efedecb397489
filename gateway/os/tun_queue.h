// Batches of inner packets on the TUN descriptor: a virtio_net_hdr before each packet (IFF_VNET_HDR), so that what a
// TCP or UDP sender hands down at once crosses as one super-packet of up to 64 KiB. Opening the device: tun_device.h.
#pragma once

#include <span>
#include <vector>

#include "gateway/core/coalescer.h"
#include "gateway/core/data_plane.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

// What the kernel may leave to us, as it took it: each is asked for alone.
struct TunOffloads {
  bool tcp = false;  // TSO, both families
  bool udp = false;  // USO, both families: Linux 6.2
};

struct TunCounters {
  std::uint64_t read = 0, written = 0, write_failed = 0, malformed = 0;
  std::uint64_t super_read = 0, super_written = 0;  // of those: super-packets; `written` counts the packets in them
};

class TunQueue {
 public:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kLargest = 65'535;          // octets of a packet
  static constexpr std::size_t kBatchOctets = 256 * 1024;  // beyond it nothing more is read into a batch

  // Asks for the offloads and how long the header is. An offload that the kernel does not have is left out.
  [[nodiscard]] static OsResult<TunQueue> adopt(FileDescriptor tun, TunOffloads wanted = {true, true});

  // Of the offloads that adopt() asked for, only these from now on.
  void use(TunOffloads wanted);
  [[nodiscard]] TunOffloads offloads() const { return offloads_; }
  // What may be written as super-packets; a kernel that cuts UDP for us also takes it.
  [[nodiscard]] core::Joins joins() const { return {offloads_.tcp, offloads_.udp}; }

  [[nodiscard]] int descriptor() const { return tun_.number(); }
  // What is there now, at most kBatch and kBatchOctets. Bytes stay valid, and may be changed, until the next call.
  // Empty: nothing there.
  [[nodiscard]] std::span<const core::TunPacket> read();
  // The last read() ended at its bounds: there may be more.
  [[nodiscard]] bool more() const { return packets_.size() == kBatch || used_ >= kBatchOctets; }
  // Writes each; what the kernel refuses (device down, malformed, full) is counted and lost, as on any link.
  void write(std::span<const core::TunWrite> writes);
  [[nodiscard]] const TunCounters& counters() const { return counters_; }

 private:
  TunQueue(FileDescriptor tun, std::size_t header, TunOffloads offloads);
  [[nodiscard]] bool ask(TunOffloads offloads) const;
  [[nodiscard]] bool read_one();

  FileDescriptor tun_;
  std::size_t header_;  // 0 without IFF_VNET_HDR, 10 or 12 with
  TunOffloads offloads_;
  std::vector<std::uint8_t> buffer_;
  std::size_t used_ = 0;  // of buffer_, in this batch
  std::vector<core::TunPacket> packets_;
  TunCounters counters_;
};

}  // namespace gateway::os
