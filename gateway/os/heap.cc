#include "gateway/os/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <limits>

namespace gateway::os {
namespace {

constexpr int kReserved = 1 << 30;  // octets, of addresses: what is never used takes no memory
constexpr std::uintptr_t kHugePage = 2 << 20;

}  // namespace

void prepare_heap() {
  (void)mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  (void)mallopt(M_MMAP_MAX, 0);  // all from the heap; beyond what is reserved malloc maps all the same
  (void)mallopt(M_TOP_PAD, kReserved);
  const auto before = reinterpret_cast<std::uintptr_t>(sbrk(0));
  void* volatile grown = std::malloc(1 << 20);  // more than the heap begins with; volatile: or it is optimised away
  std::free(grown);
  const auto after = reinterpret_cast<std::uintptr_t>(sbrk(0));
  (void)mallopt(M_TOP_PAD, 16 << 20);
  const auto first = (before + kHugePage - 1) / kHugePage * kHugePage;
  if (after > first) (void)madvise(reinterpret_cast<void*>(first), after - first, MADV_HUGEPAGE);  // or small ones
}

}  // namespace gateway::os
