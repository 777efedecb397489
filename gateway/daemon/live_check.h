// The live proof beside accessd's loop: one value is given to a thread of its own, and a verdict comes back. Nothing is
// shared meanwhile (docs/decisions/0014).
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "gateway/core/live_proof.h"
#include "gateway/os/error.h"
#include "gateway/os/wake_up.h"

namespace gateway::daemon {

class LiveCheck {
 public:
  LiveCheck() = default;
  LiveCheck(LiveCheck&&) = default;  // not while one is under way
  LiveCheck& operator=(LiveCheck&&) = default;
  ~LiveCheck();  // waits for one that is under way

  // Readable once a verdict is there.
  [[nodiscard]] os::OsResult<int> descriptor();
  [[nodiscard]] bool under_way() const { return thread_.joinable(); }
  void begin(core::LiveState state);  // after descriptor(); nothing while one is under way
  struct Done {
    core::LiveVerdict verdict;
    std::vector<core::KernelWriter> writers;
    std::uint64_t generation = 0;
    std::chrono::nanoseconds took{};
  };
  [[nodiscard]] std::optional<Done> take();

 private:
  struct Place {  // at one address, also when its owner is moved
    std::atomic<bool> ready = false;
    std::optional<Done> done;
  };
  std::unique_ptr<Place> place_ = std::make_unique<Place>();
  std::optional<os::WakeUp> event_;
  std::thread thread_;
};

}  // namespace gateway::daemon
