// What malloc does with its memory.
#pragma once

namespace gateway::os {

// For processes that hold whole configurations: memory that is given back is kept for the next use, and where it is
// much it comes in pages of 2 MiB. With ten thousand facilities a plan is tens of megabytes, made anew for each change;
// half of the time that `sekisho check` took were page faults (docs/performance.md). To be called first of all.
void prepare_heap();

}  // namespace gateway::os
