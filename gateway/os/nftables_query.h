// What libnftables would read the whole table for, with all its elements, asked of nf_tables itself. Each by a socket
// of its own, so that no answer is left in libnftables' one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/os/error.h"

namespace gateway::os {

// NFTA_TABLE_FLAGS of table inet `table`. ENOENT: there is no such table.
[[nodiscard]] OsResult<std::uint32_t> nftables_flags(const std::string& table);

struct NftablesCounter {
  std::string name;
  std::uint64_t packets = 0, bytes = 0;
};
// The named counters of table inet `table`, by name; none when there is no such table.
[[nodiscard]] OsResult<std::vector<NftablesCounter>> nftables_counters(const std::string& table);

}  // namespace gateway::os
