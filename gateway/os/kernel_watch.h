// Tells that something of the kernel's rules, routes, links or addresses changed, and who did it where the kernel says
// so. It does not judge: the owner compares with what it installed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gateway/core/live_state.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

struct KernelChanges {
  bool rules = false;    // a transaction of another process touched table inet sekisho, or events were lost
  bool routing = false;  // a route of our tables, a rule, a link or an address changed, or events were lost
  // Another table of nftables, or another table of routes, was changed by another process; or events were lost.
  bool elsewhere = false;
  // The last one each. rtnetlink names the port of the sender's socket, which is the process of its first one.
  core::KernelWriter rules_by, routing_by;
  std::vector<core::TableWriter> writers;  // of nftables; each with the last table that it touched
};

class KernelWatch {
 public:
  [[nodiscard]] static OsResult<KernelWatch> open();
  [[nodiscard]] int nftables_descriptor() const { return nftables_.number(); }
  [[nodiscard]] int routing_descriptor() const { return routing_.number(); }
  // Reads all that is there on both.
  [[nodiscard]] KernelChanges drain();
  // Not to be told of the transactions of nftables for a while: of a transaction of our own with hundreds of thousands
  // of elements, each is told singly as long as somebody listens, which takes as long as the transaction and fills the
  // buffer. A stranger's is not seen meanwhile: what is there must be read back.
  [[nodiscard]] OsResult<void> hear_nftables(bool on);

 private:
  KernelWatch(FileDescriptor nftables, FileDescriptor routing)
      : nftables_(std::move(nftables)), routing_(std::move(routing)) {}
  void drain_nftables(KernelChanges& changes);
  void drain_routing(KernelChanges& changes);

  FileDescriptor nftables_;
  FileDescriptor routing_;
  bool table_touched_ = false;  // by the transaction whose end is not yet read
  std::string last_touched_;    // the last table that it named
};

}  // namespace gateway::os
