// Text for a terminal: aligned columns also with Japanese titles, colour only where it is wanted.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

namespace gateway::daemon::cli {

// Columns a terminal uses for UTF-8 text; East Asian wide characters take two, combining marks none.
[[nodiscard]] std::size_t display_width(std::string_view text);
// Control characters (a title or remote text must not drive the terminal) become '?'.
[[nodiscard]] std::string printable(std::string_view text);
[[nodiscard]] std::string printable_lines(std::string_view text);  // each line so; the ends of lines stay

class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string to_string() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

enum class Colour { kRed, kGreen, kYellow };
// With colour when standard output is a terminal and NO_COLOR is not set.
[[nodiscard]] std::string coloured(Colour colour, const std::string& text);
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);  // "1.4 MiB"

}  // namespace gateway::daemon::cli
