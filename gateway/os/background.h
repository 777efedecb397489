// A daemon that its starter may wait for: the parent ends when the child says that it is ready, or with the child.
#pragma once

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class Background {
 public:
  // Forks. Returns in the child alone, which is a session of its own; the parent ends there with status 0 when ready()
  // was called, and with 1 when the child ended before. For a process that has opened nothing yet.
  [[nodiscard]] static OsResult<Background> enter();
  // Standard streams to /dev/null, working directory to /, and the parent ends.
  void ready();

 private:
  explicit Background(FileDescriptor parent) : parent_(std::move(parent)) {}
  FileDescriptor parent_;
};

}  // namespace gateway::os
