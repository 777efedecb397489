// `sekisho run`: starts the children, joins them by channels, keeps them alive and stops them in the fail-closed order.
// Holds no key, reads no packet, changes nothing in the kernel itself.
#pragma once

#include <string>

namespace gateway::daemon {

struct RunArguments {
  std::string config_file;        // handed to the children as an absolute path
  std::string state_directory;    // made when missing (0700); locked, so that two gateways never share one
  std::string runtime_directory;  // made when missing (0755); sockets live here
};

// Blocks until SIGTERM or SIGINT. 0: stopped in order; 2: could not run (a sentence is on standard error).
// Call before any thread is started.
[[nodiscard]] int run_gateway(const RunArguments& arguments);

}  // namespace gateway::daemon
