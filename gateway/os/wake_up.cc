#include "gateway/os/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace gateway::os {

OsResult<WakeUp> WakeUp::create() {
  FileDescriptor event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return std::unexpected(OsError{errno, "eventfd"});
  return WakeUp(std::move(event));
}

void WakeUp::wake() const {
  const std::uint64_t one = 1;
  (void)!write(event_.number(), &one, sizeof one);
}

void WakeUp::clear() const {
  std::uint64_t count = 0;
  (void)!read(event_.number(), &count, sizeof count);
}

}  // namespace gateway::os
