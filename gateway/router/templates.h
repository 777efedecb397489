// The texts of config/templates, by the name of their file without ".tmpl". Compiled in.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/value/result.h"

namespace gateway::router {

struct Template {
  std::string_view name, text;
};
[[nodiscard]] std::span<const Template> templates();
[[nodiscard]] config::value::Result<std::string_view, std::string> template_named(const std::string& name);

}  // namespace gateway::router
