#include "gateway/daemon/live_check.h"

#include <utility>

#include "gateway/os/clock.h"

namespace gateway::daemon {

LiveCheck::~LiveCheck() {
  if (thread_.joinable()) thread_.join();
}

os::OsResult<int> LiveCheck::descriptor() {
  if (!event_) event_ = TRY(os::WakeUp::create());
  return event_->descriptor();
}

void LiveCheck::begin(core::LiveState state) {
  if (!event_ || thread_.joinable()) return;
  place_->ready = false;
  thread_ = std::thread([place = place_.get(), event = &*event_, state = std::move(state)] {
    const auto began = os::boot_now();
    place->done = Done{core::prove_live(state), state.kernel.writers, state.generation, {}};
    place->done->took = os::boot_now() - began;
    place->ready = true;
    event->wake();
  });
}

std::optional<LiveCheck::Done> LiveCheck::take() {
  if (!thread_.joinable() || !place_->ready) return std::nullopt;
  thread_.join();
  event_->clear();
  return std::exchange(place_->done, std::nullopt);
}

}  // namespace gateway::daemon
