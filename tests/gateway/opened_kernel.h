// netd's kernel with a plan in force, in a namespace of the test's own, and what its watch leads to.
#pragma once

#include <poll.h>

#include <array>
#include <catch2/catch.hpp>

#include "firewall/listing.h"
#include "gateway/daemon/netd_kernel.h"
#include "gateway/os/nftables_table.h"
#include "tests/gateway/patience.h"

namespace gateway::tests {

inline daemon::NetdKernel opened(const policy::Plan& plan) {
  auto kernel = daemon::NetdKernel::open();
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
  const auto json = table->list_json();
  if (!json) return false;
  const auto listing = firewall::read_listing(*json);
  return listing && firewall::differences(wanted, *listing).empty();
}

}  // namespace gateway::tests
