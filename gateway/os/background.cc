#include "gateway/os/background.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace gateway::os {

OsResult<Background> Background::enter() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(OsError{errno, "pipe"});
  FileDescriptor wait(ends[0]), tell(ends[1]);
  const pid_t child = fork();
  if (child < 0) return std::unexpected(OsError{errno, "fork"});
  if (child > 0) {
    tell.reset();
    char octet = 0;
    ssize_t got = 0;
    do {
      got = read(wait.number(), &octet, 1);
    } while (got < 0 && errno == EINTR);
    _exit(got == 1 ? 0 : 1);  // the child has said why
  }
  setsid();
  return Background(std::move(tell));
}

void Background::ready() {
  (void)!chdir("/");
  const FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.valid())
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.number(), stream);
  (void)!write(parent_.number(), "1", 1);
  parent_.reset();
}

}  // namespace gateway::os
