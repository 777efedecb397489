// fork and execve, with nothing inherited but the standard streams and descriptor 3.
#include "gateway/daemon/supervisor_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace gateway::daemon {
namespace {

using config::value::Duration;
using config::value::Instant;
using core::ProcessRole;
using os::OsError;
using os::OsResult;

constexpr Duration kFirstBackoff = std::chrono::milliseconds(100);
constexpr Duration kLongestBackoff = std::chrono::seconds(2);
constexpr Duration kGrownUp =
    std::chrono::seconds(10);  // a child that lived so long starts from the first backoff again
constexpr int kChannelDescriptor = 3;

// Only what a child has use for; above all not NOTIFY_SOCKET.
constexpr std::array kInherited{"TZ",           "JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                "TSAN_OPTIONS", "LSAN_OPTIONS"};

std::vector<std::string> child_environment() {
  std::vector<std::string> environment;
  for (const char* name : kInherited)
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Between fork and execve: system calls only.
[[noreturn]] void become(int channel, const char* program, char* const* arguments, char* const* environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (channel == kChannelDescriptor) {
    fcntl(channel, F_SETFD, 0);
  } else if (dup2(channel, kChannelDescriptor) < 0) {
    _exit(2);
  }
  syscall(SYS_close_range, kChannelDescriptor + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  execve(program, arguments, environment);
  _exit(2);
}

}  // namespace

std::string name_of(ProcessRole role) {
  switch (role) {
    case ProcessRole::kSupervisor:
      return "supervisor";
    case ProcessRole::kNetd:
      return "netd";
    case ProcessRole::kTunneld:
      return "tunneld";
    case ProcessRole::kKeyd:
      return "keyd";
    case ProcessRole::kAccessd:
      return "accessd";
  }
  std::abort();
}

OsResult<void> SupervisedProcess::start(const std::string& directory, const RunArguments& arguments,
                                        os::EventLoop& loop, Instant now) {
  auto [ours, theirs] = TRY(os::MessageChannel::pair());
  std::vector<std::string> texts{directory + "/sekisho-" + name_of(role_),
                                 "--config",
                                 arguments.config_file,
                                 "--state",
                                 arguments.state_directory,
                                 "--runtime",
                                 arguments.runtime_directory};
  auto environment = child_environment();
  const auto argv = pointers(texts);
  const auto envp = pointers(environment);
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(OsError{errno, "fork"});
  if (pid == 0) become(theirs.number(), texts[0].c_str(), argv.data(), envp.data());
  process_ = os::FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));  // ours until reaped: no race
  if (!process_.valid()) return std::unexpected(OsError{errno, "pidfd_open"});
  channel_ = os::MessageChannel(std::move(ours));
  started_ = last_answer_ = now;
  if (auto watched = loop.watch(channel_.descriptor(), token_); !watched) return watched;
  return loop.watch(process_.number(), token_ + 1);
}

int SupervisedProcess::reap(os::EventLoop& loop, Instant now) {
  siginfo_t facts{};
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.number()), &facts, WEXITED);
  loop.forget(process_.number());
  process_.reset();
  channel_.close();
  backoff_ = now - started_ >= kGrownUp ? kFirstBackoff : std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
  restart_at_ = now + backoff_;
  return facts.si_code == CLD_EXITED ? facts.si_status : 128 + facts.si_status;
}

void SupervisedProcess::kill() const {
  syscall(SYS_pidfd_send_signal, process_.number(), SIGKILL, nullptr, 0);
}

}  // namespace gateway::daemon
