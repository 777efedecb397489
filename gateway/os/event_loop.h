// epoll as values: the owner waits, gets what is ready, and decides. No callbacks (docs/decisions/0001).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "config/value/instant.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

struct ReadyDescriptor {
  std::uint32_t token = 0;  // as given to watch()
  bool readable = false;
  bool writable = false;
  bool closed = false;  // the other end is gone, or an error; read what is left first
};

class EventLoop {
 public:
  [[nodiscard]] static OsResult<EventLoop> create();
  // Level-triggered. Watching a descriptor again changes its interest.
  [[nodiscard]] OsResult<void> watch(int descriptor, std::uint32_t token, bool for_write = false);
  // Only room to write, and the end; what comes in waits. The same otherwise.
  [[nodiscard]] OsResult<void> watch_for_room(int descriptor, std::uint32_t token);
  void forget(int descriptor);
  // Until something is ready or `deadline` (CLOCK_BOOTTIME) has passed; empty on time-out. Valid until the next call.
  [[nodiscard]] std::span<const ReadyDescriptor> wait(std::optional<config::value::Instant> deadline);

 private:
  [[nodiscard]] OsResult<void> watch_events(int descriptor, std::uint32_t token, std::uint32_t events);
  explicit EventLoop(FileDescriptor epoll) : epoll_(std::move(epoll)) {}
  FileDescriptor epoll_;
  std::vector<ReadyDescriptor> ready_;
};

}  // namespace gateway::os
