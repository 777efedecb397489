// Signals that are waited for like any other event: blocked, and read from a descriptor. Nothing runs in a handler.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

enum class Signal : std::uint8_t {
  kStop,        // SIGTERM, SIGINT
  kReload,      // SIGHUP
  kReadFaults,  // SIGUSR1, of fault builds
};

class SignalSource {
 public:
  // Blocks `wanted` in this thread, and SIGPIPE, so that a reader that is gone is an error of write.
  [[nodiscard]] static OsResult<SignalSource> create(std::initializer_list<Signal> wanted);

  [[nodiscard]] int descriptor() const { return signals_.number(); }
  // The next that came; empty when none waits.
  [[nodiscard]] std::optional<Signal> next();

 private:
  explicit SignalSource(FileDescriptor signals) : signals_(std::move(signals)) {}
  FileDescriptor signals_;
};

}  // namespace gateway::os
