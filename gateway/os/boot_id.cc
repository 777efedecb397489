#include "gateway/os/boot_id.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "gateway/os/file_descriptor.h"

namespace gateway::os {

OsResult<std::string> boot_id() {
  constexpr const char* kPath = "/proc/sys/kernel/random/boot_id";
  constexpr std::size_t kLength = 36;
  const FileDescriptor file(open(kPath, O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t size = file.valid() ? read(file.number(), text.data(), text.size()) : -1;
  if (size < 0) return std::unexpected(OsError{errno, kPath});
  if (static_cast<std::size_t>(size) < kLength) return std::unexpected(OsError{0, std::string(kPath) + ": too short"});
  return std::string(text.data(), kLength);
}

}  // namespace gateway::os
