// One mapping with its guard pages; wiped before it goes back.
#include "gateway/os/locked_memory.h"

#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace gateway::os {
namespace {

std::size_t page_size() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

OsResult<LockedMemory> LockedMemory::allocate(std::size_t size) {
  const std::size_t page = page_size();
  const std::size_t inner = (size + page - 1) / page * page;
  void* map = mmap(nullptr, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return std::unexpected(OsError{errno, "mmap for keys"});
  LockedMemory memory({static_cast<std::uint8_t*>(map) + page, inner});
  auto* start = memory.octets_.data();
  if (mprotect(start, inner, PROT_READ | PROT_WRITE) != 0) return std::unexpected(OsError{errno, "mprotect for keys"});
  if (mlock(start, inner) != 0) return std::unexpected(OsError{errno, "mlock for keys"});
  if (madvise(start, inner, MADV_DONTDUMP) != 0 || madvise(start, inner, MADV_WIPEONFORK) != 0)
    return std::unexpected(OsError{errno, "madvise for keys"});
  return memory;
}

LockedMemory& LockedMemory::operator=(LockedMemory&& other) noexcept {
  if (this != &other) {
    release();
    octets_ = std::exchange(other.octets_, {});
  }
  return *this;
}

void LockedMemory::release() {
  if (octets_.empty()) return;
  const std::size_t page = page_size();
  // Readable and writable also when allocate() failed half way.
  if (mprotect(octets_.data(), octets_.size(), PROT_READ | PROT_WRITE) == 0)
    sodium_memzero(octets_.data(), octets_.size());
  munmap(octets_.data() - page, octets_.size() + 2 * page);
  octets_ = {};
}

}  // namespace gateway::os
