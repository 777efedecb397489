// fork without execve: the child is given its input by being a copy. What it inherits and has no use for goes first.
#include "gateway/os/forked_worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>

#include "gateway/os/privileges.h"

namespace gateway::os {
namespace {

constexpr int kChunksAtOnce = 64;  // 4 MiB
constexpr int kLeastPriority = 19;
constexpr int kNotRestricted = 3, kNotAnswered = 4;  // exit statuses

bool write_whole(int to, std::span<const std::uint8_t> octets) {
  while (!octets.empty()) {
    const ssize_t size = write(to, octets.data(), octets.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    octets = octets.subspan(static_cast<std::size_t>(size));
  }
  return true;
}

// Everything but `kept`, the standard streams included.
bool keep_only(int kept) {
  const auto close_from = [](unsigned first, unsigned last) {
    return first > last || syscall(SYS_close_range, first, last, 0) == 0;
  };
  return (kept == 0 || close_from(0, static_cast<unsigned>(kept) - 1)) &&
         close_from(static_cast<unsigned>(kept) + 1, ~0u);
}

[[noreturn]] void become(pid_t parent, int answer, const std::function<ForkedWorker::Octets()>& work,
                         ForkedWorker::May may, ForkedWorker::Haste haste) {
  const bool bound = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
  if (!bound || !keep_only(answer)) _exit(kNotRestricted);
  if (haste == ForkedWorker::Haste::kBehind) (void)setpriority(PRIO_PROCESS, 0, kLeastPriority);
  if (may == ForkedWorker::May::kCompute && !allow_only_computing()) _exit(kNotRestricted);
  _exit(write_whole(answer, work()) ? 0 : kNotAnswered);
}

// How it ended, for a person; empty: well.
std::string reap(const FileDescriptor& process) {
  siginfo_t facts{};
  if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process.number()), &facts, WEXITED) != 0)
    return "its end was not seen";
  if (facts.si_code != CLD_EXITED) return "it was killed by signal " + std::to_string(facts.si_status);
  return facts.si_status == 0 ? "" : "it ended with status " + std::to_string(facts.si_status);
}

// Killed, and not gone yet. To give back a large memory takes a process time, and more when it has the least priority;
// nobody waits for that.
std::vector<FileDescriptor>& dying() {
  static std::vector<FileDescriptor> processes;
  return processes;
}

void reap_dead() {
  std::erase_if(dying(), [](const FileDescriptor& process) {
    siginfo_t facts{};
    const auto id = static_cast<id_t>(process.number());
    return waitid(static_cast<idtype_t>(P_PIDFD), id, &facts, WEXITED | WNOHANG) != 0 || facts.si_pid != 0;
  });
}

}  // namespace

ForkedWorker& ForkedWorker::operator=(ForkedWorker&& other) noexcept {
  if (this == &other) return *this;
  end();
  process_ = std::move(other.process_);
  answer_ = std::move(other.answer_);
  got_ = std::move(other.got_);
  most_ = other.most_;
  by_ = other.by_;
  return *this;
}

OsResult<ForkedWorker> ForkedWorker::start(const std::function<Octets()>& work, Instant now, May may, Haste haste,
                                           std::size_t most) {
  reap_dead();
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(OsError{errno, "pipe"});
  ForkedWorker worker;
  worker.answer_ = FileDescriptor(ends[0]);
  worker.most_ = most;
  worker.by_ = now + kMostTime;
  FileDescriptor tell(ends[1]);
  if (fcntl(worker.answer_.number(), F_SETFL, O_NONBLOCK) != 0) return std::unexpected(OsError{errno, "O_NONBLOCK"});
  const pid_t parent = getpid(), pid = fork();
  if (pid < 0) return std::unexpected(OsError{errno, "fork"});
  if (pid == 0) become(parent, tell.number(), work, may, haste);
  worker.process_ = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));  // ours until reaped: no race
  if (worker.process_.valid()) return worker;
  const int error = errno;
  ::kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return std::unexpected(OsError{error, "pidfd_open"});
}

std::optional<config::value::Instant> ForkedWorker::deadline() const {
  return running() ? std::optional(by_) : std::nullopt;
}

std::optional<config::value::Result<ForkedWorker::Octets, std::string>> ForkedWorker::receive(Instant now) {
  auto received = read_answer();
  if (received || now < by_) return received;
  end();
  return std::unexpected("it took longer than " +
                         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(kMostTime).count()) + " s");
}

std::optional<config::value::Result<ForkedWorker::Octets, std::string>> ForkedWorker::read_answer() {
  std::array<std::uint8_t, 65536> chunk;
  for (int chunks = 0;; ++chunks) {
    if (chunks == kChunksAtOnce) return std::nullopt;  // who asks has others to serve, and is woken again
    const ssize_t size = read(answer_.number(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return std::nullopt;
    if (size == 0) break;
    if (size > 0) got_.insert(got_.end(), chunk.begin(), chunk.begin() + size);
    if (size > 0 && got_.size() <= most_) continue;
    end();
    return std::unexpected(std::string(size < 0 ? "its answer cannot be read" : "its answer is too long"));
  }
  // The only end it had is closed: it has ended, or is about to.
  const std::string how = reap(process_);
  process_.reset(), answer_.reset();
  Octets answer = std::exchange(got_, {});
  if (!how.empty()) return std::unexpected(how);
  return answer;
}

void ForkedWorker::end() {
  if (process_.valid()) {
    syscall(SYS_pidfd_send_signal, process_.number(), SIGKILL, nullptr, 0);
    dying().push_back(std::move(process_));
    reap_dead();
  }
  process_.reset(), answer_.reset();
  got_.clear();
}

}  // namespace gateway::os
