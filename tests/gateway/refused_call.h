// A thread in which the kernel refuses one system call, as a broken disk or a low limit would. The filter ends with the
// thread.
#pragma once

#include <seccomp.h>

#include <catch2/catch.hpp>
#include <thread>

namespace gateway::tests {

struct RefusedCall {
  int call = 0;   // SCMP_SYS(name)
  int error = 0;  // errno it ends with
  // Only with this third argument; -1: always.
  int third_argument = -1;
};

template <class Work>
void with_refused(RefusedCall refused, const Work& work) {
  bool loaded = false;
  std::thread([&] {
    const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    const auto action = SCMP_ACT_ERRNO(static_cast<unsigned>(refused.error));
    const scmp_arg_cmp third{2, SCMP_CMP_EQ, static_cast<scmp_datum_t>(refused.third_argument), 0};
    const int added = refused.third_argument < 0 ? seccomp_rule_add(filter, action, refused.call, 0)
                                                 : seccomp_rule_add(filter, action, refused.call, 1, third);
    loaded = added == 0 && seccomp_load(filter) == 0;
    seccomp_release(filter);
    if (loaded) work();
  }).join();
  REQUIRE(loaded);
}

}  // namespace gateway::tests
