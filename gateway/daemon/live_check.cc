#include "gateway/daemon/live_check.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "gateway/os/clock.h"

namespace gateway::daemon {

LiveCheck::~LiveCheck() {
  if (thread_.joinable()) thread_.join();
}

os::OsResult<int> LiveCheck::descriptor() {
  if (!event_.valid()) event_ = os::FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_.valid()) return std::unexpected(os::OsError{errno, "eventfd"});
  return event_.number();
}

void LiveCheck::begin(core::LiveState state) {
  place_->ready = false;
  thread_ = std::thread([place = place_.get(), event = event_.number(), state = std::move(state)] {
    const auto began = os::boot_now();
    place->done = Done{core::prove_live(state), state.kernel.writers, state.generation, {}};
    place->done->took = os::boot_now() - began;
    place->ready = true;
    const std::uint64_t one = 1;
    (void)!write(event, &one, sizeof one);
  });
}

std::optional<LiveCheck::Done> LiveCheck::take() {
  if (!thread_.joinable() || !place_->ready) return std::nullopt;
  thread_.join();
  std::uint64_t count = 0;
  (void)!read(event_.number(), &count, sizeof count);
  return std::exchange(place_->done, std::nullopt);
}

}  // namespace gateway::daemon
