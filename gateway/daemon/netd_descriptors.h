// The descriptors netd opens for others and keeps: TUN, outside sockets, conntrack events, refusals. A restarted
// tunneld or accessd gets the same ones; a restarted netd gets them back from the supervisor.
#pragma once

#include <vector>

#include "gateway/os/message_channel.h"
#include "policy/plan.h"

namespace gateway::daemon {

class NetdDescriptors {
 public:
  // What the netd before had, in the order of kDescriptors. A form that does not fit is left aside.
  void adopt(os::Message kept);
  // The device exists and is attached. True: it had to be made (anew), and whoever reads it needs the new descriptor.
  [[nodiscard]] os::OsResult<bool> ensure_tun();
  // Sockets of the plan's addresses: those there stay, missing ones are bound, others closed.
  [[nodiscard]] os::OsResult<void> open(const policy::Plan& plan);

  [[nodiscard]] core::Descriptors description() const;
  [[nodiscard]] std::vector<int> numbers() const;          // in the order of kDescriptors
  [[nodiscard]] int tun() const { return tun_.number(); }  // -1: there is none yet
  [[nodiscard]] bool complete() const { return conntrack_.valid() && nflog_.valid() && !sockets_.empty(); }

 private:
  struct Outside {
    core::BoundSocket bound;
    os::FileDescriptor socket;
  };
  os::FileDescriptor tun_;
  std::vector<Outside> sockets_;
  os::FileDescriptor conntrack_;
  os::FileDescriptor nflog_;
};

}  // namespace gateway::daemon
