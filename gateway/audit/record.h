// One record: a kind with stable field names (docs/operations/records.md). Audit is not logging: never sampled away,
// never rate-limited, one writer, numbered without gaps.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "config/value/instant.h"

namespace gateway::audit {

struct Record {
  std::string kind;  // "flow.begin"
  nlohmann::ordered_json fields = nlohmann::ordered_json::object();
};

// When a record was made, in both clocks; the offset is that of the gateway's time zone, minutes east of UTC.
struct RecordTime {
  config::value::WallTime wall;
  config::value::Instant boot;
  int offset_minutes = 0;
};

// RFC 3339 with the offset and milliseconds: "2026-11-25T23:04:05.678+09:00".
[[nodiscard]] std::string to_rfc3339(config::value::WallTime time, int offset_minutes);
// The date alone, "2026-11-25": names the file.
[[nodiscard]] std::string to_date(config::value::WallTime time, int offset_minutes);

// One line of JSON with its newline. Octets that are no UTF-8 are replaced, never refused: a record is not lost for a
// name.
[[nodiscard]] std::string render(const Record& record, std::uint64_t sequence, const RecordTime& time);

// The end of an existing file: where complete lines end, and the last sequence number in them (0: none).
struct Tail {
  std::size_t good_length = 0;  // octets of `text` up to and with the last newline
  std::uint64_t last_sequence = 0;
  bool torn = false;  // something follows the last newline: a write that was cut
};
[[nodiscard]] Tail read_tail(std::string_view text);

}  // namespace gateway::audit
