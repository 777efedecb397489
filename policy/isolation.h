// A facility cut off by a person's order, or all of them at once. The orders are an input beside the configuration:
// configuration -> Plan -> isolate() -> the plan that every layer is given. So no layer has to be told of an isolation,
// and a reload cannot forget one. Pure; the orders are kept by gateway/daemon/isolation_file.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/plan.h"

namespace policy {

// One order to cut. It holds a facility by its name, and also one of another name that has a tunnel identity or a
// network (as seen) which a facility held by it ever had: a rename lifts nothing.
struct IsolationOrder {
  std::uint64_t number = 0;  // from 1, running; none comes twice, so that an order to lift names what it lifts
  FacilityName facility;     // empty text: every facility, also those that come later (the emergency stop)
  WallTime since;
  std::string actor;   // "uid 0 (root), pid 812"
  std::string reason;  // of a person, may be empty
  std::vector<std::string>
      identities;                // "wireguard PUBLIC-KEY", "ikev2 REMOTE-ID"; sorted. Of the emergency stop: none
  std::vector<Prefix> networks;  // seen; sorted
  [[nodiscard]] bool of_all() const { return facility.text.empty(); }
  friend bool operator==(const IsolationOrder&, const IsolationOrder&) = default;
};

struct Isolation {
  std::uint64_t last = 0;              // the highest number ever used
  std::vector<IsolationOrder> orders;  // by number
  friend bool operator==(const Isolation&, const Isolation&) = default;
};

[[nodiscard]] bool holds(const IsolationOrder& order, const FacilityPlan& facility);
// Those that hold the facility, by number.
[[nodiscard]] std::vector<const IsolationOrder*> holding(const Isolation& isolation, const FacilityPlan& facility);

// `whole` as the layers get it: of an isolated facility no row, no route into its tunnel (its networks are unreachable,
// so that nothing for it leaves by another way), and no tunnel (FacilityPlan::isolated). Under the emergency stop no
// service is routed either. Everything of the others stays as it is, octet by octet.
[[nodiscard]] Plan isolate(Plan whole, const Isolation& isolation);
// `plan` with those facilities isolated that `other` has isolated, by name.
[[nodiscard]] Plan isolate_as(Plan plan, const Plan& other);

[[nodiscard]] bool any_isolated(const Plan& plan);
// There are facilities, and all are isolated: nothing has to be forwarded.
[[nodiscard]] bool all_isolated(const Plan& plan);
// Without those that are isolated, for a layer that must not even know them (the data plane).
[[nodiscard]] Plan without_isolated(const Plan& plan);

// What a person must know of the orders beside these facilities: that one holds a facility of another name, or none.
[[nodiscard]] std::vector<std::string> isolation_notes(const Isolation& isolation, const Plan& whole);

// Adds to each order what the facilities it holds have now. True when something was new: it must be kept.
[[nodiscard]] bool learn(Isolation& isolation, const Plan& whole);

}  // namespace policy
