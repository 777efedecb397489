#include "gateway/daemon/prover.h"

#include <algorithm>

#include "gateway/core/codec.h"

namespace gateway::daemon {
namespace {

constexpr std::uint64_t kForm = 0x31666f6f72706b73;  // "skproof1"

struct Answer {
  std::uint64_t form = kForm, question = 0;
  bool proved = false;
  std::vector<std::string> breaches;
};
template <class Ar>
void fields(Ar& ar, Answer& answer) {
  core::transfer_all(ar, answer.form, answer.question, answer.proved, answer.breaches);
}

// Exactly one of the two: proved, or breaches with something in each.
bool fits(const Answer& answer, std::uint64_t question) {
  const bool empty = std::ranges::any_of(answer.breaches, [](const std::string& each) { return each.empty(); });
  return answer.form == kForm && answer.question == question && answer.proved == answer.breaches.empty() && !empty;
}

std::vector<std::string> not_proved(const std::string& why) {
  return {"the plan was not proved, so it is not applied: " + why + "; nothing was changed, apply it again"};
}

}  // namespace

Prover::Octets Prover::octets_of(std::uint64_t question, const std::vector<std::string>& breaches) {
  return core::encode(Answer{kForm, question, breaches.empty(), breaches});
}

std::optional<std::vector<std::string>> Prover::breaches_in(std::span<const std::uint8_t> octets,
                                                            std::uint64_t question) {
  auto answer = core::decode<Answer>(octets);
  if (!answer || !fits(*answer, question)) return std::nullopt;
  return std::move(answer->breaches);
}

os::OsResult<void> Prover::start(const core::Unproved& candidate, Instant now) {
  return start([&candidate](std::uint64_t question) { return octets_of(question, candidate.prove()); }, now);
}

os::OsResult<void> Prover::start(const std::function<Octets(std::uint64_t)>& work, Instant now) {
  const auto question = ++question_;
  worker_ = TRY(os::ForkedWorker::start([&work, question] { return work(question); }, now));
  return {};
}

std::optional<std::vector<std::string>> Prover::answer(Instant now) {
  if (!running()) return not_proved("nothing proves it");
  const auto received = worker_.receive(now);
  if (!received) return std::nullopt;
  if (!*received) return not_proved("the process that proves it did not finish: " + received->error());
  auto breaches = breaches_in(**received, question_);
  if (!breaches) return not_proved("the answer of the process that proves it has no known form");
  return breaches;
}

}  // namespace gateway::daemon
