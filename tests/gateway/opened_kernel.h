// netd's kernel with a plan in force, in a namespace of the test's own, and what its watch leads to.
#pragma once

#include <poll.h>

#include <array>
#include <catch2/catch.hpp>

#include "firewall/rule_set.h"
#include "gateway/daemon/netd_kernel.h"
#include "gateway/daemon/netd_listing.h"
#include "gateway/os/nftables_table.h"
#include "tests/gateway/patience.h"

namespace gateway::tests {

inline daemon::NetdKernel opened(const policy::Plan& plan,
                                 daemon::NetdRules::Differences read = daemon::listed_differences) {
  auto kernel = daemon::NetdKernel::open(std::move(read));
  REQUIRE(kernel.has_value());
  const auto applied = kernel->apply(plan);
  INFO((applied ? std::string() : applied.error().to_string()));
  REQUIRE(applied.has_value());
  (void)kernel->repair();  // the events of our own changes
  return *std::move(kernel);
}

// What one event led to; waits for it.
inline daemon::NetdKernel::Repairs repaired(daemon::NetdKernel& kernel) {
  std::array<pollfd, 2> events{
      {{kernel.watch().nftables_descriptor(), POLLIN, 0}, {kernel.watch().routing_descriptor(), POLLIN, 0}}};
  REQUIRE(poll(events.data(), events.size(), kPatienceMs) > 0);
  return kernel.repair();
}

// Does the kernel list just that?
inline bool holds(const firewall::RuleSet& wanted) {
  auto table = os::NftablesTable::open();
  const auto wrong = daemon::listed_differences(*table, wanted);
  return wrong && wrong->empty();
}

}  // namespace gateway::tests
