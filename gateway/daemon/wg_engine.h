// The process of one WireGuard interface (docs/decisions/0008): moves batches between sockets, TUN and wg::Device, and
// carries out what wg asks for over the UAPI socket. One thread; no client and no peer can make it wait.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "gateway/os/event_loop.h"
#include "gateway/os/own_tun.h"
#include "gateway/os/signals.h"
#include "gateway/os/system_rng.h"
#include "gateway/os/tun_queue.h"
#include "gateway/os/uapi_socket.h"
#include "gateway/os/udp_socket.h"
#include "gateway/wg/device.h"

namespace gateway::daemon {

class WgEngine {
 public:
  // Everything the engine holds for its whole life, opened and watched.
  struct Parts {
    std::string name;
    os::EventLoop loop;
    os::SignalSource signals;
    os::FileDescriptor link_changes;
    os::TunQueue tun;
    os::UapiSocket uapi;
  };
  // Makes the device and the socket file. Needs CAP_NET_ADMIN and /dev/net/tun.
  [[nodiscard]] static os::OsResult<Parts> open(const std::string& name);

  explicit WgEngine(Parts parts);
  // Until SIGTERM, or until device or socket file are removed. The exit status.
  [[nodiscard]] int run();

 private:
  static constexpr std::uint32_t kTunToken = 1, kSignalToken = 2, kLinkToken = 3, kV4Token = 4, kV6Token = 5;
  static constexpr std::uint32_t kUapiToken = 16;
  static constexpr int kBatchesPerTurn = 8;   // then the others get their turn
  static constexpr int kRequestsPerTurn = 4;  // likewise

  // wg_engine.cc
  [[nodiscard]] std::optional<config::value::Instant> deadline();
  [[nodiscard]] bool serve(const os::ReadyDescriptor& ready);  // false: the end has come
  [[nodiscard]] bool follow_link();
  void serve_tun();
  void serve_socket(std::size_t place);
  void flush();
  void write_tun();
  void send_transmits();
  void send_all(os::UdpSocket& socket, std::span<const tunnel::wire::Transmit> transmits);

  // wg_engine_requests.cc
  using Sockets = std::array<std::optional<os::UdpSocket>, 2>;  // IPv4, IPv6; the second is missing without IPv6
  void serve_requests();
  [[nodiscard]] tunnel::wire::WipedOctets carry_out(const os::UapiSocket::Request& request);
  [[nodiscard]] tunnel::uapi::Status set(const tunnel::uapi::SetRequest& request);
  [[nodiscard]] tunnel::uapi::Status set_sockets(const tunnel::uapi::SetRequest& request);
  [[nodiscard]] static os::OsResult<Sockets> bind_sockets(std::uint16_t port, std::uint32_t mark);
  [[nodiscard]] os::OsResult<void> adopt(Sockets sockets);
  void close_sockets();
  void say(const std::string& what) const;

  Parts parts_;
  os::SystemRng rng_;
  wg::Times now_;
  wg::Device device_;
  wg::DeviceOutputs out_;
  core::Coalescer coalescer_;
  Sockets sockets_;
  std::uint16_t port_ = 0;  // 0: any, when the link goes up
  std::uint32_t mark_ = 0;
  bool up_ = false;
  std::uint16_t mtu_ = wg::Device::kDefaultMtu;
  std::vector<config::value::IpAddress> own_;  // addresses of ours that datagrams came to: answers leave from them
};

}  // namespace gateway::daemon
