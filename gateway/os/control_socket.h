// <runtime>/control.sock: one JSON object a line from each client, one or more lines back. Bounded in clients, in
// octets and in time; a client that does not follow is closed. Who asks is told by the kernel (SO_PEERCRED), never by
// the client.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/instant.h"
#include "gateway/os/event_loop.h"

namespace gateway::os {

class ControlSocket {
 public:
  static constexpr std::size_t kMostClients = 32;
  static constexpr std::size_t kLongestRequest = 64 << 10;
  static constexpr std::size_t kMostUnsent = 16 << 20;                            // octets waiting for one client
  static constexpr config::value::Duration kIdleTime = std::chrono::seconds(10);  // to send a whole request

  // Binds `path` (0660; a stale socket is replaced) and watches tokens from `first_token` on.
  [[nodiscard]] static OsResult<ControlSocket> create(const std::string& path, std::uint32_t first_token,
                                                      EventLoop& loop);

  struct Request {
    std::uint64_t client = 0;  // never reused
    std::string actor;         // "uid 0 (root), pid 812"
    std::string line;          // without the newline
  };
  // What `ready` (tokens of ours; others are ignored) brought. Lost clients are in `lost`.
  void on_ready(const ReadyDescriptor& ready, config::value::Instant now, EventLoop& loop,
                std::vector<Request>& requests, std::vector<std::uint64_t>& lost);
  // The same of whatever there is, without waiting for the loop to say so.
  void read_now(config::value::Instant now, EventLoop& loop, std::vector<Request>& requests,
                std::vector<std::uint64_t>& lost);
  // `line` with its newline. Unknown (gone) clients are ignored.
  void send(std::uint64_t client, std::string_view line, EventLoop& loop);
  // The same, and an open file with it: for what is too long for a line. To a client with nothing unsent.
  void send_with(std::uint64_t client, std::string_view line, const FileDescriptor& file, EventLoop& loop);
  // A client that waits for an answer or watches is not idle.
  void keep(std::uint64_t client, bool waiting);
  void on_deadline(config::value::Instant now, EventLoop& loop, std::vector<std::uint64_t>& lost);
  [[nodiscard]] std::optional<config::value::Instant> next_deadline() const;

 private:
  struct Client {
    FileDescriptor socket;
    std::uint32_t token = 0;
    std::string actor, input, output;
    config::value::Instant last;
    bool waiting = false, broken = false;
  };
  ControlSocket(FileDescriptor listener, std::uint32_t first_token)
      : listener_(std::move(listener)), first_token_(first_token) {}
  void accept_clients(config::value::Instant now, EventLoop& loop);
  void read_client(std::uint64_t id, Client& client, config::value::Instant now, std::vector<Request>& requests);
  void flush(Client& client, EventLoop& loop);
  void close_broken(EventLoop& loop, std::vector<std::uint64_t>& lost);

  FileDescriptor listener_;
  std::uint32_t first_token_;
  std::uint64_t next_client_ = 1;
  std::map<std::uint64_t, Client> clients_;
};

// The other side, for the command line: connects, sends one line, and reads lines until the deadline.
class ControlClient {
 public:
  [[nodiscard]] static OsResult<ControlClient> connect(const std::string& path);
  [[nodiscard]] OsResult<void> send(const std::string& line);
  // One line without its newline. `seconds` < 0: as long as it takes.
  [[nodiscard]] OsResult<std::string> receive(int seconds);
  // The file that came with what was received so far, the last; invalid when none did.
  [[nodiscard]] FileDescriptor take_file() { return std::move(file_); }

 private:
  explicit ControlClient(FileDescriptor socket) : socket_(std::move(socket)) {}
  [[nodiscard]] ssize_t receive_some(std::span<char> into);
  FileDescriptor socket_, file_;
  std::string input_;
};

}  // namespace gateway::os
