// A system call that failed: what was tried, and errno.
#pragma once

#include <cstring>
#include <string>

#include "config/value/result.h"

namespace gateway::os {

struct OsError {
  int number = 0;    // errno; 0 when the failure is not the kernel's
  std::string what;  // "bind 203.0.113.10:51820"
  [[nodiscard]] std::string to_string() const { return number == 0 ? what : what + ": " + std::strerror(number); }
};

template <class T>
using OsResult = config::value::Result<T, OsError>;

}  // namespace gateway::os
