// A descriptor that one thread makes readable and another waits for.
#pragma once

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class WakeUp {
 public:
  [[nodiscard]] static OsResult<WakeUp> create();
  [[nodiscard]] int descriptor() const { return event_.number(); }
  void wake() const;   // from any thread
  void clear() const;  // not readable any more

 private:
  explicit WakeUp(FileDescriptor event) : event_(std::move(event)) {}
  FileDescriptor event_;
};

}  // namespace gateway::os
