// fork and execve, with nothing inherited but the standard streams and descriptor 3.
#include "gateway/os/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>

namespace gateway::os {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Between fork and execve: system calls only.
[[noreturn]] void become(int channel, char* const* arguments, char* const* environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (channel == ChildProcess::kChannelDescriptor) {
    fcntl(channel, F_SETFD, 0);
  } else if (dup2(channel, ChildProcess::kChannelDescriptor) < 0) {
    _exit(2);
  }
  syscall(SYS_close_range, ChildProcess::kChannelDescriptor + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  execve(arguments[0], arguments, environment);
  _exit(2);
}

}  // namespace

OsResult<ChildProcess> ChildProcess::start(std::vector<std::string> arguments, std::vector<std::string> environment,
                                           int channel) {
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(OsError{errno, "fork"});
  if (pid == 0) become(channel, argv.data(), envp.data());
  FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));  // ours until reaped: no race
  if (!process.valid()) return std::unexpected(OsError{errno, "pidfd_open"});
  return ChildProcess(std::move(process));
}

int ChildProcess::reap() {
  siginfo_t facts{};
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.number()), &facts, WEXITED);
  process_.reset();
  return facts.si_code == CLD_EXITED ? facts.si_status : 128 + facts.si_status;
}

void ChildProcess::kill() const {
  syscall(SYS_pidfd_send_signal, process_.number(), SIGKILL, nullptr, 0);
}

OsResult<std::string> own_program_folder() {
  std::array<char, PATH_MAX> path{};
  const auto length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length < 0) return std::unexpected(OsError{errno, "readlink /proc/self/exe"});
  return std::filesystem::path(std::string(path.data(), static_cast<std::size_t>(length))).parent_path().string();
}

}  // namespace gateway::os
