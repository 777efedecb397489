// /var/run/wireguard/IFNAME.sock: the configuration protocol of WireGuard (tunnel/uapi) for any number of requests of a
// bounded number of clients. A client is read only while it has taken its last answer, and one request is taken at a
// time, so nobody can make the owner wait or keep much. Removing the file is how others end the process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <sys/types.h>

#include "gateway/os/event_loop.h"
#include "tunnel/uapi/request_stream.h"

namespace gateway::os {

class UapiSocket {
 public:
  static constexpr std::size_t kMostClients = 64;  // the one that was silent longest gives way to another
  static constexpr const char* kFolder = "/var/run/wireguard";

  // Folder 0700 when it is not there, socket 0600. EADDRINUSE: somebody answers there; a socket that nobody answers is
  // replaced. Watches tokens from `first_token` on.
  [[nodiscard]] static OsResult<UapiSocket> create(const std::string& interface, std::uint32_t first_token,
                                                   EventLoop& loop);
  UapiSocket(UapiSocket&&) = default;
  UapiSocket& operator=(UapiSocket&&) = delete;
  ~UapiSocket();  // removes the file when it is still ours

  // What `ready` (tokens of ours; others are ignored) brought. False: the file is no longer ours.
  [[nodiscard]] bool on_ready(const ReadyDescriptor& ready, EventLoop& loop);

  struct Request {
    std::uint64_t client = 0;  // never reused
    tunnel::wire::WipedOctets text;
    bool whole = false;  // false: too long, or the client ended before its blank line
  };
  // A request of a client whose turn it is. Each is answered before the next call.
  [[nodiscard]] std::optional<Request> next_request();
  // next_request() would give one.
  [[nodiscard]] bool has_request();
  // `end`: the client is closed when it has taken the answer.
  void answer(std::uint64_t client, tunnel::wire::WipedOctets text, bool end, EventLoop& loop);

 private:
  struct File {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
  };
  struct Client {
    FileDescriptor socket;
    std::uint32_t token = 0;
    std::uint64_t last = 0;  // of turns_, when it was heard last
    tunnel::uapi::RequestStream input;
    tunnel::wire::WipedOctets output;
    std::size_t sent = 0;  // of output
    bool ended = false;    // sends no more
    bool ending = false;   // is closed when output is sent
  };
  using Clients = std::map<std::uint64_t, Client>;
  UapiSocket(FileDescriptor listener, FileDescriptor watch, File file, std::uint32_t first_token)
      : listener_(std::move(listener)), watch_(std::move(watch)), file_(std::move(file)), first_token_(first_token) {}
  [[nodiscard]] bool file_is_ours() const;
  void accept_clients(EventLoop& loop);
  void read_client(Client& client);
  void write_client(Client& client);
  // Watches for what the client must do next, or closes it when that is nothing.
  void settle(Clients::iterator client, EventLoop& loop);
  void close(Clients::iterator client, EventLoop& loop);
  [[nodiscard]] static bool has_request(Client& client);

  FileDescriptor listener_;
  FileDescriptor watch_;  // inotify of the folder
  File file_;
  std::uint32_t first_token_;
  std::uint64_t next_client_ = 0, turns_ = 0, last_served_ = 0;
  Clients clients_;
};

}  // namespace gateway::os
