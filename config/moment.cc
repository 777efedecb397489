// RFC 3339 5.6, with what people leave out: the offset, the seconds, the time.
#include "config/moment.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "config/report.h"

namespace config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auto kJapan = hours(9);

// Takes a text apart from the front. Once something did not fit, nothing fits any more.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  int number(std::size_t count, int least, int most) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const bool digit = i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9';
      if (!digit) return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value < least || value > most ? fail() : value;
  }
  void expect(std::string_view any_of) {
    if (!take(any_of)) fail();
  }
  bool take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_[0]) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Digits behind a point: nanoseconds; more than nine are cut.
  value::Duration fraction() {
    const auto end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (end == 0) fail();
    std::int64_t value = 0;
    for (std::size_t i = 0; i < 9; ++i) value = value * 10 + (i < end ? rest_[i] - '0' : 0);
    rest_.remove_prefix(end);
    return value::Duration(value);
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  int fail() {
    failed_ = true;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool failed_ = false;
};

std::optional<std::chrono::sys_days> read_date(Reader& reader) {
  const int year = reader.number(4, 2000, 2200);
  reader.expect("-");
  const int month = reader.number(2, 1, 12);
  reader.expect("-");
  const int day = reader.number(2, 1, 31);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (reader.failed() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

value::Duration read_time(Reader& reader) {
  value::Duration time = hours(reader.number(2, 0, 23));
  reader.expect(":");
  time += minutes(reader.number(2, 0, 59));
  if (!reader.take(":")) return time;
  time += seconds(reader.number(2, 0, 59));
  if (reader.take(".")) time += reader.fraction();
  return time;
}

// East of UTC; what is not written is Japan.
value::Duration read_offset(Reader& reader) {
  if (reader.at_end()) return kJapan;
  if (reader.take("Zz")) return value::Duration(0);
  const bool east = reader.take("+");
  if (!east) reader.expect("-");
  value::Duration offset = hours(reader.number(2, 0, 23));
  reader.expect(":");
  offset += minutes(reader.number(2, 0, 59));
  return east ? offset : -offset;
}

}  // namespace

value::Result<Moment, std::string> Moment::parse(std::string_view text) {
  const auto refusal = std::unexpected(
      fmt::format("{} is no time; write \"2027-03-31T09:00:00+09:00\", or in the time of Japan \"2027-03-31 09:00\" or "
                  "\"2027-03-31\" (its first moment)",
                  quoted(text)));
  Reader reader(text);
  const auto date = read_date(reader);
  if (!date) return refusal;
  value::Duration time{}, offset = kJapan;
  if (!reader.at_end()) {
    reader.expect("Tt ");
    time = read_time(reader);
    offset = read_offset(reader);
  }
  if (reader.failed() || !reader.at_end()) return refusal;
  return Moment{WallTime(date->time_since_epoch() + time - offset)};
}

std::string day_text(WallTime time) {
  return moment_text(time).substr(0, 10);
}

std::string moment_text(WallTime time) {
  const auto local = std::chrono::floor<seconds>(time.time_since_epoch() + kJapan);
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const auto second = (local - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+09:00", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600,
                     second / 60 % 60, second % 60);
}

std::string last_day_text(WallTime until) {
  return day_text(until - seconds(1));
}

}  // namespace config
