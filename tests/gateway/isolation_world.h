// The controller's world with facilities that are cut off and join again.
#pragma once

#include "policy/isolation.h"
#include "tests/gateway/controller_world.h"

namespace controller_world {

inline Candidate of(const std::vector<std::string>& names) {
  Candidate wanted;
  wanted.plan = plan_named(names[0]);
  wanted.plan.facilities.clear();
  for (std::size_t i = 0; i < names.size(); ++i) {
    policy::FacilityPlan facility;
    facility.name = {names[i]};
    facility.wireguard.public_key = "key of " + names[i];
    const auto network = *config::value::Prefix::parse("10." + std::to_string(names[i][0]) + ".0.0/24");
    facility.networks = {{network, network}};
    wanted.plan.facilities.push_back(facility);
    policy::Permission row;
    row.rule = {static_cast<std::uint32_t>(names[i][0])};
    row.from_facility = facility.name;
    row.source = network, row.destination = *config::value::Prefix::parse("10.80.0.10/32");
    row.port = *config::value::ServicePort::parse("tcp/443");
    wanted.plan.permissions.push_back(row);
  }
  wanted.keys = key_sources(wanted.plan, "/etc/sekisho");
  return wanted;
}

inline bool lets_pass(const policy::Plan& plan, const std::string& facility) {
  const bool row =
      std::ranges::any_of(plan.permissions, [&](const auto& r) { return r.from_facility.text == facility; });
  const bool tunnel =
      std::ranges::any_of(plan.facilities, [&](const auto& f) { return f.name.text == facility && !f.isolated; });
  CHECK(row == tunnel);
  return row || tunnel;
}

struct IsolationWorld : World {
  using World::World;
  void begin(const std::vector<std::string>& names = {"a", "b"}) {
    give(of(names), ChangeReason::kStart, 0);
    greet_all();
    log.clear(), records.clear(), alarms = 0;
  }
  [[nodiscard]] bool passes(const std::string& facility) const {
    const bool netd = lets_pass(netd_plan, facility), tunneld = lets_pass(tunneld_plan, facility);
    return netd || tunneld;
  }
  [[nodiscard]] bool cut(const std::string& facility) const {
    return !passes(facility) && !lets_pass(*controller.running_plan(), facility);
  }
  [[nodiscard]] std::vector<IsolationRecord::Step> steps() const {
    std::vector<IsolationRecord::Step> all;
    for (const auto& each : isolation_records) all.push_back(each.step);
    return all;
  }
};

using Steps = std::vector<IsolationRecord::Step>;
using enum IsolationRecord::Step;

}  // namespace controller_world
