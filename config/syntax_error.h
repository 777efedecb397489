// A plain sentence and a hint for a JSON text that does not parse.
#pragma once

#include <optional>
#include <string_view>

#include "config/diagnostic.h"
#include "config/source_text.h"

namespace config {

struct SyntaxFailure {
  std::size_t last_end = 0;                 // end of the last key, value or bracket that was understood
  std::size_t consumed = 0;                 // what the parser had read
  std::string_view reason;                  // the parser's own words
  std::optional<std::size_t> open_bracket;  // the innermost one that is still open
  bool after_key = false;                   // the last thing understood was a key
};

[[nodiscard]] Diagnostic explain(const SourceText& source, const SyntaxFailure& failure);

}  // namespace config
