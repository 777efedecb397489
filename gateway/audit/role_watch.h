// Flows that policy lets pass but that do not fit the role a facility declares: somebody opens a flow into one that
// only reads (requirements 1.2: セッション間の回り込み, "alert on flows that do not fit the declared role"). Said once
// in an hour for each facility, with the flow; the flows themselves are on record.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/gateway_config.h"
#include "gateway/audit/record.h"

namespace gateway::audit {

class RoleWatch {
 public:
  static constexpr auto kOnceIn = std::chrono::hours(1);

  void set_config(const config::GatewayConfig& config);
  // The sentences that a person should see now. `records`: any; only "flow.begin" is looked at.
  [[nodiscard]] std::vector<std::string> look(const std::vector<Record>& records, config::value::Instant now);

 private:
  std::set<std::string> viewing_;
  std::map<std::string, config::value::Instant> told_;  // by facility; of those that are viewing
};

}  // namespace gateway::audit
