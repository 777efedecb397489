#include "gateway/os/service_manager.h"

#include <systemd/sd-daemon.h>

namespace gateway::os {

void notify_service_manager(const std::string& state) {
  (void)sd_notify(0, state.c_str());
}

}  // namespace gateway::os
