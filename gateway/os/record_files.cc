#include "gateway/os/record_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <systemd/sd-journal.h>

#include <ctime>

#include <algorithm>
#include <cerrno>

#include "gateway/os/clock.h"
#include "gateway/os/record_names.h"

namespace gateway::os {
namespace {

constexpr std::size_t kTailSizes[] = {1 << 16, 1 << 20};  // far longer than most lines, than any line

std::unexpected<OsError> failed(const std::string& what) {
  return std::unexpected(OsError{errno, what});
}

OsResult<void> make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir " + path);
  return {};
}

bool wants_space(const OsError& error) {
  return error.number == ENOSPC || error.number == EDQUOT;
}

std::vector<std::string> record_files(const std::string& directory) {
  return list_record_files(directory).value_or(std::vector<std::string>());
}

OsResult<void> sync_directory(const std::string& directory) {
  FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || fsync(folder.number()) != 0) return failed("fsync " + directory);
  return {};
}

int local_offset_minutes(config::value::WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::time_t time = seconds;
  std::tm local{};
  return localtime_r(&time, &local) == nullptr ? 0 : static_cast<int>(local.tm_gmtoff / 60);
}

// A copy for people and log shippers; the file is what counts, so a failure here is none.
void tell_journal(const audit::Record& record, const std::string& line) {
  const std::string message = "MESSAGE=" + line.substr(0, line.size() - 1);
  const std::string kind = "SEKISHO_KIND=" + record.kind;
  const iovec parts[] = {{const_cast<char*>(message.data()), message.size()},
                         {const_cast<char*>(kind.data()), kind.size()},
                         {const_cast<char*>("SYSLOG_IDENTIFIER=sekisho-record"), 32},
                         {const_cast<char*>("PRIORITY=6"), 10}};
  sd_journal_sendv(parts, 4);
}

}  // namespace

audit::RecordTime record_time() {
  const auto wall = wall_now();
  return {wall, boot_now(), local_offset_minutes(wall)};
}

OsResult<RecordFiles> RecordFiles::open(const std::string& state_directory, std::uint64_t reserve) {
  if (auto made = make_directory(state_directory); !made) return std::unexpected(made.error());
  RecordFiles files(state_directory + "/records", reserve);
  if (auto made = make_directory(files.directory_); !made) return std::unexpected(made.error());
  if (auto repaired = files.repair(); !repaired) return std::unexpected(repaired.error());
  files.fill_reserve();
  return files;
}

// What the disk does not give now is asked for again with every look at the space.
void RecordFiles::fill_reserve() {
  const auto path = directory_ + "/reserve";
  if (!reserve_file_.valid())
    reserve_file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat facts{};
  if (!reserve_file_.valid() || fstat(reserve_file_.number(), &facts) != 0) return;
  if (static_cast<std::uint64_t>(facts.st_size) > wanted_reserve_ &&
      ftruncate(reserve_file_.number(), static_cast<off_t>(wanted_reserve_)) != 0)
    return;
  // Step by step: half a reserve is better than none. posix_fallocate leaves holes nowhere.
  for (reserve_ = 0; reserve_ < wanted_reserve_;) {
    const auto step = std::min(kReserveStep, wanted_reserve_ - reserve_);
    if (posix_fallocate(reserve_file_.number(), static_cast<off_t>(reserve_), static_cast<off_t>(step)) != 0) return;
    reserve_ += step;
  }
}

bool RecordFiles::shrink_reserve() {
  if (reserve_ == 0) return false;
  const auto left = reserve_ - std::min(reserve_, kReserveStep);
  if (ftruncate(reserve_file_.number(), static_cast<off_t>(left)) != 0) return false;
  reserve_ = left;
  return true;
}

RecordFiles::Space RecordFiles::look_at_space() {
  Space space;
  for (const std::string& name : record_files(directory_)) {
    struct stat facts{};
    if (stat((directory_ + "/" + name).c_str(), &facts) == 0) space.used += static_cast<std::uint64_t>(facts.st_size);
  }
  struct statvfs disk{};
  const auto look = [&] {
    if (statvfs(directory_.c_str(), &disk) == 0) space.free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  };
  look();
  if (reserve_ < wanted_reserve_ && space.free > 2 * wanted_reserve_) {
    fill_reserve();
    look();
  }
  space.reserve = reserve_;
  return space;
}

// Where the day's records go on: its last part, so that a restart does not go back to an earlier one.
std::string RecordFiles::newest_of(const std::string& date) const {
  unsigned newest = 1;
  for (const std::string& name : record_files(directory_))
    if (name.starts_with(date)) newest = std::max(newest, record_part_of(name));
  struct stat facts{};
  const auto name = [&] {
    return date + (newest == 1 ? "" : fmt::format("_{:04}", newest)) + std::string(kRecordEnding);
  };
  const bool full = stat((directory_ + "/" + name()).c_str(), &facts) == 0 &&
                    static_cast<std::uint64_t>(facts.st_size) >= most_in_file_;
  if (full) ++newest;
  return directory_ + "/" + name();
}

// All files, not only the newest: a crash just after midnight leaves that one empty, a clock set back leaves the last
// number in an older one, and a number must never come twice.
OsResult<void> RecordFiles::repair() {
  for (const std::string& name : record_files(directory_))
    for (const std::size_t tail_size : kTailSizes) {
      const auto found = repair_tail(directory_ + "/" + name, tail_size);
      if (!found) return std::unexpected(found.error());
      if (*found) break;
    }
  return {};
}

// False: not one whole line within `tail_size` octets, look further back.
OsResult<bool> RecordFiles::repair_tail(const std::string& path, std::size_t tail_size) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return failed("open " + path);
  struct stat facts{};
  if (fstat(file.number(), &facts) != 0) return failed("fstat " + path);
  const auto size = static_cast<std::size_t>(facts.st_size);
  const auto start = size > tail_size ? size - tail_size : 0;
  std::string text(size - start, '\0');
  const auto got = pread(file.number(), text.data(), text.size(), static_cast<off_t>(start));
  if (got < 0 || static_cast<std::size_t>(got) != text.size()) return failed("read " + path);
  const auto tail = audit::read_tail(text);
  if (tail.last_sequence == 0 && start > 0 && tail_size < kTailSizes[1]) return false;
  sequence_ = std::max(sequence_, tail.last_sequence);
  if (!tail.torn) return true;
  if (ftruncate(file.number(), static_cast<off_t>(start + tail.good_length)) != 0) return failed("truncate " + path);
  if (fsync(file.number()) != 0) return failed("fsync " + path);
  repaired_octets_ += text.size() - tail.good_length;
  return true;
}

OsResult<void> RecordFiles::switch_to(const std::string& date) {
  if (file_.valid() && date == date_ && file_size_ < most_in_file_) return {};
  if (auto synced = sync(); !synced) return synced;
  const auto path = newest_of(date);
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed("open " + path);
  if (auto synced = sync_directory(directory_); !synced) return synced;
  file_ = std::move(file);
  file_size_ = 0;  // until the next write tells
  date_ = date;
  return {};
}

// A line that went in only in part is taken out again, so that the next one starts on its own.
OsResult<void> RecordFiles::write_line(const std::string& line) {
  const auto start = lseek(file_.number(), 0, SEEK_END);
  const auto written = write(file_.number(), line.data(), line.size());
  file_size_ = static_cast<std::uint64_t>(start) + line.size();
  if (written == static_cast<ssize_t>(line.size())) return {};
  file_size_ = static_cast<std::uint64_t>(start);
  const int cause = written < 0 ? errno : ENOSPC;
  if (written > 0 && ftruncate(file_.number(), start) != 0) file_.reset();
  return std::unexpected(OsError{cause, "write record"});
}

OsResult<std::string> RecordFiles::append(const audit::Record& record, Weight weight) {
  auto line = append_once(record, weight);
  while (!line && weight == Weight::kDurable && wants_space(line.error()) && shrink_reserve())
    line = append_once(record, weight);
  return line;
}

OsResult<std::string> RecordFiles::append_once(const audit::Record& record, Weight weight) {
  const auto now = record_time();
  if (auto there = switch_to(audit::to_date(now.wall, now.offset_minutes)); !there)
    return std::unexpected(there.error());
  auto line = audit::render(record, sequence_ + 1, now);
  if (auto written = write_line(line); !written) return std::unexpected(written.error());
  ++sequence_;
  unsynced_ = true;
  tell_journal(record, line);
  if (weight == Weight::kDurable)
    if (auto synced = sync(); !synced) return std::unexpected(synced.error());
  return line;
}

OsResult<void> RecordFiles::sync() {
  if (!file_.valid() || !unsynced_) return {};
  if (fdatasync(file_.number()) != 0) {
    auto error = failed("fsync record");
    file_.reset();
    return error;
  }
  unsynced_ = false;
  return {};
}

}  // namespace gateway::os
