// Standard output and error, as far as stdio is not enough: is a person looking, and log lines that stay whole.
#pragma once

#include <string_view>

namespace gateway::os {

[[nodiscard]] bool output_is_terminal();

// `line` with its newline, in one write to standard error, so that lines of several processes do not mix. When nobody
// listens it is lost: telemetry may be, records (record_files.h) may not.
void write_log(std::string_view line);

}  // namespace gateway::os
