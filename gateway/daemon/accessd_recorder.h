// accessd's hand on the records: writes, remembers that writing fails (and opens again), keeps the fresh lines for
// those who watch, and decides what is written singly when space is short (docs/decisions/0005): decisions always, the
// detail of flows and tunnels within each facility's allowance and the space, else as sums. Telemetry of this process
// goes out here too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/gateway_config.h"
#include "gateway/audit/detail_limit.h"
#include "gateway/os/record_files.h"
#include "gateway/telemetry/event.h"

namespace gateway::daemon {

class Recorder {
 public:
  static constexpr config::value::Duration kBatchTime = std::chrono::milliseconds(100);
  static constexpr config::value::Duration kLookTime = std::chrono::seconds(1);  // at the space, at most so often
  using Weight = os::RecordFiles::Weight;
  enum class Room : std::uint8_t { kGood, kShort, kNone };  // kShort: a warning; kNone: detail is summed

  explicit Recorder(std::string state_directory, std::uint64_t reserve = os::RecordFiles::kReserve)
      : state_directory_(std::move(state_directory)), reserve_(reserve) {}

  void set_limits(const config::RecordLimits& limits, config::value::Instant now);

  // False: the record is not (durably) there.
  bool write(const audit::Record& record, Weight weight, config::value::Instant now);
  // One row of flow or tunnel detail: singly, or into the sums. Never lost.
  void write_detail(const audit::Record& record, config::value::Instant now);
  // The sums of what was not written singly; one that cannot be written stays and grows.
  void write_summaries(Weight weight, config::value::Instant now);
  // Space is looked at; each change of `room()` is a record and an alarm.
  void look_at_space(config::value::Instant now);
  // Something beside the records must be written and the disk is full: try once more after true.
  bool make_room() { return files_ && files_->shrink_reserve(); }

  void tell(const telemetry::Event& event) const;  // one line on standard error
  void on_deadline(config::value::Instant now);
  // What is written so far is on disk at the end of this loop turn: one fsync for many.
  void hurry(config::value::Instant now) { sync_at_ = now; }
  [[nodiscard]] std::optional<config::value::Instant> next_deadline() const { return sync_at_; }

  struct Line {
    std::string kind, text;
  };
  [[nodiscard]] std::vector<Line> take_fresh() { return std::exchange(fresh_, {}); }
  [[nodiscard]] bool failing() const { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] std::uint64_t last_sequence() const { return files_ ? files_->last_sequence() : 0; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] Room room() const { return room_; }
  [[nodiscard]] const os::RecordFiles::Space& space() const { return space_; }
  [[nodiscard]] const config::RecordLimits& limits() const { return limits_; }
  [[nodiscard]] std::uint64_t summed() const { return detail_.summed(); }

 private:
  [[nodiscard]] bool open(config::value::Instant now);
  bool fail(const os::OsError& error);
  bool write_once(const audit::Record& record, Weight weight, config::value::Instant now);
  [[nodiscard]] Room judge_space() const;

  std::string state_directory_;
  std::uint64_t reserve_;
  config::RecordLimits limits_;
  audit::DetailLimit detail_{limits_.flow_records_per_second};
  std::optional<os::RecordFiles> files_;
  os::RecordFiles::Space space_;
  Room room_ = Room::kGood;
  std::optional<config::value::Instant> looked_;
  std::optional<config::value::Instant> sync_at_;
  std::vector<Line> fresh_;
  std::string error_;
  std::uint64_t lost_ = 0;  // records that could not be written since the last that could
};

[[nodiscard]] const char* room_name(Recorder::Room room);  // "good", "short", "none"

}  // namespace gateway::daemon
