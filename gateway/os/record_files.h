// The one writer of records: <state>/records/YYYY-MM-DD.jsonl (0600) and the journal. A line that a power cut tore is
// cut off at start, with a record that says so. Decisions are on disk when append() returns; flows by the next sync(),
// <= 100 ms. After a failed fsync the file is closed and opened anew: the kernel forgets the error, we do not
// (fsyncgate).
#pragma once

#include <string>

#include "gateway/audit/record.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class RecordFiles {
 public:
  enum class Weight : std::uint8_t { kBatched, kDurable };

  // Makes the folder (0700), repairs the files and takes up the highest sequence of any.
  [[nodiscard]] static OsResult<RecordFiles> open(const std::string& state_directory);

  // The line as written. An error: the record is not (durably) there, and what it allows must not happen.
  [[nodiscard]] OsResult<std::string> append(const audit::Record& record, Weight weight);
  [[nodiscard]] OsResult<void> sync();
  [[nodiscard]] bool unsynced() const { return unsynced_; }
  [[nodiscard]] std::uint64_t last_sequence() const { return sequence_; }
  [[nodiscard]] std::uint64_t repaired_octets() const { return repaired_octets_; }

 private:
  explicit RecordFiles(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] OsResult<void> repair();
  [[nodiscard]] OsResult<bool> repair_tail(const std::string& path, std::size_t tail_size);
  [[nodiscard]] OsResult<void> switch_to(const std::string& date);
  [[nodiscard]] OsResult<void> write_line(const std::string& line);

  std::string directory_;
  std::string date_;
  FileDescriptor file_;
  std::uint64_t sequence_ = 0;
  std::uint64_t repaired_octets_ = 0;
  bool unsynced_ = false;
};

// The time of now for a record, in the gateway's time zone.
[[nodiscard]] audit::RecordTime record_time();

}  // namespace gateway::os
