#include "gateway/daemon/netd_state_reader.h"

#include "gateway/core/codec.h"

namespace gateway::daemon {
namespace {

NetdStateReader::Octets not_read(std::uint64_t id, std::string why) {
  core::KernelState state;
  state.id = id, state.error = std::move(why);
  return core::encode(state);
}

}  // namespace

os::OsResult<void> NetdStateReader::start(std::uint64_t id, const std::function<core::KernelState()>& read,
                                          Instant now) {
  const auto work = [&] {
    auto state = read();
    state.id = id;
    auto octets = core::encode(state);
    if (octets.size() <= most_) return octets;
    return not_read(id, "what the kernel lists is " + std::to_string(octets.size()) +
                            " octets long, and no more than " + std::to_string(most_) + " can be told");
  };
  id_ = id;
  worker_ = TRY(os::ForkedWorker::start(work, now, os::ForkedWorker::May::kAskTheKernel,
                                        os::ForkedWorker::Haste::kBehind, most_));
  return {};
}

std::optional<NetdStateReader::Octets> NetdStateReader::answer(Instant now) {
  auto received = worker_.receive(now);
  if (!received) return std::nullopt;
  if (*received) return **std::move(received);
  return not_read(id_, "the process that reads it did not finish: " + received->error());
}

std::optional<NetdStateReader::Octets> NetdStateReader::end(const std::string& why) {
  if (!running()) return std::nullopt;
  worker_.end();
  return not_read(id_, why);
}

}  // namespace gateway::daemon
