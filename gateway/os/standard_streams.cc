#include "gateway/os/standard_streams.h"

#include <unistd.h>

namespace gateway::os {

bool output_is_terminal() {
  return isatty(STDOUT_FILENO) != 0;
}

void write_log(std::string_view line) {
  (void)!write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace gateway::os
