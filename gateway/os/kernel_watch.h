// Tells that something of the kernel's rules, routes, links or addresses changed, and who did it where the kernel says
// so. It does not judge: the owner compares with what it installed.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

struct KernelChanges {
  bool rules = false;     // a transaction of another process touched table inet sekisho, or events were lost
  bool routing = false;   // a route of our tables, a rule, a link or an address changed, or events were lost
  std::uint32_t pid = 0;  // of the last process that changed rules; 0 unknown
  std::string program;
};

class KernelWatch {
 public:
  [[nodiscard]] static OsResult<KernelWatch> open();
  [[nodiscard]] int nftables_descriptor() const { return nftables_.number(); }
  [[nodiscard]] int routing_descriptor() const { return routing_.number(); }
  // Reads all that is there on both.
  [[nodiscard]] KernelChanges drain();

 private:
  KernelWatch(FileDescriptor nftables, FileDescriptor routing)
      : nftables_(std::move(nftables)), routing_(std::move(routing)) {}
  void drain_nftables(KernelChanges& changes);
  void drain_routing(KernelChanges& changes);

  FileDescriptor nftables_;
  FileDescriptor routing_;
  bool table_touched_ = false;  // by the transaction whose end is not yet read
};

}  // namespace gateway::os
