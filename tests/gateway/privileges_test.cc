// What a process gives up for good, each seen by what it can no longer do. In the whole family: supervisor_test.cc.
#include "gateway/os/privileges.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/gateway/child_outcome.h"

using namespace gateway;
using tests::in_child;

namespace {

// Arguments that no call takes: where it is not forbidden, it does nothing and fails.
int call_in_vain(long number) {
  (void)syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
  return 0;
}

}  // namespace

TEST_CASE("privileges: no dumps, and no look into the process", "[privileges]") {
  const auto outcome = in_child([] {
    if (!os::forbid_dumps()) return 2;
    rlimit core{};
    const bool no_core = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
#if defined(SEKISHO_TEST_SANITIZED)
    return no_core ? 0 : 1;
#else
    return no_core && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1;
#endif
  });
  CHECK(outcome.exit_status == 0);
}

// A filter that only logs, or answers with an error, would leave whoever broke in time to go on.
TEST_CASE("privileges: a forbidden call is the end of the process", "[privileges]") {
  for (const long number : {
           SYS_execve,      SYS_execveat,     SYS_mount,         SYS_umount2,          SYS_move_mount,
           SYS_open_tree,   SYS_fsopen,       SYS_pivot_root,    SYS_chroot,           SYS_unshare,
           SYS_setns,       SYS_bpf,          SYS_userfaultfd,   SYS_perf_event_open,  SYS_io_uring_setup,
           SYS_keyctl,      SYS_add_key,      SYS_request_key,   SYS_kexec_load,       SYS_kexec_file_load,
           SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_process_vm_readv, SYS_process_vm_writev,
           SYS_swapon,      SYS_reboot,       SYS_settimeofday,  SYS_clock_settime,    SYS_personality,
#if !defined(SEKISHO_TEST_SANITIZED)
           SYS_ptrace,
#endif
       }) {
    INFO("system call " << number);
    CHECK(in_child([&] { return call_in_vain(number); }).exit_status == 0);  // without the filter it goes on
    CHECK(in_child([&] { return os::forbid_dangerous_calls() ? call_in_vain(number) : 2; }).signal == SIGSYS);
  }
  CHECK(in_child([] { return os::forbid_dangerous_calls() ? call_in_vain(SYS_getppid) : 2; }).exit_status == 0);
}

#if !defined(SEKISHO_TEST_SANITIZED)
TEST_CASE("privileges: keyd's filter ends it at any call but its own", "[privileges]") {
  for (const long number : {SYS_socket, SYS_connect, SYS_sendto, SYS_unlink, SYS_fork, SYS_getppid, SYS_ptrace}) {
    INFO("system call " << number);
    CHECK(in_child([&] { return os::allow_only_key_calls() ? call_in_vain(number) : 2; }).signal == SIGSYS);
  }
  CHECK(in_child([] { return os::allow_only_key_calls() ? call_in_vain(SYS_getpid) : 2; }).exit_status == 0);
}
#endif
