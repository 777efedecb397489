// What is wrong, where, and what would be right. All diagnostics of a configuration are shown at once.
#pragma once

#include <string>
#include <vector>

#include "config/gateway_config.h"

namespace config {

enum class Severity : std::uint8_t { kWarning, kError };

struct Diagnostic {
  Severity severity = Severity::kError;
  Position at;
  std::string key_path;  // "facilities.hakodate.networks[0].real"
  std::string message;   // what is wrong, one sentence
  std::string hint;      // what would be right; empty when nothing can be said
  struct Also {          // the other side of an overlap or duplicate
    Position at;
    std::string key_path;
  };
  std::vector<Also> also;
  bool overlap = false;  // two things claim one address, and that is all
};

[[nodiscard]] bool has_errors(const std::vector<Diagnostic>& diagnostics);

// "sekisho.json:12:7: error: facilities.hakodate…: message (hint)"; `files` as in GatewayConfig.
[[nodiscard]] std::string to_text(const Diagnostic& diagnostic, const std::vector<std::string>& files);

}  // namespace config
