// Text with named places, and nothing clever: {{name}} is a value; a line {{#name}} begins a part that is written once
// for each row of the list `name`, up to its line {{/name}}; a flag is a list of one row or none. A name that nobody
// set, a part that is not closed: an error, never an empty place. Also in a part that has no rows. A line {{>name}}
// takes markup that was made elsewhere as it is: the only thing that is not escaped, and only in HTML.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"

namespace gateway::router {

struct List {
  std::vector<std::string> fields;             // named also when there is no row
  std::vector<std::vector<std::string>> rows;  // each as long as `fields`
};

struct Values {
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, List, std::less<>> lists;
  std::map<std::string, std::string, std::less<>> markup;  // whole elements; whoever makes it escapes what goes into it
  void flag(const std::string& name, bool on) {
    auto& list = lists[name] = {};
    if (on) list.rows.emplace_back();
  }
};

enum class Escape : std::uint8_t {
  kLine,  // a configuration: a control character in a value is an error, so no value can begin a line of its own
  kHtml,
};

// Text for the inside of an element or of an attribute in quotation marks. Control characters become spaces.
[[nodiscard]] std::string html_escaped(std::string_view text);

// The error names the line of the template.
[[nodiscard]] config::value::Result<std::string, std::string> render(std::string_view text, const Values& values,
                                                                     Escape escape);

}  // namespace gateway::router
