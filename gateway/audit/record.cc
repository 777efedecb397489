#include "gateway/audit/record.h"

#include <fmt/format.h>

#include <chrono>

namespace gateway::audit {
namespace {

using nlohmann::ordered_json;

std::chrono::sys_time<std::chrono::milliseconds> local(config::value::WallTime time, int offset_minutes) {
  const auto shifted = time.time_since_epoch() + std::chrono::minutes(offset_minutes);
  return std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::floor<std::chrono::milliseconds>(shifted));
}

std::string date_of(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace

std::string to_date(config::value::WallTime time, int offset_minutes) {
  return date_of(std::chrono::floor<std::chrono::days>(local(time, offset_minutes)));
}

std::string to_rfc3339(config::value::WallTime time, int offset_minutes) {
  const auto at = local(time, offset_minutes);
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::hh_mm_ss clock(at - day);
  const int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  return fmt::format("{}T{:02}:{:02}:{:02}.{:03}{}{:02}:{:02}", date_of(day), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count(),
                     offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

std::string render(const Record& record, std::uint64_t sequence, const RecordTime& time) {
  ordered_json line;
  line["version"] = 1;
  line["sequence"] = sequence;
  line["time"] = to_rfc3339(time.wall, time.offset_minutes);
  line["boot_ns"] = time.boot.time_since_epoch().count();
  line["kind"] = record.kind;
  if (record.fields.is_object()) line.update(record.fields);  // update() of anything else would throw
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Tail read_tail(std::string_view text) {
  Tail tail;
  const auto end = text.rfind('\n');
  tail.good_length = end == std::string_view::npos ? 0 : end + 1;
  tail.torn = tail.good_length != text.size();
  auto lines = text.substr(0, tail.good_length);
  while (!lines.empty()) {
    lines.remove_suffix(1);
    const auto before = lines.rfind('\n');
    const auto line = before == std::string_view::npos ? lines : lines.substr(before + 1);
    const auto json = ordered_json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("sequence") && json["sequence"].is_number_unsigned()) {
      tail.last_sequence = json["sequence"].get<std::uint64_t>();
      return tail;
    }
    lines = before == std::string_view::npos ? std::string_view() : lines.substr(0, before + 1);
  }
  return tail;
}

}  // namespace gateway::audit
