// The one writer of records: <state>/records/YYYY-MM-DD.jsonl (0600; a long day goes on in YYYY-MM-DD_0002.jsonl) and
// the journal. It deletes nothing. <state>/records/reserve holds space that only decisions may take. A line that a
// power cut tore is cut off at start, with a record that says so. Decisions are on disk when append() returns; flows by
// the next sync(),
// <= 100 ms. After a failed fsync the file is closed and opened anew: the kernel forgets the error, we do not
// (fsyncgate).
#pragma once

#include <cstdint>
#include <string>

#include "gateway/audit/record.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class RecordFiles {
 public:
  enum class Weight : std::uint8_t { kBatched, kDurable };  // kDurable: a decision, may use the reserve
  static constexpr std::uint64_t kReserve = 8 << 20;        // octets
  static constexpr std::uint64_t kReserveStep = 64 << 10;

  // Makes the folder (0700), repairs the files and takes up the highest sequence of any.
  [[nodiscard]] static OsResult<RecordFiles> open(const std::string& state_directory, std::uint64_t reserve = kReserve);
  void set_most_in_file(std::uint64_t octets) { most_in_file_ = octets; }

  // The line as written. An error: the record is not (durably) there, and what it allows must not happen.
  [[nodiscard]] OsResult<std::string> append(const audit::Record& record, Weight weight);
  [[nodiscard]] OsResult<void> sync();
  [[nodiscard]] bool unsynced() const { return unsynced_; }
  [[nodiscard]] std::uint64_t last_sequence() const { return sequence_; }
  [[nodiscard]] std::uint64_t repaired_octets() const { return repaired_octets_; }

  struct Space {                // octets
    std::uint64_t used = 0;     // by all record files, also by those that a person laid there
    std::uint64_t free = 0;     // on the disk, for anybody but the privileged
    std::uint64_t reserve = 0;  // still kept for decisions
  };
  // Looks at folder and disk; fills the reserve up again when there is room for it and as much beside.
  [[nodiscard]] Space look_at_space();
  // Gives back one step of the reserve, for a state file that must be written. False: there is none left.
  bool shrink_reserve();

 private:
  RecordFiles(std::string directory, std::uint64_t reserve)
      : directory_(std::move(directory)), wanted_reserve_(reserve) {}
  [[nodiscard]] OsResult<void> repair();
  [[nodiscard]] OsResult<bool> repair_tail(const std::string& path, std::size_t tail_size);
  [[nodiscard]] OsResult<void> switch_to(const std::string& date);
  [[nodiscard]] OsResult<void> write_line(const std::string& line);
  [[nodiscard]] OsResult<std::string> append_once(const audit::Record& record, Weight weight);
  void fill_reserve();
  [[nodiscard]] std::string newest_of(const std::string& date) const;

  std::string directory_;
  std::string date_;
  FileDescriptor file_, reserve_file_;
  std::uint64_t wanted_reserve_ = 0, reserve_ = 0, file_size_ = 0;
  std::uint64_t most_in_file_ = std::uint64_t{256} << 20;
  std::uint64_t sequence_ = 0;
  std::uint64_t repaired_octets_ = 0;
  bool unsynced_ = false;
};

// The time of now for a record, in the gateway's time zone.
[[nodiscard]] audit::RecordTime record_time();

}  // namespace gateway::os
