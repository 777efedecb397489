// The table `inet sekisho` as the kernel has it now, read as firewall::Listing: what there is, and the elements past
// libnftables' text (docs/decisions/0017).
#pragma once

#include <string>
#include <vector>

#include "firewall/listing.h"
#include "firewall/rule_set.h"
#include "gateway/os/nftables_table.h"

namespace gateway::daemon {

// Chains, sets and counters, without elements and rules.
[[nodiscard]] os::OsResult<firewall::Listing> listed_names(os::NftablesTable& table);

// All of one generation, and what two readings agree on. ENOENT: there is no such table. EAGAIN: others change
// nf_tables all the time.
[[nodiscard]] os::OsResult<firewall::Listing> listed_table(os::NftablesTable& table);

// Of `wanted` and what `table` holds now, a sentence each, and of too many only their number; nothing is changed.
[[nodiscard]] os::OsResult<std::vector<std::string>> listed_differences(os::NftablesTable& table,
                                                                        const firewall::RuleSet& wanted);

}  // namespace gateway::daemon
