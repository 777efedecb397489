// The same first steps and the same loop for every child, so that no main can forget one.
#include "gateway/os/supervised_child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "gateway/os/privileges.h"

namespace gateway::os {
namespace {

using core::MessageType;
using core::ProcessRole;

constexpr int kChannelDescriptor = 3;
constexpr std::uint32_t kFirstPeerToken = 2;

std::uint32_t token_of(ProcessRole role) {
  return kFirstPeerToken + static_cast<std::uint32_t>(role);
}

OsResult<ChildArguments> parse_arguments(int argc, char** argv) {
  ChildArguments arguments;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    std::string* target = name == "--config"    ? &arguments.config_file
                          : name == "--state"   ? &arguments.state_directory
                          : name == "--runtime" ? &arguments.runtime_directory
                                                : nullptr;
    if (target == nullptr || i + 1 >= argc) return std::unexpected(OsError{0, "bad argument " + name});
    *target = argv[i + 1];
  }
  return arguments;
}

OsResult<FileDescriptor> adopt_channel() {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(kChannelDescriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
    return std::unexpected(OsError{0, "descriptor 3 is not the supervisor's channel: started by `sekisho run` only"});
  return FileDescriptor(kChannelDescriptor);
}

OsResult<void> restrict_process(ProcessRole role) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  if (auto kept = keep_only_capabilities(capabilities_of(role)); !kept) return kept;
  if (auto forbidden = forbid_dumps(); !forbidden) return forbidden;
  // After the capabilities: the kernel clears it when credentials change.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return std::unexpected(OsError{errno, "PR_SET_PDEATHSIG"});
  return forbid_dangerous_calls();
}

}  // namespace

SupervisedChild::SupervisedChild(ChildArguments arguments, EventLoop loop, MessageChannel supervisor)
    : arguments_(std::move(arguments)), loop_(std::move(loop)), supervisor_(std::move(supervisor)) {}

OsResult<SupervisedChild> SupervisedChild::start(ProcessRole role, int argc, char** argv) {
  auto arguments = TRY(parse_arguments(argc, argv));
  MessageChannel supervisor(TRY(adopt_channel()));
  if (auto restricted = restrict_process(role); !restricted) return std::unexpected(restricted.error());
  auto loop = TRY(EventLoop::create());
  if (auto watched = loop.watch(supervisor.descriptor(), kSupervisorToken); !watched)
    return std::unexpected(watched.error());
  return SupervisedChild(std::move(arguments), std::move(loop), std::move(supervisor));
}

OsResult<void> SupervisedChild::ready(const std::string& status) {
  return supervisor_.send(MessageType::kReady, core::Ready{status});
}

void SupervisedChild::busy_for(std::chrono::seconds time) {
  (void)supervisor_.send(MessageType::kBusy, core::Busy{static_cast<std::uint16_t>(time.count())});
}

OsResult<void> SupervisedChild::keep(const core::Descriptors& descriptors, std::span<const int> numbers) {
  return supervisor_.send(MessageType::kDescriptors, descriptors, numbers);
}

SupervisedChild::Turn SupervisedChild::turn(std::optional<config::value::Instant> deadline) {
  Turn turn;
  settle(turn);
  if (!turn.lost_channels.empty()) deadline = config::value::Instant{};  // something to tell already
  for (const auto& ready : loop_.wait(deadline)) {
    if (ready.token >= kFirstFreeToken) {
      turn.other.push_back(ready);
    } else if (ready.token == kSupervisorToken) {
      read_supervisor(turn);
    } else {
      read_peer(static_cast<ProcessRole>(ready.token - kFirstPeerToken), turn);
    }
  }
  return turn;
}

// Before sleeping: send what waits, ask for room where it does not fit, find channels that broke while the owner sent.
void SupervisedChild::settle(Turn& turn) {
  for (auto& [role, channel] : peers_) {
    if (channel.wants_write()) (void)channel.flush();  // an error has closed it: seen below
    if (channel.open() && channel.wants_write() != writing_.contains(role)) {
      (void)loop_.watch(channel.descriptor(), token_of(role), channel.wants_write());
      channel.wants_write() ? void(writing_.insert(role)) : void(writing_.erase(role));
    }
    if (channel.open() || known_.erase(role) == 0) continue;
    writing_.erase(role);
    turn.lost_channels.push_back(role);
  }
  if (supervisor_.wants_write()) (void)supervisor_.flush();
}

void SupervisedChild::read_supervisor(Turn& turn) {
  auto received = supervisor_.receive();
  if (!received) {
    turn.stop = true;
    return;
  }
  for (auto& message : *received) take_supervisor_message(std::move(message), turn);
}

void SupervisedChild::take_supervisor_message(Message message, Turn& turn) {
  if (message.type == MessageType::kPeerChannel) {
    const auto peer = core::decode<core::PeerChannel>(message.payload);
    if (!peer || message.descriptors.size() != 1) return turn.stop = true, void();
    adopt_peer(peer->role, std::move(message.descriptors[0]), turn);
  } else if (message.type == MessageType::kAlive) {
    (void)supervisor_.send_octets(MessageType::kAlive, message.payload);
  } else if (message.type == MessageType::kReloadRequest) {
    turn.reload = true;
  } else if (message.type == MessageType::kDescriptors) {
    turn.kept = std::move(message);
  } else {
    turn.stop = true;  // asked to, or a message nobody should send: the supervisor then makes a new process
  }
}

void SupervisedChild::adopt_peer(ProcessRole role, FileDescriptor end, Turn& turn) {
  if (known_.erase(role) != 0) turn.lost_channels.push_back(role);
  writing_.erase(role);
  peers_[role] = MessageChannel(std::move(end));
  if (!loop_.watch(peers_[role].descriptor(), token_of(role))) return turn.stop = true, void();
  known_.insert(role);
  turn.fresh_channels.push_back(role);
}

void SupervisedChild::read_peer(ProcessRole role, Turn& turn) {
  auto& channel = peers_[role];
  if (!channel.open()) return;  // an event of before it was replaced or lost
  if (auto received = channel.receive()) {
    for (auto& message : *received) turn.messages.emplace_back(role, std::move(message));
    return;
  }
  known_.erase(role);
  writing_.erase(role);
  turn.lost_channels.push_back(role);
}

}  // namespace gateway::os
