// The lines of the record files, in the order of the files, for who reads them back (record_files.h writes them). One
// line at a time and one buffer: the files may be far larger than memory. A file may grow, or be moved away, meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class RecordLines {
 public:
  // Those of `date` ("2026-11-25", as in the files' names) and later. An error: the folder cannot be read; ENOENT:
  // there is none.
  [[nodiscard]] static OsResult<RecordLines> open(const std::string& state_directory, const std::string& date);

  struct Line {
    std::string_view text;              // without its newline; until the next call. Empty with `problem`
    const std::string* file = nullptr;  // its name
    std::uint64_t number = 0;           // from 1; 0: the file itself
    std::string problem;                // not empty: why it could not be read, as a sentence without a subject
  };
  // Empty at the end. A file that cannot be opened or read on is one line with a problem. What follows the last newline
  // of the newest file is being written just now, and is no line yet.
  [[nodiscard]] std::optional<Line> next();

  [[nodiscard]] std::size_t files() const { return names_.size(); }
  [[nodiscard]] std::uint64_t octets() const { return octets_; }  // read so far
  // There are files of days before: what is read begins where it was asked to.
  [[nodiscard]] bool earlier_there() const { return earlier_there_; }

 private:
  explicit RecordLines(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] Line problem(std::string sentence);
  // False: no file is left, or `failed_` says why not.
  [[nodiscard]] bool open_next();
  [[nodiscard]] bool fill();  // likewise, and false at the end of the file
  [[nodiscard]] std::optional<Line> rest_of_file();

  std::string directory_;
  std::vector<std::string> names_;
  bool earlier_there_ = false;
  std::size_t next_file_ = 0;
  FileDescriptor file_;
  std::string buffer_;
  std::size_t begin_ = 0, searched_ = 0;  // of what is not handed out yet, of what holds no newline
  std::uint64_t number_ = 0, octets_ = 0;
  std::string failed_;
  bool skipping_ = false;  // the rest of a line that is too long
};

}  // namespace gateway::os
