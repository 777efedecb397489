// epoll, level-triggered, deadlines on CLOCK_BOOTTIME.
#include "gateway/os/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/os/clock.h"

namespace gateway::os {
namespace {

constexpr int kMaxReady = 64;

// Time left as epoll takes it; a deadline in the past is a poll.
timespec time_left(config::value::Instant deadline) {
  const auto left = std::max(config::value::Duration{0}, deadline - boot_now());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {seconds.count(), (left - seconds).count()};
}

}  // namespace

OsResult<EventLoop> EventLoop::create() {
  FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return std::unexpected(OsError{errno, "epoll_create1"});
  return EventLoop(std::move(epoll));
}

OsResult<void> EventLoop::watch(int descriptor, std::uint32_t token, bool for_write) {
  return watch_events(descriptor, token, EPOLLIN | EPOLLRDHUP | (for_write ? EPOLLOUT : 0u));
}

OsResult<void> EventLoop::watch_for_room(int descriptor, std::uint32_t token) {
  return watch_events(descriptor, token, EPOLLOUT);
}

OsResult<void> EventLoop::watch_events(int descriptor, std::uint32_t token, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = token;
  if (epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) == 0) return {};
  if (errno == EEXIST && epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor, &event) == 0) return {};
  return std::unexpected(OsError{errno, "epoll_ctl"});
}

void EventLoop::forget(int descriptor) {
  epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, descriptor, nullptr);
}

std::span<const ReadyDescriptor> EventLoop::wait(std::optional<config::value::Instant> deadline) {
  std::array<epoll_event, kMaxReady> events;
  ready_.clear();
  timespec timeout{};
  if (deadline) timeout = time_left(*deadline);
  const int count = epoll_pwait2(epoll_.number(), events.data(), kMaxReady, deadline ? &timeout : nullptr, nullptr);
  for (int i = 0; i < count; ++i) {  // -1 (EINTR) is an empty turn
    const auto& event = events[static_cast<std::size_t>(i)];
    ready_.push_back({event.data.u32, (event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0,
                      (event.events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0});
  }
  return ready_;
}

}  // namespace gateway::os
