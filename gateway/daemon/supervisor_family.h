// The four children and the channels between them. A child that ends is started again, and it and its partners get
// fresh channels; one that does not answer for five seconds is killed first.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "gateway/daemon/supervisor_process.h"

namespace gateway::daemon {

class SupervisedFamily {
 public:
  static constexpr std::uint32_t kFirstToken = 16;

  SupervisedFamily(std::string directory, RunArguments arguments, os::EventLoop& loop)
      : directory_(std::move(directory)), arguments_(std::move(arguments)), loop_(loop) {}

  struct News {
    bool accessd_ready = false;
    std::string status;                      // of accessd
    std::optional<core::ProcessRole> ended;  // this call saw it end
    int exit_status = 0;                     // 128 + signal when it was killed
  };

  [[nodiscard]] os::OsResult<void> start(core::ProcessRole role, config::value::Instant now);
  // Everyone whose time to be started (again) has come.
  void start_due(config::value::Instant now);
  [[nodiscard]] News on_ready(const os::ReadyDescriptor& ready, config::value::Instant now);
  // Once a second: asks everyone for a sign of life, kills who gave none.
  void tick(config::value::Instant now);
  [[nodiscard]] std::optional<config::value::Instant> next_start() const;

  void request_reload();
  // From now on an end is no loss.
  void expect_ends() { ending_ = true; }
  void request_stop(core::ProcessRole role);
  void kill(core::ProcessRole role);
  [[nodiscard]] bool running(core::ProcessRole role) const { return process(role).running(); }

 private:
  SupervisedProcess& process(core::ProcessRole role) { return processes_[static_cast<std::size_t>(role) - 1]; }
  [[nodiscard]] const SupervisedProcess& process(core::ProcessRole role) const {
    return processes_[static_cast<std::size_t>(role) - 1];
  }
  void join(SupervisedProcess& one, SupervisedProcess& other);
  void hand_over_kept();
  [[nodiscard]] News read_channel(SupervisedProcess& from, config::value::Instant now);
  void send(SupervisedProcess& to, core::MessageType type, std::span<const std::uint8_t> payload,
            std::span<const int> descriptors = {});

  const std::string directory_;
  const RunArguments arguments_;
  os::EventLoop& loop_;
  std::array<SupervisedProcess, 4> processes_{SupervisedProcess(core::ProcessRole::kNetd, kFirstToken),
                                              SupervisedProcess(core::ProcessRole::kTunneld, kFirstToken + 2),
                                              SupervisedProcess(core::ProcessRole::kKeyd, kFirstToken + 4),
                                              SupervisedProcess(core::ProcessRole::kAccessd, kFirstToken + 6)};
  std::optional<os::Message> kept_;  // netd's descriptors, so that its successor need not bind what is in use
  std::uint64_t count_ = 0;
  std::optional<config::value::Instant> ticked_;
  bool ending_ = false;
};

// One line of the log (gateway/telemetry) on standard error.
void log_started(core::ProcessRole role);
void log_ready(const std::string& detail);
void log_ended(core::ProcessRole role, int exit_status, bool expected);
void log_alarm(const std::string& detail);

}  // namespace gateway::daemon
