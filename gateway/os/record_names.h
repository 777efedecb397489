// How the files of records are called: "2026-11-25.jsonl" is part 1 of that day, "2026-11-25_0002.jsonl" part 2. In the
// order of names ('_' comes after '.') they are in the order of time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/os/error.h"

namespace gateway::os {

inline constexpr std::size_t kRecordDateSize = std::string_view("2026-11-25").size();
inline constexpr std::string_view kRecordEnding = ".jsonl";

// 0: no record file.
[[nodiscard]] unsigned record_part_of(const std::string& name);
// Names of the record files in `directory`, in no order.
[[nodiscard]] OsResult<std::vector<std::string>> list_record_files(const std::string& directory);

}  // namespace gateway::os
