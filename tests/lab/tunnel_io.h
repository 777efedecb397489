// What moves packets around an endpoint in a program of the lab or of bench: a TUN with offloads, UDP sockets with
// theirs, the cutter and the coalescer between them, as tunneld has them but without guard and translation. A call
// that fails at the start ends the program.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/core/coalescer.h"
#include "gateway/os/event_loop.h"
#include "gateway/os/tun_queue.h"
#include "gateway/os/udp_socket.h"
#include "tunnel/wire/outputs.h"

namespace lab {

[[noreturn]] void die(const char* what);  // with errno's text; status 2

class TunnelIo {
 public:
  // A device that is gone when the program is.
  void open_tun(const std::string& name);
  // Its number, which stands in OuterPath::socket, is how many there were before.
  void add_socket(gateway::os::FileDescriptor socket, const config::value::SocketAddress& bound);
  void close_sockets();

  // Until something can be read, or `milliseconds` have passed (negative: for ever). True: standard input is ready.
  [[nodiscard]] bool wait(int milliseconds);

  // What `wait` found, a batch at a time, and `flush` after each: the octets given are good until then.
  template <class Receive, class Flush>
  void serve_sockets(const Receive& receive, const Flush& flush) {
    for (std::size_t i = 0; i < sockets_.size(); ++i)
      for (int batch = 0; socket_ready(i) && batch < kBatchesPerTurn; ++batch) {
        const auto datagrams = sockets_[i].receive();
        if (datagrams.empty()) break;
        for (const auto& datagram : datagrams) receive(datagram);
        flush();
        if (!sockets_[i].more()) break;
      }
  }
  // `send` gets single packets with good checksums and room around them; those cut from a super-packet are in `arena`.
  template <class Send, class Flush>
  void serve_tun(tunnel::wire::Arena& arena, const Send& send, const Flush& flush) {
    for (int batch = 0; tun_ready() && batch < kBatchesPerTurn; ++batch) {
      const auto packets = tun_->read();
      if (packets.empty()) return;
      for (const auto& packet : packets)
        for (const auto single : singles(packet, arena)) send(single);
      flush();
      if (!tun_->more()) return;
    }
  }

  // In their order, each through its socket; what finds no room within a second is lost.
  void transmit(std::span<const tunnel::wire::Transmit> transmits);
  // To the TUN, joined where they may be; without a TUN they are dropped.
  void deliver(std::span<const tunnel::wire::Delivery> deliveries);

 private:
  static constexpr int kBatchesPerTurn = 8;  // as tunneld
  void watch(int descriptor, std::uint32_t token);
  [[nodiscard]] bool tun_ready() const { return tun_ && tun_ready_; }
  [[nodiscard]] bool socket_ready(std::size_t number) const { return number < ready_.size() && ready_[number]; }
  [[nodiscard]] std::span<const tunnel::wire::Bytes> singles(const gateway::core::TunPacket& packet,
                                                             tunnel::wire::Arena& arena);

  std::optional<gateway::os::EventLoop> loop_;
  std::optional<gateway::os::TunQueue> tun_;
  std::vector<gateway::os::UdpSocket> sockets_;
  bool tun_ready_ = false;
  std::vector<bool> ready_;
  gateway::core::Coalescer coalescer_;
  std::vector<tunnel::wire::Bytes> singles_, joined_;
};

}  // namespace lab
