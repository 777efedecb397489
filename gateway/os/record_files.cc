#include "gateway/os/record_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

#include <ctime>

#include <algorithm>
#include <cerrno>

#include "gateway/os/clock.h"

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

bool is_record_file(const std::string& name) {
  return name.size() == std::string("2026-11-25.jsonl").size() && name.ends_with(".jsonl");
}

std::vector<std::string> record_files(const std::string& directory) {
  std::vector<std::string> names;
  DIR* listing = opendir(directory.c_str());
  if (listing == nullptr) return names;
  while (const auto* entry = readdir(listing))
    if (is_record_file(entry->d_name)) names.emplace_back(entry->d_name);
  closedir(listing);
  return names;
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

OsResult<RecordFiles> RecordFiles::open(const std::string& state_directory) {
  if (auto made = make_directory(state_directory); !made) return std::unexpected(made.error());
  RecordFiles files(state_directory + "/records");
  if (auto made = make_directory(files.directory_); !made) return std::unexpected(made.error());
  if (auto repaired = files.repair(); !repaired) return std::unexpected(repaired.error());
  return files;
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
  if (file_.valid() && date == date_) return {};
  if (auto synced = sync(); !synced) return synced;
  const auto path = directory_ + "/" + date + ".jsonl";
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed("open " + path);
  if (auto synced = sync_directory(directory_); !synced) return synced;
  file_ = std::move(file);
  date_ = date;
  return {};
}

// A line that went in only in part is taken out again, so that the next one starts on its own.
OsResult<void> RecordFiles::write_line(const std::string& line) {
  const auto start = lseek(file_.number(), 0, SEEK_END);
  const auto written = write(file_.number(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return {};
  const int cause = written < 0 ? errno : ENOSPC;
  if (written > 0 && ftruncate(file_.number(), start) != 0) file_.reset();
  return std::unexpected(OsError{cause, "write record"});
}

OsResult<std::string> RecordFiles::append(const audit::Record& record, Weight weight) {
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
