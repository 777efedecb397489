// sekisho-base: before the network is up, and before anything else of ours: forwarding off, the closed table installed.
// One shot, takes no input. The table stays when it ends (PERSIST); netd adopts it.
#include <cstdio>

#include "firewall/compile.h"
#include "gateway/daemon/netd_rules.h"
#include "gateway/daemon/netd_sysctls.h"
#include "gateway/os/privileges.h"

namespace {

gateway::os::OsResult<void> close_gateway() {
  using namespace gateway;
  if (auto kept = os::keep_only_capabilities(os::capabilities_of(core::ProcessRole::kNetd)); !kept) return kept;
  if (auto forbidden = os::forbid_dangerous_calls(); !forbidden) return forbidden;
  if (auto off = daemon::set_forwarding(false, ""); !off) return off;
  auto rules = TRY(daemon::NetdRules::open());
  return rules.install(firewall::closed_rule_set());
}

}  // namespace

int main() {
  const auto closed = close_gateway();
  if (closed) return 0;
  std::fprintf(stderr, "sekisho-base: %s\n", closed.error().to_string().c_str());
  return 2;
}
