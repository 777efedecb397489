// sekisho-accessd: started by `sekisho run` only (design 6).
#include <cstdio>

#include "gateway/daemon/accessd.h"
#include "gateway/os/heap.h"

int main(int argc, char** argv) {
  gateway::os::prepare_heap();
  auto child = gateway::os::SupervisedChild::start(gateway::core::ProcessRole::kAccessd, argc, argv);
  if (!child) {
    std::fprintf(stderr, "sekisho-accessd: %s\n", child.error().to_string().c_str());
    return 2;
  }
  auto accessd = gateway::daemon::Accessd::create(std::move(*child));
  if (!accessd) {
    std::fprintf(stderr, "sekisho-accessd: %s\n", accessd.error().to_string().c_str());
    return 2;
  }
  return accessd->run();
}
