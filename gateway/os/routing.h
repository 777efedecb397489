// Our routing tables and rules in the kernel, by libnl-route. Tables 7101..7104 are ours whole: what stands there and
// is not wanted goes away. Rules are ours when they lead to one of these tables or carry our protocol number.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/os/error.h"
#include "policy/plan.h"

struct nl_sock;

namespace gateway::os {

struct RoutingState {
  std::vector<policy::Route> routes;                    // sorted
  std::vector<policy::RoutingRule> rules_v4, rules_v6;  // sorted
  friend bool operator==(const RoutingState&, const RoutingState&) = default;
};

// What must stand in the kernel for a plan: its routes, and an unreachable default of both families in each table that
// packets from tunnels look into, also when the plan forgot it (promise P1).
[[nodiscard]] RoutingState wanted_routing(const policy::Plan& plan);
// Everything unreachable, rules as in the plan: for a gateway that is closed.
[[nodiscard]] RoutingState closed_routing(const policy::Plan& plan);

class Routing {
 public:
  [[nodiscard]] static OsResult<Routing> open();

  [[nodiscard]] OsResult<RoutingState> read();
  // What apply() would change, as Change::repaired names it; nothing is changed.
  [[nodiscard]] OsResult<std::vector<std::string>> differences(const RoutingState& wanted);

  // The smallest change from what is there, fail-closed: unreachable first, then rules, then the other routes; removals
  // last. A route whose interface is absent or down is left out (its table's unreachable default holds) and named in
  // `waiting`.
  struct Change {
    std::vector<std::string> repaired;  // what differed, for the record: "route 10.2.0.0/24 table 7102 missing"
    std::vector<std::string> waiting;
  };
  [[nodiscard]] OsResult<Change> apply(const RoutingState& wanted);

 private:
  struct FreeSocket {
    void operator()(nl_sock* socket) const;
  };
  explicit Routing(std::unique_ptr<nl_sock, FreeSocket> socket) : socket_(std::move(socket)) {}
  [[nodiscard]] OsResult<void> add(const policy::Route& route);
  [[nodiscard]] OsResult<void> remove(const policy::Route& route);
  [[nodiscard]] OsResult<void> change_rule(const policy::RoutingRule& rule, int family, bool present);
  [[nodiscard]] OsResult<void> change_rules(const std::vector<policy::RoutingRule>& from,
                                            const std::vector<policy::RoutingRule>& to, int family, Change& change);
  [[nodiscard]] OsResult<std::vector<policy::RoutingRule>> read_rules(int family);

  std::unique_ptr<nl_sock, FreeSocket> socket_;
};

// Link state and settings of one interface.
struct LinkState {
  unsigned int index = 0;
  bool up = false;
  unsigned int mtu = 0;
};
[[nodiscard]] OsResult<LinkState> read_link(const std::string& name);  // ENODEV when absent
[[nodiscard]] OsResult<void> set_link(const std::string& name, unsigned int mtu, bool up);

}  // namespace gateway::os
