#include "gateway/os/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace gateway::os {

OsResult<FileDescriptor> memory_file(const char* name, std::span<const std::uint8_t> octets) {
  const auto failed = [](const char* what) { return std::unexpected(OsError{errno, what}); };
  FileDescriptor file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) return failed("memfd_create");
  while (!octets.empty()) {
    const ssize_t size = write(file.number(), octets.data(), octets.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return failed("write to memory");
    octets = octets.subspan(static_cast<std::size_t>(size));
  }
  if (fcntl(file.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return failed("seal memory");
  return file;
}

OsResult<std::vector<std::uint8_t>> read_memory_file(const FileDescriptor& file, std::size_t most) {
  struct stat found{};
  if (fstat(file.number(), &found) != 0) return std::unexpected(OsError{errno, "fstat"});
  if (found.st_size < 0 || static_cast<std::size_t>(found.st_size) > most)
    return std::unexpected(OsError{EFBIG, "what the gateway handed over is too long"});
  std::vector<std::uint8_t> out(static_cast<std::size_t>(found.st_size));
  for (std::size_t at = 0; at < out.size();) {
    const ssize_t size = pread(file.number(), out.data() + at, out.size() - at, static_cast<off_t>(at));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return std::unexpected(OsError{size < 0 ? errno : EIO, "read from memory"});
    at += static_cast<std::size_t>(size);
  }
  return out;
}

}  // namespace gateway::os
