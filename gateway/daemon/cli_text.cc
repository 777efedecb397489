#include "gateway/daemon/cli_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "gateway/os/standard_streams.h"

namespace gateway::daemon::cli {
namespace {

struct Range {
  char32_t first, last;
};
// Unicode East Asian Width W and F, as far as titles need it.
constexpr std::array<Range, 11> kWide{{{0x1100, 0x115f},
                                       {0x2e80, 0x303e},
                                       {0x3041, 0xa4cf},
                                       {0xa960, 0xa97c},
                                       {0xac00, 0xd7a3},
                                       {0xf900, 0xfaff},
                                       {0xfe30, 0xfe6f},
                                       {0xff00, 0xff60},
                                       {0xffe0, 0xffe6},
                                       {0x1f300, 0x1faff},
                                       {0x20000, 0x3fffd}}};
constexpr std::array<Range, 5> kNoWidth{
    {{0x0300, 0x036f}, {0x200b, 0x200f}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}}};

bool within(std::span<const Range> ranges, char32_t point) {
  return std::ranges::any_of(ranges, [point](const Range& r) { return r.first <= point && point <= r.last; });
}

// The code point at the front; a broken sequence counts as one character of one octet.
char32_t take(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  char32_t point = length == 1 ? first : first & (0x7fu >> length);
  const std::size_t used = std::min(length, text.size());
  for (std::size_t i = 1; i < used; ++i) point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(used);
  return point;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto point = take(text);
    if (!within(kNoWidth, point)) width += within(kWide, point) ? 2 : 1;
  }
  return width;
}

std::string printable_lines(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += (at == 0 ? "" : "\n") + printable(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto before = text;
    const auto point = take(text);
    const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    out += control ? "?" : std::string(before.substr(0, before.size() - text.size()));
  }
  return out;
}

std::string Table::to_string() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], display_width(printable(row[i])));
    }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto cell = printable(row[i]);
      line += cell;
      if (i + 1 < row.size()) line.append(widths[i] - display_width(cell) + 2, ' ');
    }
    text += line + "\n";
  }
  return text;
}

std::string coloured(Colour colour, const std::string& text) {
  const char* off = std::getenv("NO_COLOR");
  if ((off != nullptr && *off != '\0') || !os::output_is_terminal()) return text;
  const int code = colour == Colour::kRed ? 31 : colour == Colour::kGreen ? 32 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace gateway::daemon::cli
