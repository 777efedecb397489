// One child of the supervisor: its process, its channel, when it last answered and when it may be started again.
#pragma once

#include <algorithm>
#include <string>

#include "config/value/instant.h"
#include "gateway/daemon/supervisor.h"
#include "gateway/os/child_process.h"
#include "gateway/os/event_loop.h"
#include "gateway/os/message_channel.h"

namespace gateway::daemon {

class SupervisedProcess {
 public:
  SupervisedProcess(core::ProcessRole role, std::uint32_t token) : role_(role), token_(token) {}

  // Executes `directory`/sekisho-NAME with descriptor 3 as its channel. Watches the channel with `token` and the
  // process with token + 1.
  [[nodiscard]] os::OsResult<void> start(const std::string& directory, const RunArguments& arguments,
                                         os::EventLoop& loop, config::value::Instant now);
  // Exit status, or 128 + the signal that ended it. To be called when the process descriptor is ready.
  int reap(os::EventLoop& loop, config::value::Instant now);
  void kill() const;

  [[nodiscard]] core::ProcessRole role() const { return role_; }
  [[nodiscard]] std::uint32_t token() const { return token_; }
  [[nodiscard]] bool running() const { return process_.running(); }
  [[nodiscard]] os::MessageChannel& channel() { return channel_; }
  // When to start it again: 0.1 s after it ended, doubled each time it ended young, at most 2 s.
  [[nodiscard]] config::value::Instant restart_at() const { return restart_at_; }
  // The watchdog: silent for longer than kSilence, and for longer than it said that it would be.
  static constexpr config::value::Duration kSilence = std::chrono::seconds(5);
  static constexpr config::value::Duration kMostBusy = std::chrono::seconds(30);
  void answered(config::value::Instant now) { last_answer_ = now, busy_ = {}; }
  // It will not answer for so long, kMostBusy at most; counted once, from its last answer.
  void busy(config::value::Duration time) { busy_ = std::min(time, kMostBusy); }
  [[nodiscard]] bool overdue(config::value::Instant now) const { return now - last_answer_ > kSilence + busy_; }

 private:
  const core::ProcessRole role_;
  const std::uint32_t token_;
  os::ChildProcess process_;
  os::MessageChannel channel_;
  config::value::Instant started_{}, last_answer_{}, restart_at_{};
  config::value::Duration backoff_{0}, busy_{0};
};

}  // namespace gateway::daemon
