// What libnftables would read the whole table for, with all its elements, asked of nf_tables itself. Each by a socket
// of its own, so that no answer is left in libnftables' one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "firewall/element_octets.h"
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

// NFTA_GEN_ID: another number after each transaction of anybody.
[[nodiscard]] OsResult<std::uint32_t> nftables_generation();

// How many rules each chain of table inet `table` has; of a chain without rules nothing.
[[nodiscard]] OsResult<std::map<std::string, std::size_t>> nftables_rule_counts(const std::string& table);

// A set or map of table inet `table` as nf_tables has it: what libnftables does not print of it, too.
struct NftablesSet {
  bool is_map = false, has_intervals = false;
  std::uint32_t key_size = 0, value_size = 0;  // octets
  std::vector<std::uint32_t> field_sizes;      // of a concatenated key
  bool more = false;                           // other flags, a size, a time, expressions, objects
};
[[nodiscard]] OsResult<std::map<std::string, NftablesSet>> nftables_sets(const std::string& table);

// The elements of one set or map of table inet `table`, as the kernel gives them. ENOENT: there is no such set.
[[nodiscard]] OsResult<std::vector<firewall::ElementOctets>> nftables_elements(const std::string& table,
                                                                               const std::string& set);

}  // namespace gateway::os
