// A child that died young waits longer each time, so that one that cannot live does not take the machine.
#include "gateway/daemon/supervisor_process.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

namespace gateway::daemon {
namespace {

using config::value::Duration;
using config::value::Instant;
using core::ProcessRole;
using os::OsResult;

constexpr Duration kFirstBackoff = std::chrono::milliseconds(100);
constexpr Duration kLongestBackoff = std::chrono::seconds(2);
constexpr Duration kGrownUp =
    std::chrono::seconds(10);  // a child that lived so long starts from the first backoff again

// Only what a child has use for; above all not NOTIFY_SOCKET.
constexpr std::array kInherited{"TZ",           "JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                "TSAN_OPTIONS", "LSAN_OPTIONS"};

std::vector<std::string> child_environment() {
  std::vector<std::string> environment;
  for (const char* name : kInherited)
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  return environment;
}

}  // namespace

OsResult<void> SupervisedProcess::start(const std::string& directory, const RunArguments& arguments,
                                        os::EventLoop& loop, Instant now) {
  auto [ours, theirs] = TRY(os::MessageChannel::pair());
  std::vector<std::string> command{directory + "/sekisho-" + name_of(role_),
                                   "--config",
                                   arguments.config_file,
                                   "--state",
                                   arguments.state_directory,
                                   "--runtime",
                                   arguments.runtime_directory};
  process_ = TRY(os::ChildProcess::start(std::move(command), child_environment(), theirs.number()));
  channel_ = os::MessageChannel(std::move(ours));
  started_ = now;
  answered(now);
  if (auto watched = loop.watch(channel_.descriptor(), token_); !watched) return watched;
  return loop.watch(process_.descriptor(), token_ + 1);
}

int SupervisedProcess::reap(os::EventLoop& loop, Instant now) {
  loop.forget(process_.descriptor());
  const int status = process_.reap();
  channel_.close();
  backoff_ = now - started_ >= kGrownUp ? kFirstBackoff : std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
  restart_at_ = now + backoff_;
  return status;
}

void SupervisedProcess::kill() const {
  process_.kill();
}

}  // namespace gateway::daemon
