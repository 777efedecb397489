// Offsets of a text as lines and columns, and the checks of the raw octets that come before any grammar.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/gateway_config.h"

namespace config {

class SourceText {
 public:
  SourceText(std::string_view text, std::uint32_t file);
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] Position position(std::size_t offset) const;
  // The same for one who goes through the text: `line` is the number of his last position, 1 at the beginning.
  [[nodiscard]] Position position(std::size_t offset, std::size_t& line) const;
  // The first octet that is neither blank nor part of a comment, from `offset` on; the size when there is none.
  [[nodiscard]] std::size_t skip_blank(std::size_t offset) const;

 private:
  std::string_view text_;
  std::uint32_t file_;
  std::vector<std::size_t> line_starts_;
};

// Length of the well-formed UTF-8 sequence at the start (1..4), 0 when ill-formed (RFC 3629 4).
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// Offset of the first ill-formed sequence or NUL: nlohmann/json takes NUL for the end and would hide what follows.
[[nodiscard]] std::optional<std::size_t> first_bad_octet(std::string_view text);

// Control, bidirectional-override or other invisible characters, which would let a text look different from what it is.
[[nodiscard]] bool has_hidden_characters(std::string_view text);

}  // namespace config
