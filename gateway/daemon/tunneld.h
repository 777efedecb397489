// The process that sees all hostile packets and holds traffic keys, and nothing else: moves batches between sockets,
// TUN and DataPlane; long-term keys are asked of keyd, plan and records belong to accessd. Losing either channel stops
// neither forwarding nor running sessions.
#pragma once

#include <optional>
#include <vector>

#include "gateway/core/data_plane.h"
#include "gateway/core/event_queue.h"
#include "gateway/os/signals.h"
#include "gateway/os/supervised_child.h"
#include "gateway/os/system_rng.h"
#include "gateway/os/tun_queue.h"
#include "gateway/os/udp_socket.h"

namespace gateway::daemon {

class Tunneld {
 public:
  explicit Tunneld(os::SupervisedChild child);
  // Until asked to stop. The exit status.
  [[nodiscard]] int run();

 private:
  static constexpr std::uint32_t kTunToken = os::SupervisedChild::kFirstFreeToken;
  static constexpr std::uint32_t kSignalToken = kTunToken + 1;
  static constexpr std::uint32_t kFirstSocketToken = kTunToken + 16;
  static constexpr int kBatchesPerTurn = 8;  // then the channels get their turn

  // messages
  void take(core::ProcessRole from, const os::Message& message, std::vector<os::FileDescriptor> descriptors);
  void configure(const core::ConfigureTunnels& request, std::vector<os::FileDescriptor> descriptors);
  [[nodiscard]] os::OsResult<void> adopt(const core::ConfigureTunnels& request,
                                         std::vector<os::FileDescriptor> descriptors);
  [[nodiscard]] os::OsResult<void> watch_all();
  void use_offloads(const config::Offloads& allowed);
  void take_key_replies(const core::KeyReplies& replies);
  void report(const core::StatusQuery& query);
  void tell_installed(const core::ReadTunnels& query);
  void lose(core::ProcessRole role);
  void fail_key_requests();

  // packets
  void serve(const os::ReadyDescriptor& ready);
  void serve_tun();
  void serve_socket(os::UdpSocket& socket);
  void flush();
  void flush_transmits();
  void choose_socket(tunnel::wire::OuterPath& path) const;
  [[nodiscard]] os::UdpSocket* socket_at(std::uint16_t number);
  [[nodiscard]] std::uint16_t place_of(const core::BoundSocket& bound);

  // what the data plane wants from others
  void ask_keyd();
  void tell_events();
  void tell_refusals();
  void renew_timestamps();
  [[nodiscard]] std::optional<config::value::Instant> deadline();
#ifdef SEKISHO_FAULTS
  void watch_fault_signal();
  void read_faults();
  std::optional<os::SignalSource> fault_signal_;
#endif

  os::SupervisedChild child_;
  os::SystemRng rng_;
  core::DataPlane plane_{rng_};
  core::DataPlaneOutputs out_;
  core::Times now_;
  std::optional<os::TunQueue> tun_;
  core::Coalescer coalescer_;
  struct Outside {
    core::BoundSocket bound;
    std::optional<os::UdpSocket> socket;  // none: that address or port is no longer ours
  };
  std::vector<Outside> outside_;           // the index is OuterPath::socket, and means the same socket for ever
  std::vector<std::uint64_t> asked_keys_;  // request ids keyd has not answered
  core::EventQueue events_;
  std::optional<std::uint64_t> asked_timestamps_;  // floor sent to accessd, echo outstanding
  config::value::Instant ask_timestamps_at_{};     // not before: the last answer was a refusal
  std::uint64_t transmits_lost_ = 0;
};

}  // namespace gateway::daemon
