// Raw octets: lines, blanks, UTF-8.
#include "config/source_text.h"

#include <algorithm>

namespace config {
namespace {

struct Sequence {
  std::size_t length;
  unsigned char second_low, second_high;
};

// RFC 3629 4: the range of the second octet excludes overlong forms, surrogates and beyond U+10FFFF.
Sequence sequence_for(unsigned char lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xc2) return {0, 0, 0};
  if (lead < 0xe0) return {2, 0x80, 0xbf};
  if (lead < 0xf0)
    return {3, static_cast<unsigned char>(lead == 0xe0 ? 0xa0 : 0x80),
            static_cast<unsigned char>(lead == 0xed ? 0x9f : 0xbf)};
  if (lead < 0xf5)
    return {4, static_cast<unsigned char>(lead == 0xf0 ? 0x90 : 0x80),
            static_cast<unsigned char>(lead == 0xf4 ? 0x8f : 0xbf)};
  return {0, 0, 0};
}

std::uint32_t code_point(std::string_view sequence) {
  static constexpr unsigned char kLeadMask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t point = static_cast<unsigned char>(sequence[0]) & kLeadMask[sequence.size()];
  for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3f);
  return point;
}

bool hidden(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

}  // namespace

SourceText::SourceText(std::string_view text, std::uint32_t file) : text_(text), file_(file), line_starts_{0} {
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    line_starts_.push_back(at + 1);
}

Position SourceText::position(std::size_t offset) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = static_cast<std::size_t>(next - line_starts_.begin());
  return {file_, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(offset - line_starts_[line - 1] + 1)};
}

Position SourceText::position(std::size_t offset, std::size_t& line) const {
  while (line < line_starts_.size() && line_starts_[line] <= offset) ++line;
  while (line > 1 && line_starts_[line - 1] > offset) --line;
  return {file_, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(offset - line_starts_[line - 1] + 1)};
}

std::size_t SourceText::skip_blank(std::size_t offset) const {
  if (offset == 0 && text_.starts_with("\xef\xbb\xbf")) offset = 3;
  while (offset < text_.size()) {
    const auto rest = text_.substr(offset);
    if (rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\n') {
      ++offset;
    } else if (rest.starts_with("//")) {
      offset = std::min(text_.find('\n', offset), text_.size());
    } else if (rest.starts_with("/*")) {
      const auto end = text_.find("*/", offset + 2);
      if (end == std::string_view::npos) return offset;
      offset = end + 2;
    } else {
      break;
    }
  }
  return offset;
}

std::size_t utf8_length(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const auto sequence = sequence_for(octet(0));
  if (sequence.length <= 1) return sequence.length;
  if (text.size() < sequence.length) return 0;
  if (octet(1) < sequence.second_low || octet(1) > sequence.second_high) return 0;
  for (std::size_t i = 2; i < sequence.length; ++i)
    if ((octet(i) & 0xc0) != 0x80) return 0;
  return sequence.length;
}

namespace {

// Nearly everything that stands in a configuration.
bool plain(char c) {
  return c >= 0x20 && c < 0x7f;
}

}  // namespace

std::optional<std::size_t> first_bad_octet(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (plain(text[i])) {
      ++i;
      continue;
    }
    const auto length = utf8_length(text.substr(i, 4));
    if (length == 0 || text[i] == '\0') return i;
    i += length;
  }
  return std::nullopt;
}

bool has_hidden_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (plain(text[i])) {
      ++i;
      continue;
    }
    const auto length = utf8_length(text.substr(i, 4));
    if (length == 0 || hidden(code_point(text.substr(i, length)))) return true;
    i += length;
  }
  return false;
}

}  // namespace config
