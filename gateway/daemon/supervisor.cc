// Signals come by signalfd only, deaths by pidfd. The order of the stop is the fail-closed one: records end first, then
// the tunnels, then netd closes the kernel, then the keys go.
#include "gateway/daemon/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "gateway/daemon/supervisor_family.h"
#include "gateway/os/clock.h"

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
  Supervisor(std::string directory, RunArguments arguments, os::EventLoop loop, os::FileDescriptor signals)
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
    sd_notify(0, "STATUS=stopped");
    return status_;
  }

 private:
  void tick(Instant now) {
    next_tick_ = now + kTick;
    family_.tick(now);
    sd_notify(0, "WATCHDOG=1");
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
      ever_ready_ = true;
      sd_notifyf(0, "READY=1\nSTATUS=%s", news.status.c_str());
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
    signalfd_siginfo signal{};
    while (read(signals_.number(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGHUP) {
        sd_notify(0, "STATUS=reloading");
        family_.request_reload();
      } else if (!stopping_) {
        begin_stop();
      }
    }
  }

  void begin_stop() {
    stopping_ = true;
    sd_notify(0, "STOPPING=1");
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
  os::FileDescriptor signals_;
  SupervisedFamily family_;
  Instant next_tick_{}, step_deadline_{};
  bool stopping_ = false, ever_ready_ = false, tried_again_ = false;
  std::size_t step_ = 0;
  int status_ = 0;
};

OsResult<std::string> own_directory() {
  std::array<char, PATH_MAX> path{};
  const auto length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length < 0) return std::unexpected(OsError{errno, "readlink /proc/self/exe"});
  return std::filesystem::path(std::string(path.data(), static_cast<std::size_t>(length))).parent_path().string();
}

OsResult<std::string> make_directory(const std::string& path, mode_t mode) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (!error) std::filesystem::create_directories(absolute.parent_path(), error);
  if (error) return std::unexpected(OsError{error.value(), path});
  if (mkdir(absolute.c_str(), mode) != 0 && errno != EEXIST) return std::unexpected(OsError{errno, path});
  return absolute.string();
}

// Held for the life of the process; the kernel lets go of it however the process ends.
OsResult<os::FileDescriptor> lock_state(const std::string& directory) {
  const std::string path = directory + "/lock";
  os::FileDescriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock.valid()) return std::unexpected(OsError{errno, path});
  if (flock(lock.number(), LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(OsError{0, directory + " is in use by another gateway"});
  return lock;
}

OsResult<os::FileDescriptor> take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  sigset_t blocked = signals;
  sigaddset(&blocked, SIGPIPE);
  if (sigprocmask(SIG_BLOCK, &blocked, nullptr) != 0) return std::unexpected(OsError{errno, "sigprocmask"});
  os::FileDescriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.valid()) return std::unexpected(OsError{errno, "signalfd"});
  return descriptor;
}

OsResult<int> run(RunArguments arguments) {
  const auto directory = TRY(own_directory());
  arguments.config_file = std::filesystem::absolute(arguments.config_file).string();
  arguments.state_directory = TRY(make_directory(arguments.state_directory, 0700));
  arguments.runtime_directory = TRY(make_directory(arguments.runtime_directory, 0755));
  const auto lock = TRY(lock_state(arguments.state_directory));
  auto signals = TRY(take_signals());
  auto loop = TRY(os::EventLoop::create());
  if (auto watched = loop.watch(signals.number(), kSignalToken); !watched) return std::unexpected(watched.error());
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
