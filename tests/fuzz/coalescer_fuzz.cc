// A batch of packets of a few flows, every one as odd as the input says: what is joined and cut apart again is those
// packets, each once, and in order within its flow.
#include "gateway/core/coalescer.h"

#include <cstdlib>

#include "tests/gateway/joined_packets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static gateway::core::Coalescer coalescer;
  if (size == 0) return 0;
  joined::Batch batch;
  for (std::size_t at = 1; at + joined::Batch::kRecord <= size && batch.packets().size() < 300;
       at += joined::Batch::kRecord)
    batch.add(std::span<const std::uint8_t, joined::Batch::kRecord>(data + at, joined::Batch::kRecord));
  if (!joined::join(coalescer, batch.packets(), {(data[0] & 1) != 0, (data[0] & 2) != 0}).same) std::abort();
  return 0;
}
