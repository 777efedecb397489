#include "gateway/os/state_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace gateway::os {
namespace {

std::unexpected<OsError> failed(const std::string& what) {
  return std::unexpected(OsError{errno, what});
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

OsResult<void> write_whole(int file, std::span<const std::uint8_t> octets, const std::string& path) {
  while (!octets.empty()) {
    const ssize_t size = write(file, octets.data(), octets.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return failed("write " + path);
    octets = octets.subspan(static_cast<std::size_t>(size));
  }
  return fsync(file) == 0 ? OsResult<void>() : failed("fsync " + path);
}

OsResult<void> sync_folder(const std::string& path) {
  FileDescriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || fsync(folder.number()) != 0) return failed("fsync " + path);
  return {};
}

}  // namespace

OsResult<std::optional<std::vector<std::uint8_t>>> read_state_file(const std::string& path, std::size_t most) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid() && errno == ENOENT) return std::optional<std::vector<std::uint8_t>>();
  struct stat facts{};
  if (!file.valid() || fstat(file.number(), &facts) != 0) return failed("open " + path);
  if (!S_ISREG(facts.st_mode) || static_cast<std::size_t>(facts.st_size) > most)
    return std::unexpected(OsError{EFBIG, "read " + path});
  std::vector<std::uint8_t> octets(static_cast<std::size_t>(facts.st_size));
  const ssize_t size = octets.empty() ? 0 : read(file.number(), octets.data(), octets.size());
  if (size < 0 || static_cast<std::size_t>(size) != octets.size()) return failed("read " + path);
  return octets;
}

OsResult<void> replace_state_file(const std::string& path, std::span<const std::uint8_t> octets) {
  const auto folder = folder_of(path);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir " + folder);
  const auto beside = path + ".new";
  FileDescriptor file(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed("open " + beside);
  if (auto written = write_whole(file.number(), octets, beside); !written) return written;
  if (rename(beside.c_str(), path.c_str()) != 0) return failed("rename " + path);
  return sync_folder(folder);
}

OsResult<void> link_state_file(const std::string& file, const std::string& path) {
  const auto folder = folder_of(path);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir " + folder);
  const auto beside = path + ".new";
  unlink(beside.c_str());  // what a crash left
  if (link(file.c_str(), beside.c_str()) != 0) return failed("link " + beside);
  if (rename(beside.c_str(), path.c_str()) != 0) return failed("rename " + path);
  unlink(beside.c_str());  // rename(2): of two names of one file both stay
  return sync_folder(folder);
}

OsResult<void> create_file(const std::string& path, std::string_view text, unsigned mode) {
  FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file.valid()) return failed("create " + path);
  const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
  auto written = write_whole(file.number(), {octets, text.size()}, path);
  if (written) return sync_folder(folder_of(path));
  discard_file(path);
  return written;
}

OsResult<void> turn_over(const std::string& next, const std::string& path, const std::string& kept) {
  if (access(next.c_str(), F_OK) != 0) return failed("open " + next);  // before anything is kept in another's place
  const auto beside = kept + ".new";
  unlink(beside.c_str());  // what a crash left
  if (link(path.c_str(), beside.c_str()) == 0) {
    if (rename(beside.c_str(), kept.c_str()) != 0) return failed("rename " + kept);
    unlink(beside.c_str());  // rename(2): of two names of one file both stay
  } else if (errno != ENOENT) {
    return failed("link " + beside);
  }
  if (rename(next.c_str(), path.c_str()) != 0) return failed("rename " + path);
  return sync_folder(folder_of(path));
}

OsResult<void> exchange_files(const std::string& one, const std::string& other) {
  if (renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0)
    return failed("exchange " + one + " and " + other);
  return sync_folder(folder_of(one));
}

void discard_file(const std::string& path) {
  unlink(path.c_str());
}

OsResult<void> make_folder(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return failed(path);
  return {};
}

OsResult<FileDescriptor> lock_folder(const std::string& folder) {
  const std::string path = folder + "/lock";
  FileDescriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock.valid()) return failed(path);
  if (flock(lock.number(), LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(OsError{0, folder + " is in use by another gateway"});
  return lock;
}

}  // namespace gateway::os
