#include "gateway/os/side_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace gateway::os {

SideThread& SideThread::operator=(SideThread&& other) noexcept {
  if (this == &other) return *this;
  join();
  done_ = std::move(other.done_);
  thread_ = std::move(other.thread_);
  return *this;
}

OsResult<SideThread> SideThread::start(std::function<void()> work) {
  SideThread started;
  started.done_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!started.done_.valid()) return std::unexpected(OsError{errno, "eventfd"});
  try {
    started.thread_ = std::thread([work = std::move(work), done = started.done_.number()] {
      work();
      const std::uint64_t one = 1;
      (void)!write(done, &one, sizeof one);
    });
  } catch (const std::system_error& error) {  // too many threads
    return std::unexpected(OsError{error.code().value(), "thread"});
  }
  return started;
}

void SideThread::join() {
  if (thread_.joinable()) thread_.join();
  done_.reset();
}

}  // namespace gateway::os
