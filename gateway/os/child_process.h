// A child of ours, held by its pidfd: no race with a number that is given to another. Who is started, and when, is the
// supervisor's.
#pragma once

#include <string>
#include <vector>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class ChildProcess {
 public:
  static constexpr int kChannelDescriptor = 3;  // what `channel` is in the child

  ChildProcess() = default;  // not running
  // Executes arguments[0], a path, with `environment` ("NAME=value") and nothing else. The child inherits the standard
  // streams and `channel`, has no signal blocked and is killed when we die. A program that cannot be executed is a
  // child that ends with status 2.
  [[nodiscard]] static OsResult<ChildProcess> start(std::vector<std::string> arguments,
                                                    std::vector<std::string> environment, int channel);

  [[nodiscard]] bool running() const { return process_.valid(); }     // until it is reaped
  [[nodiscard]] int descriptor() const { return process_.number(); }  // readable when it has ended
  // Waits for its end. Its exit status, or 128 + the signal that ended it.
  int reap();
  void kill() const;  // SIGKILL

 private:
  explicit ChildProcess(FileDescriptor process) : process_(std::move(process)) {}
  FileDescriptor process_;
};

// The folder the running program lies in, where its children's programs lie too.
[[nodiscard]] OsResult<std::string> own_program_folder();

}  // namespace gateway::os
