// UDP load for bench/run: paced packets with a number and the time of sending, what arrives of them, and round trips.
// Both ends run on one machine and so read one clock. One JSON line at the end; `receive` and `echo` end with their
// input, and say "ready" before.
//   packet_load receive PORT                              what came, and the delay of each (one way)
//   packet_load echo PORT                                 sends everything back
//   packet_load send ADDRESS PORT OCTETS RATE SECONDS     RATE 0: as fast as it goes, at most 500,000 a second
//   packet_load ask ADDRESS PORT OCTETS RATE SECONDS      to an `echo`, and the delay of each answer (round trip)
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/clock.h"

namespace {

using bench::kSecond;
using bench::now;

constexpr std::size_t kBatch = 64;  // packets of one call, and of one tick: what was late is made up no faster
constexpr std::size_t kLargest = 2048;
constexpr std::int64_t kTick = 200'000;        // nanoseconds
constexpr std::uint64_t kFlood = 500'000;      // packets a second
constexpr std::int64_t kInTime = kSecond / 2;  // later is as good as lost

struct Head {
  std::uint64_t number;
  std::int64_t sent;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(2);
}

// Delays in bins of a microsecond, up to two seconds.
class Delays {
 public:
  void add(std::int64_t delay) {
    const std::int64_t bin = std::clamp<std::int64_t>(delay / 1000, 0, static_cast<std::int64_t>(bins_.size()) - 1);
    ++bins_[static_cast<std::size_t>(bin)], ++count_;
    sum_ += static_cast<double>(delay), most_ = std::max(most_, delay);
  }
  [[nodiscard]] double part(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * share));
    std::uint64_t seen = 0;
    for (std::size_t bin = 0; bin < bins_.size(); ++bin)
      if ((seen += bins_[bin]) >= wanted && count_ > 0) return (static_cast<double>(bin) + 0.5) * 1e-6;
    return 0;
  }
  [[nodiscard]] std::string json() const {
    return fmt::format(R"("mean": {:.9f}, "p50": {:.9f}, "p99": {:.9f}, "max": {:.9f})",
                       count_ == 0 ? 0 : sum_ / static_cast<double>(count_) * 1e-9, part(0.5), part(0.99),
                       static_cast<double>(most_) * 1e-9);
  }

 private:
  std::vector<std::uint32_t> bins_ = std::vector<std::uint32_t>(2'000'000);
  std::uint64_t count_ = 0;
  double sum_ = 0;
  std::int64_t most_ = 0;
};

class Packets {  // one batch, and its socket
 public:
  Packets() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const int size = 8 << 20;
    if (socket_ < 0) die("socket");
    for (const int option : {SO_RCVBUFFORCE, SO_SNDBUFFORCE})
      if (setsockopt(socket_, SOL_SOCKET, option, &size, sizeof size) != 0) die("buffers");
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors_[i].iov_base = octets_[i].data();
      messages_[i].msg_hdr.msg_iov = &vectors_[i], messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  ~Packets() { close(socket_); }
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;

  void bind_to(const char* port) {
    sockaddr_in address{};
    address.sin_family = AF_INET, address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  }
  void connect_to(const char* name, const char* port) {
    sockaddr_in address{};
    address.sin_family = AF_INET, address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    if (inet_pton(AF_INET, name, &address.sin_addr) != 1) die("address");
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect");
  }
  // Numbers from `first` on, all sent now; how many the kernel took.
  std::size_t send(std::uint64_t first, std::size_t count, std::size_t size) {
    const Head stamp{0, now()};
    for (std::size_t i = 0; i < count; ++i) {
      const Head head{first + i, stamp.sent};
      std::memcpy(octets_[i].data(), &head, sizeof head);
      vectors_[i].iov_len = size;
      messages_[i].msg_hdr.msg_name = nullptr, messages_[i].msg_hdr.msg_namelen = 0;
    }
    const int sent = sendmmsg(socket_, messages_.data(), static_cast<unsigned>(count), 0);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  std::size_t receive() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors_[i].iov_len = kLargest;
      messages_[i].msg_hdr.msg_name = &names_[i], messages_[i].msg_hdr.msg_namelen = sizeof names_[i];
    }
    const int got = recvmmsg(socket_, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  void give_back(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) vectors_[i].iov_len = messages_[i].msg_len;
    for (std::size_t done = 0; done < count;) {
      const int sent = sendmmsg(socket_, messages_.data() + done, static_cast<unsigned>(count - done), 0);
      done += sent > 0 ? static_cast<std::size_t>(sent) : 1;
    }
  }
  [[nodiscard]] Head head(std::size_t i) const {
    Head head{};
    std::memcpy(&head, octets_[i].data(), sizeof head);
    return head;
  }
  // True: input has ended. Else there is something to receive, or `until` (an instant, nanoseconds) has come.
  [[nodiscard]] bool wait(bool input, std::int64_t until) const {
    std::array<pollfd, 2> waits{{{socket_, POLLIN, 0}, {input ? 0 : -1, POLLIN, 0}}};
    const std::int64_t left = std::max<std::int64_t>(0, until - now());
    const timespec patience{left / kSecond, left % kSecond};
    if (ppoll(waits.data(), waits.size(), until < 0 ? nullptr : &patience, nullptr) < 0) die("poll");
    char octet = 0;
    return waits[1].revents != 0 && read(0, &octet, 1) <= 0;
  }

 private:
  int socket_;
  std::array<std::array<std::uint8_t, kLargest>, kBatch> octets_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> messages_{};
  std::array<sockaddr_in, kBatch> names_{};
};

void say_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

int receive(const char* port) {
  const auto packets = std::make_unique<Packets>();
  packets->bind_to(port);
  Delays delays;
  std::uint64_t count = 0, in_time = 0, overtaken = 0, next = 0;
  std::int64_t first = 0, last = 0;
  say_ready();
  while (!packets->wait(true, -1)) {
    while (const std::size_t got = packets->receive()) {
      last = now();
      if (count == 0) first = last;
      count += got;
      for (std::size_t i = 0; i < got; ++i) {
        const Head head = packets->head(i);
        delays.add(last - head.sent);
        in_time += last - head.sent <= kInTime;
        overtaken += head.number < next;
        next = std::max(next, head.number + 1);
      }
    }
  }
  fmt::print(R"({{"received": {}, "in_time": {}, "overtaken": {}, "seconds": {:.6f}, {}}})"
             "\n",
             count, in_time, overtaken, static_cast<double>(last - first) * 1e-9, delays.json());
  return 0;
}

int echo(const char* port) {
  const auto packets = std::make_unique<Packets>();
  packets->bind_to(port);
  say_ready();
  while (!packets->wait(true, -1))
    while (const std::size_t got = packets->receive()) packets->give_back(got);
  return 0;
}

struct Load {
  explicit Load(char** words)
      : octets(std::strtoul(words[4], nullptr, 10)),
        rate(std::strtod(words[5], nullptr)),
        seconds(std::strtod(words[6], nullptr)) {
    if (octets < sizeof(Head) || octets > kLargest || rate < 0 || seconds <= 0 || seconds > 600) die("numbers");
  }
  // Packets that are due `passed` nanoseconds after the beginning.
  [[nodiscard]] std::uint64_t due(std::int64_t passed) const {
    const double pace = rate > 0 ? rate : static_cast<double>(kFlood);
    return static_cast<std::uint64_t>(std::min(static_cast<double>(passed) * 1e-9, seconds) * pace);
  }
  [[nodiscard]] bool over(std::int64_t passed, std::uint64_t sent) const {
    const double now_seconds = static_cast<double>(passed) * 1e-9;
    if (rate == 0) return now_seconds >= seconds;
    return now_seconds >= 2 * seconds || (now_seconds >= seconds && sent >= due(passed));
  }
  std::size_t octets;
  double rate, seconds;
};

int send(char** words) {
  const Load load(words);
  const auto packets = std::make_unique<Packets>();
  packets->connect_to(words[2], words[3]);
  std::uint64_t sent = 0, refused = 0;
  const std::int64_t begin = now();
  for (std::int64_t at = begin; !load.over(at - begin, sent); at = now()) {
    const std::size_t count = std::min<std::uint64_t>(kBatch, load.due(at - begin) - sent);
    if (count > 0) refused += count - packets->send(sent, count, load.octets), sent += count;
    if (load.rate == 0 && count == kBatch) continue;
    const std::int64_t next = at + kTick;
    const timespec until{next / kSecond, next % kSecond};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  fmt::print(R"({{"sent": {}, "refused": {}, "seconds": {:.6f}}})"
             "\n",
             sent, refused, static_cast<double>(now() - begin) * 1e-9);
  return 0;
}

int ask(char** words) {
  const Load load(words);
  const auto packets = std::make_unique<Packets>();
  packets->connect_to(words[2], words[3]);
  Delays delays;
  std::uint64_t sent = 0, received = 0;
  const std::int64_t begin = now();
  const auto gap = static_cast<std::int64_t>(1e9 / std::max(load.rate, 1.0));
  for (std::int64_t at = begin; at - begin < static_cast<std::int64_t>(load.seconds * 1e9) + kInTime; at = now()) {
    if (load.due(at - begin) > sent) packets->send(sent, 1, load.octets), ++sent;
    static_cast<void>(packets->wait(false, std::min(begin + static_cast<std::int64_t>(sent + 1) * gap, at + kInTime)));
    const std::size_t got = packets->receive();
    const std::int64_t came = now();
    for (std::size_t i = 0; i < got; ++i) delays.add(came - packets->head(i).sent);
    received += got;
  }
  fmt::print(R"({{"sent": {}, "received": {}, {}}})"
             "\n",
             sent, received, delays.json());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_TIMERSLACK, 1);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "receive" && argc == 3) return receive(argv[2]);
  if (what == "echo" && argc == 3) return echo(argv[2]);
  if (what == "send" && argc == 7) return send(argv);
  if (what == "ask" && argc == 7) return ask(argv);
  return std::fputs("packet_load receive|echo PORT, or send|ask ADDRESS PORT OCTETS RATE SECONDS\n", stderr), 2;
}
