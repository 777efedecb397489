// One system call a packet: a TUN has no batch call. Whole super-packets come with the offload work.
#include "gateway/os/tun_queue.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "gateway/core/checksum.h"

namespace gateway::os {
namespace {

using tunnel::wire::Segmentation;

// struct virtio_net_hdr (Virtual I/O Device 1.1, 5.1.6); linux/virtio_net.h uses `class` as a name and is not C++.
struct VirtioHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_length = 0, segment_size = 0, checksum_start = 0, checksum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kGsoNone = 0, kGsoTcpV4 = 1, kGsoTcpV6 = 4, kGsoEcn = 0x80;
constexpr std::size_t kLongestHeader = 12;  // with the buffer count

Segmentation::Kind kind_of(std::uint8_t gso_type) {
  switch (gso_type & ~kGsoEcn) {
    case kGsoNone:
      return Segmentation::Kind::kNone;
    case kGsoTcpV4:
      return Segmentation::Kind::kTcpV4;
    case kGsoTcpV6:
      return Segmentation::Kind::kTcpV6;
    default:
      return Segmentation::Kind::kUdp;
  }
}

// The kernel left the transport checksum to the device: the field holds the pseudo-header sum. False: outside the
// packet.
bool complete_checksum(tunnel::wire::Bytes packet, std::size_t start, std::size_t offset) {
  if (start + offset + 2 > packet.size()) return false;
  const std::uint16_t sum = core::finish_sum(core::ones_sum(packet.subspan(start)));
  core::store16(packet, start + offset, sum == 0 ? std::uint16_t{0xffff} : sum);
  return true;
}

}  // namespace

TunQueue::TunQueue(FileDescriptor tun, std::size_t header)
    : tun_(std::move(tun)), header_(header), buffer_(kBatch * (kLargest + kLongestHeader)) {
  packets_.reserve(kBatch);
}

OsResult<TunQueue> TunQueue::adopt(FileDescriptor tun) {
  ifreq request{};
  if (ioctl(tun.number(), TUNGETIFF, &request) != 0) return std::unexpected(OsError{errno, "TUNGETIFF"});
  int header = 0;
  if ((request.ifr_flags & IFF_VNET_HDR) != 0 && ioctl(tun.number(), TUNGETVNETHDRSZ, &header) != 0)
    return std::unexpected(OsError{errno, "TUNGETVNETHDRSZ"});
  if (header < 0 || static_cast<std::size_t>(header) > kLongestHeader)
    return std::unexpected(OsError{0, "the TUN's header has an unknown length"});
  if (ioctl(tun.number(), TUNSETOFFLOAD, 0ul) != 0) return std::unexpected(OsError{errno, "TUNSETOFFLOAD"});
  return TunQueue(std::move(tun), static_cast<std::size_t>(header));
}

std::span<const core::TunPacket> TunQueue::read() {
  packets_.clear();
  for (std::size_t slot = 0; slot < kBatch && read_one(slot); ++slot) {
  }
  return packets_;
}

// False: nothing more there.
bool TunQueue::read_one(std::size_t slot) {
  std::uint8_t* const at = buffer_.data() + slot * (kLargest + kLongestHeader);
  VirtioHeader header;
  std::array<std::uint8_t, kLongestHeader> rest;
  std::array<iovec, 3> vectors{{{&header, std::min(header_, sizeof header)},
                                {rest.data(), header_ > sizeof header ? header_ - sizeof header : 0},
                                {at, kLargest}}};
  const ssize_t got = readv(tun_.number(), vectors.data(), static_cast<int>(vectors.size()));
  if (got < 0) return errno == EINTR;
  ++counters_.read;
  if (static_cast<std::size_t>(got) <= header_) return ++counters_.malformed, true;
  core::TunPacket packet;
  packet.bytes = {at, static_cast<std::size_t>(got) - header_};
  packet.segmentation.kind = kind_of(header.gso_type);
  packet.segmentation.segment_size = header.segment_size;
  packet.segmentation.header_length = header.header_length;
  if ((header.flags & kNeedsChecksum) != 0 && packet.segmentation.kind == Segmentation::Kind::kNone &&
      !complete_checksum(packet.bytes, header.checksum_start, header.checksum_offset))
    return ++counters_.malformed, true;
  packets_.push_back(packet);
  return true;
}

void TunQueue::write(std::span<const tunnel::wire::ConstBytes> packets) {
  std::array<std::uint8_t, kLongestHeader> header{};  // one complete packet, checksums good
  for (const tunnel::wire::ConstBytes packet : packets) {
    std::array<iovec, 2> vectors{{{header.data(), header_}, {const_cast<std::uint8_t*>(packet.data()), packet.size()}}};
    const ssize_t put = writev(tun_.number(), vectors.data(), static_cast<int>(vectors.size()));
    put < 0 ? ++counters_.write_failed : ++counters_.written;
  }
}

}  // namespace gateway::os
