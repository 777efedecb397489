// What becomes of a process of its own that does something no test process may do to itself.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

// The leak check of a sanitizer build traces its own process: some of what a process gives up, it keeps there.
#if defined(__SANITIZE_ADDRESS__)
#define SEKISHO_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEKISHO_TEST_SANITIZED 1
#endif
#endif

namespace gateway::tests {

struct Outcome {
  int exit_status = -1;  // -1: it did not exit
  int signal = 0;        // that ended it
};

// `work` gives the exit status.
template <class Work>
Outcome in_child(const Work& work) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) _exit(work());
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace gateway::tests
