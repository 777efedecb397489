// A child's side of the supervisor: descriptor 3 is its channel. Every *_main builds one of these first.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "gateway/os/event_loop.h"
#include "gateway/os/message_channel.h"

namespace gateway::os {

// What the supervisor passed on the command line, the same for every child: --config FILE --state DIR --runtime DIR.
struct ChildArguments {
  std::string config_file;
  std::string state_directory;
  std::string runtime_directory;
};

class SupervisedChild {
 public:
  static constexpr std::uint32_t kSupervisorToken = 1;  // tokens below 16 are this class's own
  static constexpr std::uint32_t kFirstFreeToken = 16;
  // Parses the arguments, adopts descriptor 3, blocks signals, sets PR_SET_PDEATHSIG (SIGKILL when the supervisor
  // dies), no core dumps, PR_SET_DUMPABLE 0, drops capabilities to those `role` may keep (design 6).
  [[nodiscard]] static OsResult<SupervisedChild> start(core::ProcessRole role, int argc, char** argv);

  [[nodiscard]] const ChildArguments& arguments() const { return arguments_; }
  [[nodiscard]] EventLoop& loop() { return loop_; }
  [[nodiscard]] OsResult<void> ready(const std::string& status);  // tell the supervisor

  // netd only: one transaction of the kernel's may take so long, and meanwhile nothing is answered. The next answer to
  // the watchdog ends it.
  void busy_for(std::chrono::seconds time);
  // netd only: the supervisor holds these for the next netd, which finds them in Turn::kept.
  [[nodiscard]] OsResult<void> keep(const core::Descriptors& descriptors, std::span<const int> numbers);

  // Channel to another process; closed until the supervisor has sent one (and again after the other died).
  [[nodiscard]] MessageChannel& peer(core::ProcessRole role) { return peers_[role]; }

  struct Turn {
    bool stop = false;  // asked to stop, or the supervisor is gone
    bool reload = false;
    std::optional<Message> kept;                    // kDescriptors of the netd before, once, before anything else
    std::vector<core::ProcessRole> lost_channels;   // forget what was agreed with these, first
    std::vector<core::ProcessRole> fresh_channels;  // then greet these
    std::vector<std::pair<core::ProcessRole, Message>> messages;  // from peers, in order
    std::vector<ReadyDescriptor> other;                           // tokens from kFirstFreeToken on
  };
  // One loop turn: waits, answers the watchdog, accepts fresh channels, receives from peers, flushes what waits.
  [[nodiscard]] Turn turn(std::optional<config::value::Instant> deadline);

 private:
  SupervisedChild(ChildArguments arguments, EventLoop loop, MessageChannel supervisor);
  void settle(Turn& turn);
  void read_supervisor(Turn& turn);
  void take_supervisor_message(Message message, Turn& turn);
  void adopt_peer(core::ProcessRole role, FileDescriptor end, Turn& turn);
  void read_peer(core::ProcessRole role, Turn& turn);

  ChildArguments arguments_;
  EventLoop loop_;
  MessageChannel supervisor_;
  std::map<core::ProcessRole, MessageChannel> peers_;
  std::set<core::ProcessRole> known_;    // channels the owner was told of and not yet told lost
  std::set<core::ProcessRole> writing_;  // watched for room to write
};

}  // namespace gateway::os
