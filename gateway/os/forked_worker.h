// Long work beside a loop that must go on: a child that is a copy of this process. It keeps no descriptor but the one
// it answers on, and no system call but those of computing and answering, unless it has to ask the kernel; what it
// computes from is the memory it was born with, so nothing has to be sent to it and nobody can change it on the way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/value/instant.h"
#include "config/value/result.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class ForkedWorker {
 public:
  using Octets = std::vector<std::uint8_t>;
  using Instant = config::value::Instant;
  static constexpr std::size_t kMostAnswer = 4 << 20;  // octets, unless said otherwise; more is an error
  // 10,000 facilities take some seconds on slow processors; then nobody waits any longer.
  static constexpr config::value::Duration kMostTime = std::chrono::seconds(60);

  ForkedWorker() = default;  // not running
  ForkedWorker(ForkedWorker&& other) noexcept { *this = std::move(other); }
  ForkedWorker& operator=(ForkedWorker&& other) noexcept;
  ~ForkedWorker() { end(); }  // killed when it is still at work

  enum class May : std::uint8_t { kCompute, kAskTheKernel };  // the second: what its parent may
  // Somebody waits for it; or it is done with what the others leave of the processors.
  enum class Haste : std::uint8_t { kNow, kBehind };
  // `work` runs in the child alone and gives the answer, of at most `most` octets. Only while this process has one
  // thread: another's locks would be held for ever in the child. The child is killed when we die.
  [[nodiscard]] static OsResult<ForkedWorker> start(const std::function<Octets()>& work, Instant now,
                                                    May may = May::kCompute, Haste haste = Haste::kNow,
                                                    std::size_t most = kMostAnswer);

  [[nodiscard]] bool running() const { return answer_.valid(); }
  [[nodiscard]] int descriptor() const { return answer_.number(); }  // readable: receive() has something to do
  [[nodiscard]] std::optional<Instant> deadline() const;             // empty: not running
  // Empty: it is still at work in its time, or has more to tell than is read at once. Then the answer of a child that
  // has ended well, once; or a sentence that says how it ended otherwise: one that is late is killed. After either it
  // runs no longer.
  [[nodiscard]] std::optional<config::value::Result<Octets, std::string>> receive(Instant now);
  void end();  // SIGKILL; does not wait until it is gone

 private:
  [[nodiscard]] std::optional<config::value::Result<Octets, std::string>> read_answer();

  FileDescriptor process_, answer_;
  Octets got_;
  std::size_t most_ = kMostAnswer;
  Instant by_{};
};

}  // namespace gateway::os
