// The kernel's conntrack messages, read with bounds: whatever the octets, no harm.
#include "gateway/audit/conntrack_event.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)gateway::audit::read_conntrack_events({data, size});
  return 0;
}
