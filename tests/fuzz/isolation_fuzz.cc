// Any octets as the orders of isolation that were kept: what is taken for such is written and read as the same again.
#include <cstdlib>

#include "gateway/daemon/isolation_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway::daemon;
  const auto isolation = parse_isolation({reinterpret_cast<const char*>(data), size});
  if (!isolation) {
    if (isolation.error().empty()) std::abort();
    return 0;
  }
  if (parse_isolation(isolation_text(*isolation)) != *isolation) std::abort();
  return 0;
}
