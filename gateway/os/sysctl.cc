// Plain reads and writes; no value is remembered here.
#include "gateway/os/sysctl.h"

#include <dirent.h>
#include <fcntl.h>

#include <array>
#include <cerrno>

#include "gateway/os/file_descriptor.h"

namespace gateway::os {

OsResult<std::string> read_sysctl(const std::string& path) {
  const FileDescriptor file(open(("/proc/sys/" + path).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, kLongestSysctl> text;
  const ssize_t got = file.valid() ? read(file.number(), text.data(), text.size()) : -1;
  if (got < 0) return std::unexpected(OsError{errno, "read " + path});
  std::string value(text.data(), static_cast<std::size_t>(got));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

OsResult<void> write_sysctl(const std::string& path, const std::string& value) {
  if (auto now = read_sysctl(path); now && *now == value) return {};
  const FileDescriptor file(open(("/proc/sys/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() || write(file.number(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return std::unexpected(OsError{errno, "write " + path});
  return {};
}

std::vector<std::string> list_sysctl(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(("/proc/sys/" + path).c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  closedir(directory);
  return names;
}

}  // namespace gateway::os
