// One transaction of nf_tables as messages of our own: what libnftables has no words for, and elements that are too
// many for its text (docs/decisions/0002, 0017; nfnetlink's batches: include/uapi/linux/netfilter/nfnetlink.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firewall/element_octets.h"
#include "gateway/os/error.h"

namespace gateway::os {

class NftablesBatch {
 public:
  // For table inet `table`.
  // `generation`: refused (ERESTART) when anybody has changed nf_tables since it was read; none: whatever was changed.
  explicit NftablesBatch(std::string table, std::optional<std::uint32_t> generation = std::nullopt);

  // NFTA_TABLE_FLAGS. A table that is there keeps its content.
  void new_table(std::uint32_t flags);
  void new_elements(const std::string& set, std::span<const firewall::ElementOctets> elements);
  void delete_elements(const std::string& set, std::span<const firewall::ElementOctets> elements);

  // All or nothing, by the socket that owns the table. Once. The error's number is that of the first message refused;
  // with ENOBUFS or ETIMEDOUT nobody knows whether it was.
  [[nodiscard]] OsResult<void> send(int socket);

 private:
  void put_elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                    std::span<const firewall::ElementOctets> elements);
  void put_mark(std::uint16_t type, std::optional<std::uint32_t> generation = std::nullopt);

  std::string table_;
  std::vector<char> octets_;  // messages, one behind the other
  std::size_t last_ = 0;      // where the last one begins
  std::uint32_t first_sequence_, sequence_;
};

}  // namespace gateway::os
