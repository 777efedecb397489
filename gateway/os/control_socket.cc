#include "gateway/os/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "gateway/os/unix_address.h"

namespace gateway::os {
namespace {

using config::value::Instant;

std::unexpected<OsError> failed(const std::string& what) {
  return std::unexpected(OsError{errno, what});
}

std::string actor_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return "unknown";
  std::array<char, 4096> buffer{};
  passwd entry{}, *found = nullptr;
  getpwuid_r(credentials.uid, &entry, buffer.data(), buffer.size(), &found);
  const std::string name = found == nullptr ? "" : std::string(" (") + found->pw_name + ")";
  return "uid " + std::to_string(credentials.uid) + name + ", pid " + std::to_string(credentials.pid);
}

}  // namespace

OsResult<ControlSocket> ControlSocket::create(const std::string& path, std::uint32_t first_token, EventLoop& loop) {
  const auto address = TRY(unix_address(path));
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return failed("socket");
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed("unlink " + path);
  const mode_t before = umask(0117);
  const int bound = bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound != 0) return failed("bind " + path);
  if (listen(socket.number(), 16) != 0) return failed("listen " + path);
  if (auto watched = loop.watch(socket.number(), first_token); !watched) return std::unexpected(watched.error());
  return ControlSocket(std::move(socket), first_token);
}

void ControlSocket::accept_clients(Instant now, EventLoop& loop) {
  for (;;) {
    FileDescriptor socket(accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    if (clients_.size() >= kMostClients) continue;  // closed at once: the client sees it
    const auto id = next_client_++;
    Client client;
    client.token = first_token_ + static_cast<std::uint32_t>(id);
    client.actor = actor_of(socket.number());
    client.last = now;
    if (!loop.watch(socket.number(), client.token)) continue;
    client.socket = std::move(socket);
    clients_.emplace(id, std::move(client));
  }
}

void ControlSocket::read_client(std::uint64_t id, Client& client, Instant now, std::vector<Request>& requests) {
  std::array<char, 4096> chunk{};
  const ssize_t size = recv(client.socket.number(), chunk.data(), chunk.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    client.broken = true;
    return;
  }
  client.last = now;
  client.input.append(chunk.data(), static_cast<std::size_t>(size));
  for (auto end = client.input.find('\n'); end != std::string::npos; end = client.input.find('\n')) {
    requests.push_back({id, client.actor, client.input.substr(0, end)});
    client.input.erase(0, end + 1);
  }
  if (client.input.size() > kLongestRequest) client.broken = true;
}

void ControlSocket::on_ready(const ReadyDescriptor& ready, Instant now, EventLoop& loop, std::vector<Request>& requests,
                             std::vector<std::uint64_t>& lost) {
  if (ready.token == first_token_) return accept_clients(now, loop);
  if (ready.token < first_token_) return;
  const auto found = clients_.find(ready.token - first_token_);
  if (found == clients_.end()) return;
  if (ready.writable) flush(found->second, loop);
  if (ready.readable || ready.closed) read_client(found->first, found->second, now, requests);
  close_broken(loop, lost);
}

void ControlSocket::read_now(Instant now, EventLoop& loop, std::vector<Request>& requests,
                             std::vector<std::uint64_t>& lost) {
  accept_clients(now, loop);
  for (auto& [id, client] : clients_) read_client(id, client, now, requests);
  close_broken(loop, lost);
}

void ControlSocket::flush(Client& client, EventLoop& loop) {
  const ssize_t size = ::send(client.socket.number(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
  if (size < 0 && errno != EAGAIN && errno != EINTR) client.broken = true;
  if (size > 0) client.output.erase(0, static_cast<std::size_t>(size));
  if (!loop.watch(client.socket.number(), client.token, !client.output.empty())) client.broken = true;
}

void ControlSocket::send(std::uint64_t id, std::string_view line, EventLoop& loop) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.broken) return;
  auto& client = found->second;
  client.output += line;
  if (client.output.size() > kMostUnsent)
    client.broken = true;
  else
    flush(client, loop);
}

void ControlSocket::send_with(std::uint64_t id, std::string_view line, const FileDescriptor& file, EventLoop& loop) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.broken || line.empty()) return;
  auto& client = found->second;
  if (!client.output.empty()) return void(client.broken = true);
  iovec first{const_cast<char*>(line.data()), 1};  // the file rides on one octet, the rest follows as always
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &first, message.msg_iovlen = 1;
  message.msg_control = control.data(), message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = file.number();
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  if (sendmsg(client.socket.number(), &message, MSG_NOSIGNAL) != 1) return void(client.broken = true);
  send(id, line.substr(1), loop);
}

void ControlSocket::keep(std::uint64_t id, bool waiting) {
  if (const auto found = clients_.find(id); found != clients_.end()) found->second.waiting = waiting;
}

void ControlSocket::close_broken(EventLoop& loop, std::vector<std::uint64_t>& lost) {
  std::erase_if(clients_, [&](auto& entry) {
    if (!entry.second.broken) return false;
    loop.forget(entry.second.socket.number());
    lost.push_back(entry.first);
    return true;
  });
}

void ControlSocket::on_deadline(Instant now, EventLoop& loop, std::vector<std::uint64_t>& lost) {
  for (auto& [id, client] : clients_)
    if (!client.waiting && client.output.empty() && now - client.last >= kIdleTime) client.broken = true;
  close_broken(loop, lost);
}

std::optional<Instant> ControlSocket::next_deadline() const {
  std::optional<Instant> first;
  for (const auto& [id, client] : clients_)
    if (!client.waiting && client.output.empty() && (!first || client.last + kIdleTime < *first))
      first = client.last + kIdleTime;
  return first;
}

OsResult<ControlClient> ControlClient::connect(const std::string& path) {
  const auto address = TRY(unix_address(path));
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return failed("socket");
  if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("connect " + path);
  return ControlClient(std::move(socket));
}

OsResult<void> ControlClient::send(const std::string& line) {
  std::string_view left = line;
  while (!left.empty()) {
    const ssize_t size = ::send(socket_.number(), left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0 && errno != EINTR) return failed("send to the gateway");
    if (size > 0) left.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

ssize_t ControlClient::receive_some(std::span<char> into) {
  iovec place{into.data(), into.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &place, message.msg_iovlen = 1;
  message.msg_control = control.data(), message.msg_controllen = control.size();
  const ssize_t size = recvmsg(socket_.number(), &message, MSG_CMSG_CLOEXEC);
  for (cmsghdr* header = size < 0 ? nullptr : CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    file_ = FileDescriptor(number);
  }
  return size;
}

OsResult<std::string> ControlClient::receive(int seconds) {
  for (;;) {
    if (const auto end = input_.find('\n'); end != std::string::npos) {
      auto line = input_.substr(0, end);
      input_.erase(0, end + 1);
      return line;
    }
    pollfd waiting{socket_.number(), POLLIN, 0};
    const int ready = poll(&waiting, 1, seconds < 0 ? -1 : seconds * 1000);
    if (ready == 0) return std::unexpected(OsError{ETIMEDOUT, "the gateway did not answer"});
    std::array<char, 65536> chunk{};
    const ssize_t size = ready < 0 ? -1 : receive_some(chunk);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("receive from the gateway");
    if (size == 0) return std::unexpected(OsError{0, "the gateway closed the connection"});
    input_.append(chunk.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace gateway::os
