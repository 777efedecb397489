#include "gateway/daemon/live_check.h"

#include <utility>

#include "gateway/core/codec.h"
#include "gateway/core/live_verdict.h"

namespace gateway::daemon {

os::OsResult<void> LiveCheck::start(const core::LiveState& state, Instant now) {
  return start(state, [&state] { return core::encode(core::prove_live(state)); }, now);
}

os::OsResult<void> LiveCheck::start(const core::LiveState& state, const std::function<Octets()>& work, Instant now) {
  worker_ = TRY(os::ForkedWorker::start(work, now, os::ForkedWorker::May::kCompute, os::ForkedWorker::Haste::kBehind,
                                        kMostAnswer));
  about_ = {{}, state.kernel.writers, state.generation, {}};
  began_ = now;
  return {};
}

std::optional<config::value::Result<LiveCheck::Done, std::string>> LiveCheck::take(Instant now) {
  if (!under_way()) return std::nullopt;
  const auto received = worker_.receive(now);
  if (!received) return std::nullopt;
  if (!*received) return std::unexpected("the process that checks it did not finish: " + received->error());
  auto verdict = core::decode<core::LiveVerdict>(**received);
  if (!verdict) return std::unexpected(std::string("the answer of the process that checks it has no known form"));
  Done done = std::exchange(about_, {});
  done.verdict = *std::move(verdict);
  done.took = now - began_;
  return done;
}

}  // namespace gateway::daemon
