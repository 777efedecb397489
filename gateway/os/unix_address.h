// The address of a socket file.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <string>

#include "gateway/os/error.h"

namespace gateway::os {

// ENAMETOOLONG: the path does not fit (unix(7)).
[[nodiscard]] inline OsResult<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected(OsError{ENAMETOOLONG, path});
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace gateway::os
