// sekisho-tunneld: started by the supervisor only. No privilege, no file, no key of its own.
#include <cstdio>

#include "gateway/daemon/tunneld.h"
#include "gateway/os/heap.h"

int main(int argc, char** argv) {
  gateway::os::prepare_heap();
  auto child = gateway::os::SupervisedChild::start(gateway::core::ProcessRole::kTunneld, argc, argv);
  if (!child) {
    std::fprintf(stderr, "sekisho-tunneld: %s\n", child.error().to_string().c_str());
    return 2;
  }
  return gateway::daemon::Tunneld(*std::move(child)).run();
}
