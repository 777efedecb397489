// Shared by the configuration tests: a moment in time, the examples, and short ways to load a text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace config_test {

inline const config::WallTime kNow{std::chrono::hours(24 * 365 * 56)};  // late 2025

[[nodiscard]] std::string read_file(const std::string& path);
[[nodiscard]] std::string example_directory();

struct Example {
  std::string name;
  std::vector<config::SourceFile> files;
};
[[nodiscard]] const std::vector<Example>& examples();

[[nodiscard]] config::Loaded load_text(std::string_view text);

// A good configuration with two facilities, "alpha" and "beta"; `from` is replaced by `to` once (the test fails when
// absent).
[[nodiscard]] std::string base();
[[nodiscard]] std::string base_with(std::string_view from, std::string_view to);

// All errors and warnings as text, one a line.
[[nodiscard]] std::string all_text(const config::Loaded& loaded);
[[nodiscard]] std::size_t error_count(const config::Loaded& loaded);
// The first diagnostic whose message or hint holds `words`; fails the test when there is none.
[[nodiscard]] config::Diagnostic found(const config::Loaded& loaded, std::string_view words);

// Each diagnostic names an existing place.
void check_positions(const config::Loaded& loaded, const std::vector<config::SourceFile>& files);

}  // namespace config_test
