#include "gateway/os/record_names.h"

#include <dirent.h>

#include <cerrno>
#include <charconv>

namespace gateway::os {

unsigned record_part_of(const std::string& name) {
  if (name.size() < kRecordDateSize + kRecordEnding.size() || !name.ends_with(kRecordEnding)) return 0;
  const auto middle = name.substr(kRecordDateSize, name.size() - kRecordDateSize - kRecordEnding.size());
  if (middle.empty()) return 1;
  unsigned part = 0;
  const auto read = std::from_chars(middle.data() + 1, middle.data() + middle.size(), part);
  return middle[0] == '_' && read.ec == std::errc() && read.ptr == middle.data() + middle.size() ? part : 0;
}

OsResult<std::vector<std::string>> list_record_files(const std::string& directory) {
  DIR* listing = opendir(directory.c_str());
  if (listing == nullptr) return std::unexpected(OsError{errno, "open " + directory});
  std::vector<std::string> names;
  while (const auto* entry = readdir(listing))
    if (record_part_of(entry->d_name) > 0) names.emplace_back(entry->d_name);
  closedir(listing);
  return names;
}

}  // namespace gateway::os
