// Tokens: first_token_ the listener, the next inotify, then one a client.
#include "gateway/os/uapi_socket.h"

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/os/unix_address.h"

namespace gateway::os {
namespace {

constexpr std::uint32_t kClientTokens = 2;
constexpr std::size_t kReadAtOnce = 256 << 10;  // octets of one client, then others get their turn

std::unexpected<OsError> failed(const std::string& what) {
  return std::unexpected(OsError{errno, what});
}

FileDescriptor unix_socket() {
  return FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Only a socket that refuses connections was left behind; anything else there belongs to somebody.
OsResult<void> clear_the_way(const std::string& path, const sockaddr_un& address) {
  struct stat there{};
  if (lstat(path.c_str(), &there) != 0) return errno == ENOENT ? OsResult<void>{} : failed(path);
  const FileDescriptor probe = unix_socket();
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  const bool refused = connect(probe.number(), name, sizeof address) != 0 && errno == ECONNREFUSED;
  if (!S_ISSOCK(there.st_mode) || !refused) return std::unexpected(OsError{EADDRINUSE, path});
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed("unlink " + path);
  return {};
}

OsResult<FileDescriptor> listen_at(const std::string& path) {
  const auto address = TRY(unix_address(path));
  TRY(clear_the_way(path, address));
  FileDescriptor listener = unix_socket();
  if (!listener.valid()) return failed("socket");
  const mode_t before = umask(0177);
  const int bound = bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound != 0) return failed("bind " + path);
  if (listen(listener.number(), 64) != 0) return failed("listen " + path);
  return listener;
}

}  // namespace

OsResult<UapiSocket> UapiSocket::create(const std::string& interface, std::uint32_t first_token, EventLoop& loop) {
  if (interface.find('/') != std::string::npos) return std::unexpected(OsError{EINVAL, interface});
  if (mkdir(kFolder, 0700) != 0 && errno != EEXIST) return failed(std::string("mkdir ") + kFolder);
  File file{std::string(kFolder) + "/" + interface + ".sock", 0, 0};
  FileDescriptor listener = TRY(listen_at(file.path));
  FileDescriptor watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  constexpr std::uint32_t kGone = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
  if (!watch.valid() || inotify_add_watch(watch.number(), kFolder, kGone) < 0) return failed("inotify");
  struct stat made{};
  if (lstat(file.path.c_str(), &made) != 0) return failed(file.path);
  file.device = made.st_dev, file.inode = made.st_ino;
  TRY(loop.watch(listener.number(), first_token));
  TRY(loop.watch(watch.number(), first_token + 1));
  return UapiSocket(std::move(listener), std::move(watch), std::move(file), first_token);
}

UapiSocket::~UapiSocket() {
  if (listener_.valid() && file_is_ours()) (void)unlink(file_.path.c_str());
}

bool UapiSocket::file_is_ours() const {
  struct stat now{};
  return lstat(file_.path.c_str(), &now) == 0 && now.st_dev == file_.device && now.st_ino == file_.inode;
}

bool UapiSocket::on_ready(const ReadyDescriptor& ready, EventLoop& loop) {
  if (ready.token < first_token_) return true;
  if (ready.token == first_token_) return accept_clients(loop), true;
  if (ready.token == first_token_ + 1) {
    alignas(inotify_event) std::array<char, 4096> events{};
    while (read(watch_.number(), events.data(), events.size()) > 0) {
    }
    return file_is_ours();
  }
  const auto found = clients_.find(ready.token - first_token_ - kClientTokens);
  if (found == clients_.end()) return true;
  Client& client = found->second;
  client.last = ++turns_;
  if (!client.output.empty()) {
    write_client(client);
  } else if (ready.readable || ready.closed) {
    read_client(client);
  }
  settle(found, loop);
  return true;
}

void UapiSocket::accept_clients(EventLoop& loop) {
  for (;;) {
    FileDescriptor socket(accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    if (clients_.size() >= kMostClients)
      close(std::ranges::min_element(clients_, {}, [](const auto& entry) { return entry.second.last; }), loop);
    Client client;
    client.token = first_token_ + kClientTokens + static_cast<std::uint32_t>(next_client_);
    client.last = ++turns_;
    if (!loop.watch(socket.number(), client.token)) continue;
    client.socket = std::move(socket);
    clients_.emplace(next_client_++, std::move(client));
  }
}

void UapiSocket::read_client(Client& client) {
  std::array<std::uint8_t, 16 << 10> chunk{};
  for (std::size_t total = 0; total < kReadAtOnce && !has_request(client);) {
    const ssize_t size = recv(client.socket.number(), chunk.data(), chunk.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) {
      client.ended = true;
      break;
    }
    client.input.add({chunk.data(), static_cast<std::size_t>(size)});
    total += static_cast<std::size_t>(size);
  }
  sodium_memzero(chunk.data(), chunk.size());
}

void UapiSocket::write_client(Client& client) {
  while (client.sent < client.output.size()) {
    const ssize_t size = send(client.socket.number(), client.output.data() + client.sent,
                              client.output.size() - client.sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) {
      client.ended = client.ending = true;
      break;
    }
    client.sent += static_cast<std::size_t>(size);
  }
  client.output = {};
  client.sent = 0;
}

void UapiSocket::settle(Clients::iterator client, EventLoop& loop) {
  Client& it = client->second;
  const bool waits = !it.output.empty(), asks = has_request(it);
  if (!waits && (it.ending || (it.ended && !asks))) return close(client, loop);
  if (waits || asks || it.ended) {
    // Nothing is read meanwhile. Who asks is woken by has_request(); room is then there at once and harmless.
    if (!waits) return loop.forget(it.socket.number());
    if (!loop.watch_for_room(it.socket.number(), it.token)) close(client, loop);
    return;
  }
  if (!loop.watch(it.socket.number(), it.token)) close(client, loop);
}

void UapiSocket::close(Clients::iterator client, EventLoop& loop) {
  loop.forget(client->second.socket.number());
  clients_.erase(client);
}

// Also what is too long or cut off by the client's end: it is answered, and with a refusal.
bool UapiSocket::has_request(Client& client) {
  if (!client.output.empty() || client.ending) return false;
  return client.input.whole() || client.input.overlong() || (client.ended && client.input.begun());
}

bool UapiSocket::has_request() {
  return std::ranges::any_of(clients_, [](auto& entry) { return has_request(entry.second); });
}

// The next client after the one served last, so that none waits for one that always asks.
std::optional<UapiSocket::Request> UapiSocket::next_request() {
  if (clients_.empty()) return std::nullopt;
  auto at = clients_.upper_bound(last_served_);
  for (std::size_t i = 0; i < clients_.size(); ++i, ++at) {
    if (at == clients_.end()) at = clients_.begin();
    if (!has_request(at->second)) continue;
    last_served_ = at->first;
    auto text = at->second.input.next();
    if (text) return Request{at->first, *std::move(text), true};
    return Request{at->first, at->second.input.take_rest(), false};
  }
  return std::nullopt;
}

void UapiSocket::answer(std::uint64_t id, tunnel::wire::WipedOctets text, bool end, EventLoop& loop) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  client.output = std::move(text);
  client.ending = client.ending || end;
  write_client(client);
  settle(found, loop);
}

}  // namespace gateway::os
