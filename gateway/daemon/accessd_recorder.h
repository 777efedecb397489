// accessd's hand on the records: writes, remembers that writing fails (and opens again), and keeps the fresh lines for
// those who watch. Telemetry of this process goes out here too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/os/record_files.h"
#include "gateway/telemetry/event.h"

namespace gateway::daemon {

class Recorder {
 public:
  static constexpr config::value::Duration kBatchTime = std::chrono::milliseconds(100);
  using Weight = os::RecordFiles::Weight;

  explicit Recorder(std::string state_directory) : state_directory_(std::move(state_directory)) {}

  // False: the record is not (durably) there.
  bool write(const audit::Record& record, Weight weight, config::value::Instant now);
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

 private:
  [[nodiscard]] bool open(config::value::Instant now);
  bool fail(const os::OsError& error);

  std::string state_directory_;
  std::optional<os::RecordFiles> files_;
  std::optional<config::value::Instant> sync_at_;
  std::vector<Line> fresh_;
  std::string error_;
  std::uint64_t lost_ = 0;  // records that could not be written since the last that could
};

}  // namespace gateway::daemon
