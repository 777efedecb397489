// Pages for secrets, as the kernel says they are; and that without them there is no key.
#include "gateway/os/locked_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/gateway/child_outcome.h"
#include "tests/gateway/refused_call.h"

using namespace gateway;
using os::LockedMemory;

namespace {

// "rd wr … lo dd wf" of the mapping that holds `address` (proc_pid_smaps(5)).
std::string flags_at(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream in("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(in, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (std::istringstream range(line); range >> std::hex >> begin >> dash >> end && dash == '-')
      here = begin <= wanted && wanted < end;
    if (here && line.starts_with("VmFlags: ")) return line.substr(8) + " ";
  }
  return {};
}

bool has_flag(const void* address, const std::string& flag) {
  return flags_at(address).find(" " + flag + " ") != std::string::npos;
}

}  // namespace

TEST_CASE("locked memory: never swapped, never dumped, not there in a child, guarded on both sides") {
  auto memory = LockedMemory::allocate(32);
  REQUIRE(memory);
  std::ranges::fill(memory->octets(), std::uint8_t{7});
  const auto* start = memory->octets().data();
#if !defined(SEKISHO_TEST_SANITIZED)  // which makes mlock(2) do nothing
  CHECK(has_flag(start, "lo"));
#endif
  CHECK(has_flag(start, "dd"));
  CHECK(has_flag(start, "wf"));
  for (const auto* beside : {start - 1, start + memory->octets().size()}) {
    REQUIRE_FALSE(flags_at(beside).empty());
    CHECK_FALSE(has_flag(beside, "rd"));
    CHECK_FALSE(has_flag(beside, "wr"));
  }
  const auto child =
      tests::in_child([&] { return std::ranges::count(memory->octets(), 0) == std::ssize(memory->octets()) ? 0 : 1; });
  CHECK(child.exit_status == 0);
  CHECK(memory->octets()[31] == 7);
}

TEST_CASE("locked memory: what the kernel refuses is an error, and no memory to put a key in") {
  const auto allocated = [](const tests::RefusedCall& refused) {
    bool there = true;
    tests::with_refused(refused, [&] { there = LockedMemory::allocate(32).has_value(); });
    return there;
  };
  CHECK(allocated({SCMP_SYS(swapon), EPERM}));  // one that is not needed
#if !defined(SEKISHO_TEST_SANITIZED)
  CHECK_FALSE(allocated({SCMP_SYS(mlock), ENOMEM}));
#endif
  CHECK_FALSE(allocated({SCMP_SYS(madvise), EINVAL, MADV_DONTDUMP}));
  CHECK_FALSE(allocated({SCMP_SYS(madvise), EINVAL, MADV_WIPEONFORK}));
}
