// Diagnostics as people read them.
#include "config/diagnostic.h"

#include <algorithm>

#include <fmt/format.h>

namespace config {
namespace {

std::string place(const Position& at, const std::vector<std::string>& files) {
  return fmt::format("{}:{}:{}", at.file < files.size() ? files[at.file] : "?", at.line, at.column);
}

}  // namespace

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

std::string to_text(const Diagnostic& diagnostic, const std::vector<std::string>& files) {
  std::string out = fmt::format("{}: {}: ", place(diagnostic.at, files),
                                diagnostic.severity == Severity::kError ? "error" : "warning");
  if (!diagnostic.key_path.empty()) out += diagnostic.key_path + ": ";
  out += diagnostic.message;
  if (!diagnostic.hint.empty()) out += " (" + diagnostic.hint + ")";
  for (const auto& also : diagnostic.also)
    out += fmt::format("\n  {}: the other: {}", place(also.at, files), also.key_path);
  return out;
}

}  // namespace config
