// What wg asks for. Whatever can fail is done first: a request is carried out whole, or nothing of it.
#include <fmt/format.h>

#include <cerrno>

#include "gateway/daemon/wg_engine.h"
#include "gateway/os/outside_socket.h"
#include "gateway/os/standard_streams.h"

namespace gateway::daemon {
namespace {

using config::value::IpAddress;
using config::value::SocketAddress;
using tunnel::uapi::SetRequest;
using tunnel::uapi::Status;

constexpr int kPortTries = 100;  // for a random port that both families have free

Status status_of(const os::OsError& error) {
  if (error.number == EADDRINUSE) return Status::kPortInUse;
  if (error.number == EPERM || error.number == EACCES) return Status::kDenied;
  return Status::kIo;
}

}  // namespace

void WgEngine::serve_requests() {
  for (int i = 0; i < kRequestsPerTurn; ++i) {
    const auto request = parts_.uapi.next_request();
    if (!request) return;
    parts_.uapi.answer(request->client, carry_out(*request), !request->whole, parts_.loop);
  }
}

tunnel::wire::WipedOctets WgEngine::carry_out(const os::UapiSocket::Request& request) {
  if (!request.whole) return to_text(Status::kProtocol);
  const auto parsed = tunnel::uapi::parse(request.text);
  if (!parsed) return to_text(parsed.error());
  if (const auto* wanted = std::get_if<SetRequest>(&*parsed)) return to_text(set(*wanted));
  auto state = device_.state();
  state.listen_port = port_;
  state.fwmark = mark_;
  return to_text(state);
}

Status WgEngine::set(const SetRequest& request) {
  if (!device_.has_room_for(request)) return Status::kInvalid;
  if (const Status status = set_sockets(request); status != Status::kDone) return status;
  device_.apply(request, now_, out_);
  flush();
  return Status::kDone;
}

// While the link is down port and mark are only remembered.
Status WgEngine::set_sockets(const SetRequest& request) {
  const std::uint32_t mark = request.fwmark.value_or(mark_);
  const bool other_port = request.listen_port && (*request.listen_port != port_ || port_ == 0 || !sockets_[0]);
  if (up_ && other_port) {
    auto sockets = bind_sockets(*request.listen_port, mark);
    const auto adopted = sockets ? adopt(*std::move(sockets)) : std::unexpected(sockets.error());
    if (!adopted) return status_of(adopted.error());
  } else if (request.listen_port) {
    port_ = *request.listen_port;
  }
  if (mark == mark_) return Status::kDone;
  for (const auto& socket : sockets_)
    if (socket)
      if (auto marked = os::set_mark(socket->descriptor(), mark); !marked) return status_of(marked.error());
  mark_ = mark;
  own_.clear();  // another route, perhaps another source
  return Status::kDone;
}

os::OsResult<WgEngine::Sockets> WgEngine::bind_sockets(std::uint16_t port, std::uint32_t mark) {
  for (int i = 0;; ++i) {
    auto v4 = TRY(os::bind_outside({IpAddress::v4({}), port}));
    const auto bound = os::bound_address(v4.number());
    const SocketAddress here{IpAddress::v6({}), bound ? bound->port : port};
    auto v6 = os::bind_outside(here);
    if (!v6 && v6.error().number == EADDRINUSE && port == 0 && i < kPortTries) continue;
    if (!v6 && v6.error().number != EAFNOSUPPORT) return std::unexpected(v6.error());
    if (mark != 0) TRY(os::set_mark(v4.number(), mark));
    if (mark != 0 && v6) TRY(os::set_mark(v6->number(), mark));
    Sockets sockets;
    sockets[0].emplace(std::move(v4), SocketAddress{IpAddress::v4({}), here.port}, std::uint16_t{0});
    if (v6) sockets[1].emplace(*std::move(v6), here, std::uint16_t{1});
    return sockets;
  }
}

os::OsResult<void> WgEngine::adopt(Sockets sockets) {
  for (std::uint32_t place = 0; place < sockets.size(); ++place)
    if (sockets[place]) TRY(parts_.loop.watch(sockets[place]->descriptor(), kV4Token + place));
  close_sockets();
  sockets_ = std::move(sockets);
  port_ = sockets_[0]->bound().port;
  return {};
}

void WgEngine::close_sockets() {
  for (auto& socket : sockets_) {
    if (socket) parts_.loop.forget(socket->descriptor());
    socket.reset();
  }
}

void WgEngine::say(const std::string& what) const {
  os::write_log(fmt::format("sekisho-wg {}: {}\n", parts_.name, what));
}

}  // namespace gateway::daemon
