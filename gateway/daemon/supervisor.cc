// Signals come by signalfd only, deaths by pidfd. The order of the stop is the fail-closed one: records end first, then
// the tunnels, then netd closes the kernel, then the keys go.
#include "gateway/daemon/supervisor.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "gateway/daemon/supervisor_family.h"
#include "gateway/os/child_process.h"
#include "gateway/os/clock.h"
#include "gateway/os/service_manager.h"
#include "gateway/os/signals.h"
#include "gateway/os/state_files.h"

namespace gateway::daemon {
namespace {

using config::value::Duration;
using config::value::Instant;
using core::ProcessRole;
using os::OsError;
using os::OsResult;

constexpr std::uint32_t kSignalToken = 1;
constexpr Duration kTick = std::chrono::seconds(1);

struct StopStep {
  ProcessRole role;
  Duration grace;
};
constexpr std::array kStopOrder{
    StopStep{ProcessRole::kAccessd, std::chrono::seconds(5)}, StopStep{ProcessRole::kTunneld, std::chrono::seconds(2)},
    StopStep{ProcessRole::kNetd, std::chrono::seconds(5)}, StopStep{ProcessRole::kKeyd, std::chrono::seconds(1)}};

class Supervisor {
 public:
  Supervisor(std::string directory, RunArguments arguments, os::EventLoop loop, os::SignalSource signals)
      : loop_(std::move(loop)),
        signals_(std::move(signals)),
        family_(std::move(directory), std::move(arguments), loop_) {}

  int run() {
    while (step_ < kStopOrder.size() || !stopping_) {
      const Instant now = os::boot_now();
      if (!stopping_) family_.start_due(now);
      if (now >= next_tick_) tick(now);
      wait();
      if (stopping_) advance_stop(os::boot_now());
    }
    os::notify_service_manager("STATUS=stopped");
    return status_;
  }

 private:
  void tick(Instant now) {
    next_tick_ = now + kTick;
    family_.tick(now);
    os::notify_service_manager("WATCHDOG=1");
  }

  void wait() {
    Instant deadline = next_tick_;
    if (const auto start = family_.next_start(); start && !stopping_) deadline = std::min(deadline, *start);
    if (stopping_) deadline = std::min(deadline, step_deadline_);
    const auto ready = loop_.wait(deadline);
    for (const auto& one : ready) {
      if (one.token == kSignalToken)
        read_signals();
      else
        note(family_.on_ready(one, os::boot_now()));
    }
  }

  void note(const SupervisedFamily::News& news) {
    if (news.accessd_ready) {
      if (!std::exchange(reloading_, false)) log_ready(news.status);
      ever_ready_ = true;
      os::notify_service_manager("READY=1\nSTATUS=" + news.status);
    }
    const bool closing = stopping_ && step_ < kStopOrder.size() && kStopOrder[step_].role == ProcessRole::kNetd;
    if (closing && news.ended == ProcessRole::kNetd && news.exit_status != 0) close_again();
    // A child that says it cannot run, before the gateway ever ran: a person must act.
    if (news.ended && news.exit_status == 2 && !ever_ready_ && !stopping_) {
      status_ = 2;
      begin_stop();
    }
  }

  void read_signals() {
    while (const auto signal = signals_.next()) {
      if (*signal == os::Signal::kReload) {
        begin_reload();
        family_.request_reload();
      } else if (!stopping_) {
        begin_stop();
      }
    }
  }

  // sd_notify(3): RELOADING=1 with the time it began; READY=1 follows when accessd says how it went.
  void begin_reload() {
    if (!ever_ready_) return;
    reloading_ = true;
    const auto began = std::chrono::duration_cast<std::chrono::microseconds>(os::monotonic_now());
    os::notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(began.count()) + "\nSTATUS=reloading");
  }

  void begin_stop() {
    stopping_ = true;
    family_.expect_ends();
    os::notify_service_manager("STOPPING=1");
    begin_step(os::boot_now());
  }

  // netd ended without having closed the kernel: one more may try.
  void close_again() {
    if (std::exchange(tried_again_, true))
      status_ = 2;
    else
      begin_step(os::boot_now());
  }

  void begin_step(Instant now) {
    const auto& step = kStopOrder[step_];
    // netd must close the kernel also when it has just died.
    if (step.role == ProcessRole::kNetd && !family_.running(step.role)) (void)family_.start(step.role, now);
    family_.request_stop(step.role);
    step_deadline_ = now + step.grace;
  }

  void advance_stop(Instant now) {
    while (step_ < kStopOrder.size()) {
      const auto& step = kStopOrder[step_];
      if (family_.running(step.role)) {
        if (now < step_deadline_) return;
        log_alarm("sekisho-" + name_of(step.role) + " does not stop and is killed");
        family_.kill(step.role);
        step_deadline_ = now + kTick;
        return;
      }
      if (++step_ < kStopOrder.size()) begin_step(now);
    }
  }

  os::EventLoop loop_;
  os::SignalSource signals_;
  SupervisedFamily family_;
  Instant next_tick_{}, step_deadline_{};
  bool stopping_ = false, ever_ready_ = false, reloading_ = false, tried_again_ = false;
  std::size_t step_ = 0;
  int status_ = 0;
};

OsResult<std::string> make_directory(const std::string& path, unsigned mode) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (!error) std::filesystem::create_directories(absolute.parent_path(), error);
  if (error) return std::unexpected(OsError{error.value(), path});
  TRY(os::make_folder(absolute.string(), mode));
  return absolute.string();
}

OsResult<int> run(RunArguments arguments) {
  const auto directory = TRY(os::own_program_folder());
  arguments.config_file = std::filesystem::absolute(arguments.config_file).string();
  arguments.state_directory = TRY(make_directory(arguments.state_directory, 0700));
  arguments.runtime_directory = TRY(make_directory(arguments.runtime_directory, 0755));
  const auto lock = TRY(os::lock_folder(arguments.state_directory));
  auto signals = TRY(os::SignalSource::create({os::Signal::kStop, os::Signal::kReload}));
  auto loop = TRY(os::EventLoop::create());
  if (auto watched = loop.watch(signals.descriptor(), kSignalToken); !watched) return std::unexpected(watched.error());
  return Supervisor(directory, std::move(arguments), std::move(loop), std::move(signals)).run();
}

}  // namespace

int run_gateway(const RunArguments& arguments) {
  const auto status = run(arguments);
  if (status) return *status;
  std::fprintf(stderr, "sekisho: %s\n", status.error().to_string().c_str());
  return 2;
}

}  // namespace gateway::daemon
