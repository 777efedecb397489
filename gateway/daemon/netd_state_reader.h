// What netd tells of the kernel (live_state.h), read in a child: where there are thousands of facilities the listing
// takes seconds, and an order to cut waits for nobody's question.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "gateway/core/live_state.h"
#include "gateway/os/forked_worker.h"
#include "gateway/os/message_channel.h"

namespace gateway::daemon {

class NetdStateReader {
 public:
  using Octets = os::ForkedWorker::Octets;
  using Instant = os::ForkedWorker::Instant;
  // `most`: octets of a state; of a longer one its error is told.
  explicit NetdStateReader(std::size_t most = os::MessageChannel::kMostPayload) : most_(most) {}

  // `read` runs in the child alone. What is under way is ended.
  [[nodiscard]] os::OsResult<void> start(std::uint64_t id, const std::function<core::KernelState()>& read, Instant now);
  [[nodiscard]] bool running() const { return worker_.running(); }
  [[nodiscard]] int descriptor() const { return worker_.descriptor(); }  // readable: answer() has something to do
  // An encoded KernelState with the id of the question, once; empty while the child is at work, in its time.
  [[nodiscard]] std::optional<Octets> answer(Instant now);
  // Ends what is under way; the answer that says why nothing was read. Empty: nothing was.
  [[nodiscard]] std::optional<Octets> end(const std::string& why);

 private:
  os::ForkedWorker worker_;
  std::uint64_t id_ = 0;
  std::size_t most_;
};

}  // namespace gateway::daemon
