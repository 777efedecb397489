#include "gateway/os/signals.h"

#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>

namespace gateway::os {
namespace {

void add(sigset_t& set, Signal signal) {
  switch (signal) {
    case Signal::kStop:
      sigaddset(&set, SIGTERM);
      sigaddset(&set, SIGINT);
      return;
    case Signal::kReload:
      sigaddset(&set, SIGHUP);
      return;
    case Signal::kReadFaults:
      sigaddset(&set, SIGUSR1);
      return;
  }
}

}  // namespace

OsResult<SignalSource> SignalSource::create(std::initializer_list<Signal> wanted) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const auto signal : wanted) add(signals, signal);
  sigset_t blocked = signals;
  sigaddset(&blocked, SIGPIPE);
  if (sigprocmask(SIG_BLOCK, &blocked, nullptr) != 0) return std::unexpected(OsError{errno, "sigprocmask"});
  FileDescriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.valid()) return std::unexpected(OsError{errno, "signalfd"});
  return SignalSource(std::move(descriptor));
}

std::optional<Signal> SignalSource::next() {
  signalfd_siginfo facts{};
  if (read(signals_.number(), &facts, sizeof facts) != sizeof facts) return std::nullopt;
  if (facts.ssi_signo == SIGHUP) return Signal::kReload;
  if (facts.ssi_signo == SIGUSR1) return Signal::kReadFaults;
  return Signal::kStop;
}

}  // namespace gateway::os
