// `sekisho VERB`: the command line of the gateway (cli.h).
#include <csignal>
#include <string>
#include <vector>

#include "gateway/daemon/cli.h"
#include "gateway/os/heap.h"

int main(int argc, char** argv) {
  gateway::os::prepare_heap();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return gateway::daemon::cli::run(arguments);
}
