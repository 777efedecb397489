#include "gateway/core/messages.h"

namespace gateway::core {

std::string name_of(ProcessRole role) {
  switch (role) {
    case ProcessRole::kSupervisor:
      return "supervisor";
    case ProcessRole::kNetd:
      return "netd";
    case ProcessRole::kTunneld:
      return "tunneld";
    case ProcessRole::kKeyd:
      return "keyd";
    case ProcessRole::kAccessd:
      return "accessd";
  }
  return "unknown";
}

}  // namespace gateway::core
