// The live proof beside accessd's loop, in a child that has a copy of the state (docs/decisions/0014), as a candidate
// is proved (prover.h). Whatever becomes of the child, something was checked only when it says so in full and in time.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/value/instant.h"
#include "config/value/result.h"
#include "gateway/core/live_proof.h"
#include "gateway/os/error.h"
#include "gateway/os/forked_worker.h"

namespace gateway::daemon {

class LiveCheck {
 public:
  using Instant = config::value::Instant;
  using Octets = os::ForkedWorker::Octets;
  static constexpr std::size_t kMostAnswer = 32 << 20;

  struct Done {
    core::LiveVerdict verdict;
    std::vector<core::TableWriter> writers;
    std::uint64_t generation = 0;
    std::chrono::nanoseconds took{};
  };

  // Only while this process has one thread (forked_worker.h). One that is under way is ended.
  [[nodiscard]] os::OsResult<void> start(const core::LiveState& state, Instant now);
  // The same with another way to the octets of the verdict.
  [[nodiscard]] os::OsResult<void> start(const core::LiveState& state, const std::function<Octets()>& work,
                                         Instant now);
  [[nodiscard]] bool under_way() const { return worker_.running(); }
  [[nodiscard]] int descriptor() const { return worker_.descriptor(); }  // readable: take() has something to do
  [[nodiscard]] std::optional<Instant> deadline() const { return worker_.deadline(); }
  // Empty: it is still at work, in its time. Then once: the verdict, or why there is none.
  [[nodiscard]] std::optional<config::value::Result<Done, std::string>> take(Instant now);

 private:
  os::ForkedWorker worker_;
  Done about_;  // all but the verdict
  Instant began_{};
};

}  // namespace gateway::daemon
