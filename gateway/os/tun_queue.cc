// One system call a packet or super-packet: a TUN has no batch call.
#include "gateway/os/tun_queue.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "gateway/core/checksum.h"

namespace gateway::os {
namespace {

using tunnel::wire::kRoomAfter;
using tunnel::wire::kRoomBefore;
using tunnel::wire::Segmentation;

// struct virtio_net_hdr (Virtual I/O Device 1.1, 5.1.6); linux/virtio_net.h uses `class` as a name and is not C++.
struct VirtioHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_length = 0, segment_size = 0, checksum_start = 0, checksum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kGsoNone = 0, kGsoTcpV4 = 1, kGsoTcpV6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;
constexpr unsigned kUso4 = 0x20, kUso6 = 0x40;  // TUN_F_USO4 and 6 of Linux 6.2, which older headers do not name
constexpr std::size_t kLongestHeader = 12;      // with the buffer count

// Nothing: a kind we did not ask for (UFO, or a later one).
std::optional<Segmentation::Kind> kind_of(std::uint8_t gso_type) {
  switch (gso_type & ~kGsoEcn) {
    case kGsoNone:
      return Segmentation::Kind::kNone;
    case kGsoTcpV4:
      return Segmentation::Kind::kTcpV4;
    case kGsoTcpV6:
      return Segmentation::Kind::kTcpV6;
    case kGsoUdp:
      return Segmentation::Kind::kUdp;
    default:
      return std::nullopt;
  }
}

// One complete packet with good checksums, or a super-packet whose checksums the kernel makes.
VirtioHeader header_for(const Segmentation& segmentation) {
  if (segmentation.kind == Segmentation::Kind::kNone) return {};
  const std::uint8_t type = segmentation.kind == Segmentation::Kind::kTcpV4   ? kGsoTcpV4
                            : segmentation.kind == Segmentation::Kind::kTcpV6 ? kGsoTcpV6
                                                                              : kGsoUdp;
  return {kNeedsChecksum,
          type,
          segmentation.header_length,
          segmentation.segment_size,
          segmentation.checksum_start,
          segmentation.checksum_offset};
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

TunQueue::TunQueue(FileDescriptor tun, std::size_t header, TunOffloads offloads)
    : tun_(std::move(tun)),
      header_(header),
      offloads_(offloads),
      buffer_(kBatchOctets + kRoomBefore + kLargest + kRoomAfter) {
  packets_.reserve(kBatch);
}

OsResult<TunQueue> TunQueue::adopt(FileDescriptor tun, TunOffloads wanted) {
  ifreq request{};
  if (ioctl(tun.number(), TUNGETIFF, &request) != 0) return std::unexpected(OsError{errno, "TUNGETIFF"});
  int header = 0;
  if ((request.ifr_flags & IFF_VNET_HDR) != 0 && ioctl(tun.number(), TUNGETVNETHDRSZ, &header) != 0)
    return std::unexpected(OsError{errno, "TUNGETVNETHDRSZ"});
  if (header < 0 || static_cast<std::size_t>(header) > kLongestHeader)
    return std::unexpected(OsError{0, "the TUN's header has an unknown length"});
  TunQueue queue(std::move(tun), static_cast<std::size_t>(header), {});
  if (!queue.ask({})) return std::unexpected(OsError{errno, "TUNSETOFFLOAD"});
  queue.use(wanted);
  return queue;
}

bool TunQueue::ask(TunOffloads offloads) const {
  unsigned long bits = offloads.tcp || offloads.udp ? TUN_F_CSUM : 0;
  if (offloads.tcp) bits |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  if (offloads.udp) bits |= kUso4 | kUso6;
  return ioctl(tun_.number(), TUNSETOFFLOAD, bits) == 0;
}

void TunQueue::use(TunOffloads wanted) {
  if (header_ == 0) wanted = {};
  for (const TunOffloads offloads : {wanted, TunOffloads{wanted.tcp, false}, TunOffloads{}})
    if (ask(offloads)) return void(offloads_ = offloads);
}

std::span<const core::TunPacket> TunQueue::read() {
  packets_.clear();
  used_ = 0;
  while (packets_.size() < kBatch && used_ < kBatchOctets && read_one()) {
  }
  return packets_;
}

// False: nothing more there.
bool TunQueue::read_one() {
  std::uint8_t* const at = buffer_.data() + used_ + kRoomBefore;
  VirtioHeader header;
  std::array<std::uint8_t, kLongestHeader> rest;
  std::array<iovec, 3> vectors{{{&header, std::min(header_, sizeof header)},
                                {rest.data(), header_ > sizeof header ? header_ - sizeof header : 0},
                                {at, kLargest}}};
  const ssize_t got = readv(tun_.number(), vectors.data(), static_cast<int>(vectors.size()));
  if (got < 0) return errno == EINTR;
  ++counters_.read;
  if (static_cast<std::size_t>(got) <= header_) return ++counters_.malformed, true;
  const auto kind = kind_of(header.gso_type);
  if (!kind) return ++counters_.malformed, true;
  core::TunPacket packet;
  packet.bytes = {at, static_cast<std::size_t>(got) - header_};
  packet.segmentation.kind = *kind;
  if (*kind != Segmentation::Kind::kNone) ++counters_.super_read;
  packet.segmentation.segment_size = header.segment_size;
  packet.segmentation.header_length = header.header_length;
  if ((header.flags & kNeedsChecksum) != 0 && packet.segmentation.kind == Segmentation::Kind::kNone &&
      !complete_checksum(packet.bytes, header.checksum_start, header.checksum_offset))
    return ++counters_.malformed, true;
  packet.room = true;
  packets_.push_back(packet);
  used_ += kRoomBefore + packet.bytes.size() + kRoomAfter;
  return true;
}

void TunQueue::write(std::span<const core::TunWrite> writes) {
  std::array<iovec, core::Coalescer::kMostPieces + 2> vectors;
  const std::array<std::uint8_t, kLongestHeader> rest{};
  for (const core::TunWrite& write : writes) {
    VirtioHeader header = header_for(write.segmentation);
    vectors[0] = {&header, std::min(header_, sizeof header)};
    vectors[1] = {const_cast<std::uint8_t*>(rest.data()), header_ > sizeof header ? header_ - sizeof header : 0};
    std::size_t used = 2;
    for (const auto piece : write.pieces) vectors[used++] = {const_cast<std::uint8_t*>(piece.data()), piece.size()};
    const ssize_t put = writev(tun_.number(), vectors.data(), static_cast<int>(used));
    if (put >= 0 && write.pieces.size() > 1) ++counters_.super_written;
    (put < 0 ? counters_.write_failed : counters_.written) += write.pieces.size();
  }
}

}  // namespace gateway::os
