// The kernel's nflog messages, read with bounds: whatever the octets, no harm.
#include "gateway/audit/nflog_event.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)gateway::audit::read_nflog_events({data, size});
  return 0;
}
