// What systemd is told of us (sd_notify(3)). Without a service manager nothing happens.
#pragma once

#include <string>

namespace gateway::os {

// `state`: assignments, one a line, as "READY=1\nSTATUS=running". A failure is not told: nobody could act on it.
void notify_service_manager(const std::string& state);

}  // namespace gateway::os
