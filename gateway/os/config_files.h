// Reads the configuration from disk: the main file, what it includes, and what can be said about its key files without
// handing a key to anybody. All judging is config's.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace gateway::os {

enum class KeyFiles : std::uint8_t {
  kInspect,  // open each one; needs the rights to read it
  kLeave,    // a process that may not read keys: keyd looks at them
};

// Everything that is wrong, in one list; a file that is missing or cannot be read is a diagnostic too.
// config.files[0] is `main_path` as given; included files are shown below the same directory.
[[nodiscard]] config::Loaded load_configuration(const std::string& main_path, config::WallTime now,
                                                KeyFiles key_files = KeyFiles::kInspect);

// The same of texts that do not stand on disk (config/canary.h), the main file first. What they name is looked for
// beside `main_path`.
[[nodiscard]] config::Loaded load_texts(std::vector<config::SourceFile> files, const std::string& main_path,
                                        config::WallTime now, KeyFiles key_files = KeyFiles::kInspect);

enum class KeyKind : std::uint8_t { kPrivate, kPreshared };

// `path` is opened, `shown` is what the configuration says. What is good: key_file.h. The key itself is wiped.
[[nodiscard]] config::KeyFileFact inspect_key_file(const std::string& path, const std::string& shown, KeyKind kind);

}  // namespace gateway::os
