// One line of a record file, read back: the head that every record has, and of flows and refusals what is needed to ask
// again whether they pass. The one place that knows how records are written down when they are read; all other fields
// are passed over. Any octets in: a record or a sentence, never more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/value/address.h"
#include "config/value/instant.h"
#include "config/value/result.h"

namespace gateway::audit {

struct RecordLine {
  std::uint64_t sequence = 0;
  config::value::WallTime time;
  std::string kind;  // "flow.begin"

  // Of flow.* and refused; empty or absent when the record does not say.
  std::string facility, other_facility;
  std::string direction;      // "facility-to-service"; of the guard "out-of-tunnel", "into-tunnel"
  std::string layer, reason;  // of refusals: "guard" or empty, and why
  std::string name;           // of the service or offer
  std::string rule_origin;    // the line that let it pass, as the files were then
  std::optional<config::value::IpAddress> source, source_real, destination, destination_real;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> destination_port;  // ICMP: type * 256 + code
  bool fragment = false;
  std::uint64_t flow = 0;                        // joins begin and end, until the next "start"
  bool seen_late = false;                        // the begin was missed
  std::optional<config::value::WallTime> began;  // of flow.end

  // Of what is only summed.
  std::uint64_t count = 0;              // refused.summary: refused since the last; records.lost: records
  std::uint64_t flows_not_written = 0;  // flow.summary: flows that began and have no record of their own
};

inline constexpr std::size_t kMostRecordOctets = 64 << 20;  // one line; a change of everything is long

// `line`: without its newline. The error says what is wrong, and never quotes more than a few octets of the line.
[[nodiscard]] config::value::Result<RecordLine, std::string> read_record_line(std::string_view line);

// 1, 6, 17, 58 or the number itself of what protocol_name() wrote.
[[nodiscard]] std::optional<std::uint8_t> protocol_number(std::string_view name);

}  // namespace gateway::audit
