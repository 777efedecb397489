// Capabilities by capset(2) and prctl(2), system calls by libseccomp.
#include "gateway/os/privileges.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>

// The leak check of a sanitizer build traces its own process at the end.
#if defined(__SANITIZE_ADDRESS__)
#define SEKISHO_TRACES_ITSELF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEKISHO_TRACES_ITSELF 1
#endif
#endif

namespace gateway::os {
namespace {

struct CapabilitySets {
  std::uint64_t effective = 0, permitted = 0, inheritable = 0;
};

std::unexpected<OsError> failed(const char* what) {
  return std::unexpected(OsError{errno, what});
}

OsResult<CapabilitySets> read_sets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return failed("capget");
  const auto join = [&](auto member) {
    return (std::uint64_t{data[1].*member} << 32) | std::uint64_t{data[0].*member};
  };
  return CapabilitySets{join(&__user_cap_data_struct::effective), join(&__user_cap_data_struct::permitted),
                        join(&__user_cap_data_struct::inheritable)};
}

OsResult<void> write_sets(std::uint64_t keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  for (unsigned i = 0; i < 2; ++i) data[i].effective = data[i].permitted = static_cast<std::uint32_t>(keep >> (32 * i));
  if (syscall(SYS_capset, &header, data.data()) != 0) return failed("capset");
  return {};
}

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

OsResult<void> add_rules(const Filter& filter, std::uint32_t action, std::span<const int> calls) {
  for (const int call : calls) {
    const int result = seccomp_rule_add(filter.get(), action, call, 0);
    if (result != 0) return std::unexpected(OsError{-result, "seccomp_rule_add"});
  }
  return {};
}

OsResult<void> load(const Filter& filter) {
  const int result = seccomp_load(filter.get());
  if (result != 0) return std::unexpected(OsError{-result, "seccomp_load"});
  return {};
}

}  // namespace

std::uint64_t capabilities_of(core::ProcessRole role) {
  if (role != core::ProcessRole::kNetd) return 0;
  // UDP 500 is a reserved port, protocol 50 a raw socket.
  return std::uint64_t{1} << CAP_NET_ADMIN | std::uint64_t{1} << CAP_NET_BIND_SERVICE | std::uint64_t{1} << CAP_NET_RAW;
}

std::uint64_t wg_capabilities() {
  return std::uint64_t{1} << CAP_NET_ADMIN | std::uint64_t{1} << CAP_NET_BIND_SERVICE;
}

OsResult<void> keep_only_capabilities(std::uint64_t keep) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("PR_SET_NO_NEW_PRIVS");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return failed("PR_CAP_AMBIENT_CLEAR_ALL");
  const auto now = TRY(read_sets());
  const bool may_shrink_bound = (now.effective & (std::uint64_t{1} << CAP_SETPCAP)) != 0;
  for (int capability = 0; may_shrink_bound && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return failed("PR_CAPBSET_DROP");
  return write_sets(keep & now.permitted);
}

OsResult<std::uint64_t> held_capabilities() {
  const auto sets = TRY(read_sets());
  std::uint64_t held = sets.effective | sets.permitted | sets.inheritable;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) held |= std::uint64_t{1} << capability;
  return held;
}

OsResult<void> forbid_dumps() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return failed("RLIMIT_CORE");
#if !defined(SEKISHO_TRACES_ITSELF)
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("PR_SET_DUMPABLE");
#endif
  return {};
}

OsResult<void> forbid_dangerous_calls() {
  static constexpr std::array kForbidden{
      SCMP_SYS(execve),
      SCMP_SYS(execveat),
      SCMP_SYS(mount),
      SCMP_SYS(umount2),
      SCMP_SYS(move_mount),
      SCMP_SYS(open_tree),
      SCMP_SYS(fsopen),
      SCMP_SYS(pivot_root),
      SCMP_SYS(chroot),
      SCMP_SYS(unshare),
      SCMP_SYS(setns),
      SCMP_SYS(bpf),
      SCMP_SYS(userfaultfd),
      SCMP_SYS(perf_event_open),
      SCMP_SYS(io_uring_setup),
      SCMP_SYS(keyctl),
      SCMP_SYS(add_key),
      SCMP_SYS(request_key),
      SCMP_SYS(kexec_load),
      SCMP_SYS(kexec_file_load),
      SCMP_SYS(init_module),
      SCMP_SYS(finit_module),
      SCMP_SYS(delete_module),
      SCMP_SYS(process_vm_readv),
      SCMP_SYS(process_vm_writev),
      SCMP_SYS(swapon),
      SCMP_SYS(reboot),
      SCMP_SYS(settimeofday),
      SCMP_SYS(clock_settime),
      SCMP_SYS(personality),
#if !defined(SEKISHO_TRACES_ITSELF)
      SCMP_SYS(ptrace),
#endif
  };
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return std::unexpected(OsError{ENOMEM, "seccomp_init"});
  if (auto added = add_rules(filter, SCMP_ACT_KILL_PROCESS, kForbidden); !added) return added;
  return load(filter);
}

namespace {

OsResult<void> allow_only(std::span<const int> calls) {
#if defined(SEKISHO_TRACES_ITSELF)
  (void)calls;
  return {};  // the sanitizer's own calls are not foreseeable
#else
  const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return std::unexpected(OsError{ENOMEM, "seccomp_init"});
  if (auto added = add_rules(filter, SCMP_ACT_ALLOW, calls); !added) return added;
  return load(filter);
#endif
}

}  // namespace

OsResult<void> allow_only_key_calls() {
  static constexpr std::array kAllowed{SCMP_SYS(read),         SCMP_SYS(write),
                                       SCMP_SYS(close),        SCMP_SYS(recvmsg),
                                       SCMP_SYS(sendmsg),      SCMP_SYS(epoll_ctl),
                                       SCMP_SYS(epoll_wait),   SCMP_SYS(epoll_pwait),
                                       SCMP_SYS(epoll_pwait2), SCMP_SYS(openat),
                                       SCMP_SYS(fstat),        SCMP_SYS(newfstatat),
                                       SCMP_SYS(lseek),        SCMP_SYS(fcntl),
                                       SCMP_SYS(mmap),         SCMP_SYS(munmap),
                                       SCMP_SYS(mremap),       SCMP_SYS(brk),
                                       SCMP_SYS(mprotect),     SCMP_SYS(madvise),
                                       SCMP_SYS(mlock),        SCMP_SYS(munlock),
                                       SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),
                                       SCMP_SYS(futex),        SCMP_SYS(rt_sigprocmask),
                                       SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),
                                       SCMP_SYS(getpid),       SCMP_SYS(gettid),
                                       SCMP_SYS(tgkill),       SCMP_SYS(exit),
                                       SCMP_SYS(exit_group),   SCMP_SYS(restart_syscall),
                                       SCMP_SYS(getuid),       SCMP_SYS(geteuid)};
  return allow_only(kAllowed);
}

OsResult<void> allow_only_computing() {
  static constexpr std::array kAllowed{SCMP_SYS(write),
                                       SCMP_SYS(mmap),
                                       SCMP_SYS(munmap),
                                       SCMP_SYS(mremap),
                                       SCMP_SYS(brk),
                                       SCMP_SYS(mprotect),
                                       SCMP_SYS(madvise),
                                       SCMP_SYS(futex),
                                       SCMP_SYS(clock_gettime),
                                       SCMP_SYS(rt_sigprocmask),
                                       SCMP_SYS(getpid),
                                       SCMP_SYS(gettid),
                                       SCMP_SYS(tgkill),
                                       SCMP_SYS(rt_sigreturn),
                                       SCMP_SYS(exit),
                                       SCMP_SYS(exit_group),
                                       SCMP_SYS(restart_syscall)};
  return allow_only(kAllowed);
}

}  // namespace gateway::os
