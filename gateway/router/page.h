// The frame of every page that is printed: head, style for A4 paper, nothing of elsewhere. Well-formed also as XML, as
// far as the body is.
#pragma once

#include <cstdint>
#include <string>

#include "config/value/result.h"
#include "gateway/router/template.h"

namespace gateway::router {

enum class Language : std::uint8_t { kJapanese, kEnglish };
enum class Paper : std::uint8_t { kPortrait, kLandscape };  // A4; landscape has the styles of figures and long lists

struct Page {
  Language language = Language::kJapanese;
  Paper paper = Paper::kPortrait;
  std::string title;  // of the window
  std::string body;   // name of a template without the language: "sheet" -> sheet-ja, sheet-en
};

// The body from its template and `values`, every value escaped, in the frame.
[[nodiscard]] config::value::Result<std::string, std::string> render_page(const Page& page, const Values& values);

}  // namespace gateway::router
