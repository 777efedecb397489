// A network namespace of the test's own, left again at the end; and the commands a stranger would type in it.
// Without the privilege the test fails, it is not skipped.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "gateway/os/file_descriptor.h"

namespace gateway::tests {

// Exit status of a program given as words; its output goes nowhere.
inline int stranger(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 127;
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

class NetworkNamespace {
 public:
  NetworkNamespace() : before_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    INFO("these tests need root: a network namespace of their own");
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    REQUIRE(stranger("ip link set lo up") == 0);
    for (const std::string name : {"wan0", "dc0"}) {
      REQUIRE(stranger("ip link add " + name + " type veth peer name " + name + "p") == 0);
      REQUIRE(stranger("ip link set " + name + " up") == 0);
      REQUIRE(stranger("ip link set " + name + "p up") == 0);
    }
  }
  ~NetworkNamespace() { (void)setns(before_.number(), CLONE_NEWNET); }

 private:
  os::FileDescriptor before_;
};

}  // namespace gateway::tests
