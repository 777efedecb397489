// The proof of a candidate over all packets (gateway/core/proof.h), made in a child while accessd goes on answering.
// Whatever becomes of the child, a candidate is proved only when it says so in full, in time, and to this very
// question.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/value/instant.h"
#include "gateway/core/candidate.h"
#include "gateway/os/forked_worker.h"

namespace gateway::daemon {

class Prover {
 public:
  using Instant = config::value::Instant;
  using Octets = os::ForkedWorker::Octets;

  // `candidate` is proved as it is now: the child has a copy.
  [[nodiscard]] os::OsResult<void> start(const core::Unproved& candidate, Instant now);
  // The same with another way to the answer's octets, for the question of that number.
  [[nodiscard]] os::OsResult<void> start(const std::function<Octets(std::uint64_t)>& work, Instant now);
  void stop() { worker_.end(); }
  [[nodiscard]] bool running() const { return worker_.running(); }
  [[nodiscard]] int descriptor() const { return worker_.descriptor(); }  // readable: answer() has something to do
  [[nodiscard]] std::optional<Instant> deadline() const { return worker_.deadline(); }

  // Empty: it is still at work, in its time. Then once: the breaches, none when it is proved. A child that was killed,
  // is late or answers anything else is a breach that says so.
  [[nodiscard]] std::optional<std::vector<std::string>> answer(Instant now);

  // What the child tells, and what is read of it; empty: it is no answer to that question.
  [[nodiscard]] static Octets octets_of(std::uint64_t question, const std::vector<std::string>& breaches);
  [[nodiscard]] static std::optional<std::vector<std::string>> breaches_in(std::span<const std::uint8_t> octets,
                                                                           std::uint64_t question);

 private:
  os::ForkedWorker worker_;
  std::uint64_t question_ = 0;
};

}  // namespace gateway::daemon
