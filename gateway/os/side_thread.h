// One piece of work in a thread of its own, beside a loop that learns by a descriptor that it is done. The work has
// what it is given for itself, and what it leaves is looked at after join() only.
#pragma once

#include <functional>
#include <thread>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class SideThread {
 public:
  SideThread() = default;  // not running
  SideThread(SideThread&&) = default;
  SideThread& operator=(SideThread&& other) noexcept;
  ~SideThread() { join(); }

  // `work` must not throw.
  [[nodiscard]] static OsResult<SideThread> start(std::function<void()> work);
  [[nodiscard]] bool running() const { return thread_.joinable(); }  // until join()
  [[nodiscard]] int descriptor() const { return done_.number(); }    // readable when the work is done
  void join();                                                       // waits for its end

 private:
  FileDescriptor done_;
  std::thread thread_;
};

}  // namespace gateway::os
