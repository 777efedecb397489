// One read of the event sockets that netd opened for us: a datagram, or that the kernel dropped some (ENOBUFS).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

class NetfilterSocket {
 public:
  NetfilterSocket() = default;                      // closed
  explicit NetfilterSocket(FileDescriptor socket);  // made non-blocking

  struct Read {
    enum class Outcome : std::uint8_t { kDatagram, kNothing, kLost, kTruncated } outcome = Outcome::kNothing;
    std::span<const std::uint8_t> datagram;  // until the next read
  };
  [[nodiscard]] OsResult<Read> read();
  [[nodiscard]] bool open() const { return socket_.valid(); }
  [[nodiscard]] int descriptor() const { return socket_.number(); }
  void close() { socket_.reset(); }

 private:
  FileDescriptor socket_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(1 << 17);
};

}  // namespace gateway::os
