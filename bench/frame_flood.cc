// A flood of prepared Ethernet frames for bench/ike_flood.py, at the least cost to whatever shares the processors.
//   frame_flood INTERFACE FILE RATE SECONDS    FILE: frames one after another, each behind its length (two octets,
//                                              the high one first), sent in turns; RATE a second
// One JSON line at the end. Needs CAP_NET_RAW.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "bench/clock.h"

namespace {

using bench::kSecond;
using bench::now;

constexpr std::size_t kBatch = 64;         // frames of one call, and of one tick: what was late is made up no faster
constexpr std::int64_t kTick = 1'000'000;  // nanoseconds

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(2);
}

int open_interface(const char* name) {
  const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: nothing is received
  sockaddr_ll address{};
  address.sll_family = AF_PACKET, address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(if_nametoindex(name));
  const int on = 1;
  if (socket < 0 || address.sll_ifindex == 0) die(name);
  if (setsockopt(socket, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0) die("PACKET_QDISC_BYPASS");
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  return socket;
}

std::vector<std::uint8_t> read_whole(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) die(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<iovec> frames_of(std::span<std::uint8_t> octets) {
  std::vector<iovec> out;
  while (octets.size() >= 2) {
    const std::size_t size = octets[0] * std::size_t{256} + octets[1];
    if (size < ETH_HLEN || size > octets.size() - 2) break;
    out.push_back({octets.data() + 2, size});
    octets = octets.subspan(2 + size);
  }
  if (out.empty() || !octets.empty()) std::fputs("the file of frames is cut or empty\n", stderr), std::exit(2);
  return out;
}

class Flood {
 public:
  Flood(int socket, std::vector<iovec> frames) : socket_(socket), frames_(std::move(frames)) {}
  void send(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      messages_[i] = {};
      messages_[i].msg_hdr.msg_iov = &frames_[next_++ % frames_.size()], messages_[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = sendmmsg(socket_, messages_.data(), static_cast<unsigned>(count), 0);
    if (sent > 0) sent_ += static_cast<std::uint64_t>(sent);
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t tried() const { return next_; }

 private:
  int socket_;
  std::vector<iovec> frames_;
  std::array<mmsghdr, kBatch> messages_{};
  std::uint64_t next_ = 0, sent_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fputs("frame_flood INTERFACE FILE RATE SECONDS\n", stderr), 2;
  prctl(PR_SET_TIMERSLACK, 1);
  auto octets = read_whole(argv[2]);
  const double rate = std::strtod(argv[3], nullptr), seconds = std::strtod(argv[4], nullptr);
  if (rate <= 0 || rate > 1e6 || seconds <= 0 || seconds > 600) die("numbers");
  Flood flood(open_interface(argv[1]), frames_of(octets));
  const std::int64_t begin = now();
  for (std::int64_t at = begin; at - begin < static_cast<std::int64_t>(seconds * 1e9); at = now()) {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(at - begin) * 1e-9 * rate);
    const std::size_t count = std::min<std::uint64_t>(kBatch, due - flood.tried());
    if (count > 0) flood.send(count);
    if (count == kBatch) continue;
    const std::int64_t next = at + kTick;
    const timespec until{next / kSecond, next % kSecond};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  fmt::print(R"({{"sent": {}, "seconds": {:.6f}}})"
             "\n",
             flood.sent(), static_cast<double>(now() - begin) * 1e-9);
  return 0;
}
