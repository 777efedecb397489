// The permissions of a plan as one hash table: (class of source, class of destination, protocol) -> port ranges with
// their end. Constant cost: two prefix look-ups, one probe, a bisection over the ranges of that pair.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "gateway/core/prefix_table.h"
#include "policy/packet_set.h"
#include "policy/plan.h"

namespace gateway::core {

enum class Match : std::uint8_t { kNone, kExpired, kPermitted };

// A row of the compiled table: who may open what to whom, and until when.
struct PermissionRow {
  policy::AddressRange source, destination;
  std::uint8_t protocol = 0;
  std::uint16_t first = 0, last = 0;
  config::value::WallTime until;  // max() when without end
  friend bool operator==(const PermissionRow&, const PermissionRow&) = default;
};

class PermissionTable {
 public:
  PermissionTable() = default;
  [[nodiscard]] static config::value::Result<PermissionTable, std::string> compile(
      const std::vector<policy::Permission>& permissions);

  // May `source` open `protocol`/`port` (0 for echo) at `destination`? Protocols as in the packet (1, 6, 17, 58).
  [[nodiscard]] Match find(const config::value::IpAddress& source, const config::value::IpAddress& destination,
                           std::uint8_t protocol, std::uint16_t port, config::value::WallTime now) const;
  // As it is compiled, row by row: for `sekisho verify --live`.
  [[nodiscard]] std::vector<PermissionRow> rows() const;
  // Every packet that find() calls permitted, read from the compiled table. For `sekisho verify`.
  [[nodiscard]] policy::PacketSet packets(config::value::WallTime now) const;
  // Is it the destination of any permission? Only for naming a refusal.
  [[nodiscard]] bool is_destination(const config::value::IpAddress& address) const {
    return destinations_.find(address) != PrefixTable::kNone;
  }

 private:
  struct Range {
    std::uint16_t first = 0, last = 0;
    config::value::WallTime until;  // max() when without end
  };
  struct Key {
    std::uint32_t source = 0, destination = 0;
    std::uint8_t protocol = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Slot {
    Key key;
    std::uint32_t first_range = 0;
    std::uint32_t range_count = 0;  // 0: empty slot
  };
  struct Row {
    Key key;
    Range range;
  };
  [[nodiscard]] static std::size_t hash(const Key& key);
  void fill(std::vector<Row>& rows);
  void add_group(std::span<const Row> group);
  void insert(const Slot& slot);

  PrefixTable sources_, destinations_;
  std::vector<config::value::Prefix> source_classes_, destination_classes_;  // by the numbers in those, sorted
  std::vector<Slot> slots_;  // open addressing, power of two, at most half full
  std::vector<Range> ranges_;
};

}  // namespace gateway::core
