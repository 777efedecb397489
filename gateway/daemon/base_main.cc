// sekisho-base: before the network is up, and before anything else of ours: forwarding off, the closed table installed.
// One shot. The table stays when it ends (PERSIST); netd adopts it. Its one input is the state folder (argument, or
// /var/lib/sekisho): the last plan that ran names the outside interface, whose ports are closed as well.
#include <cstdio>

#include "firewall/compile.h"
#include "gateway/daemon/last_good.h"
#include "gateway/daemon/netd_rules.h"
#include "gateway/daemon/netd_sysctls.h"
#include "gateway/os/privileges.h"

namespace {

gateway::os::OsResult<void> close_gateway(const std::string& state_directory) {
  using namespace gateway;
  if (auto kept = os::keep_only_capabilities(os::capabilities_of(core::ProcessRole::kNetd)); !kept) return kept;
  if (auto forbidden = os::forbid_dangerous_calls(); !forbidden) return forbidden;
  if (auto off = daemon::set_forwarding(false, ""); !off) return off;
  const auto kept = daemon::read_last_good(state_directory);
  if (!kept)
    std::fprintf(stderr, "sekisho-base: no plan ran here yet; ports on the outside interface stay as they are\n");
  auto rules = TRY(daemon::NetdRules::open());
  return rules.install(firewall::closed_rule_set(kept ? kept->plan.outside_interface : ""));
}

}  // namespace

int main(int argc, char** argv) {
  const auto closed = close_gateway(argc > 1 ? argv[1] : "/var/lib/sekisho");
  if (closed) return 0;
  std::fprintf(stderr, "sekisho-base: %s\n", closed.error().to_string().c_str());
  return 2;
}
