#include "policy/decide.h"

#include "config/moment.h"

namespace policy {
namespace {

bool is_service_side(const Plan& plan, const IpAddress& address) {
  for (const Permission& row : plan.permissions) {
    if (row.kind == PermissionKind::kService && row.destination.contains(address)) return true;
    if (row.kind == PermissionKind::kInside && row.source.contains(address)) return true;
  }
  return false;
}

Reason without_row(const Plan& plan, const Packet& packet) {
  const bool from_facility = facility_of(plan, packet.source) != nullptr;
  const bool to_facility = facility_of(plan, packet.destination) != nullptr;
  if (from_facility && to_facility) return Reason::kBetweenFacilities;
  if (!from_facility && !is_service_side(plan, packet.source)) return Reason::kUnknownSource;
  if (!to_facility && !is_service_side(plan, packet.destination)) return Reason::kUnknownDestination;
  return Reason::kNotPermitted;
}

}  // namespace

const FacilityPlan* facility_of(const Plan& plan, const IpAddress& address) {
  for (const FacilityPlan& facility : plan.facilities)
    for (const NetworkMap& network : facility.networks)
      if (network.seen.contains(address)) return &facility;
  return nullptr;
}

std::vector<const Permission*> rows_between(const Plan& plan, const IpAddress& source, const IpAddress& destination) {
  std::vector<const Permission*> out;
  for (const Permission& row : plan.permissions)
    if (row.source.contains(source) && row.destination.contains(destination)) out.push_back(&row);
  return out;
}

Decision decide(const Plan& plan, const Packet& packet, WallTime now) {
  return decide(plan, rows_between(plan, packet.source, packet.destination), packet, now);
}

std::optional<Decision> decide_by(const std::vector<const Permission*>& between, const Packet& packet, WallTime now) {
  Decision near;
  for (const Permission* each : between) {
    const Permission& row = *each;
    if (!row.port.contains(packet.protocol, packet.destination_port)) {
      if (near.permission == nullptr) near = {Reason::kPort, &row};
    } else if (row.until && *row.until <= now) {
      near = {Reason::kExpired, &row};
    } else {
      return Decision{Reason::kPermitted, &row};
    }
  }
  return near.permission == nullptr ? std::nullopt : std::optional(near);
}

Decision decide(const Plan& plan, const std::vector<const Permission*>& between, const Packet& packet, WallTime now) {
  if (const auto found = decide_by(between, packet, now)) return *found;
  return {without_row(plan, packet), nullptr};
}

std::string to_text(const Decision& decision) {
  const auto row = [&] { return decision.permission == nullptr ? std::string("?") : decision.permission->origin; };
  const bool ends = decision.permission != nullptr && decision.permission->until;
  switch (decision.reason) {
    case Reason::kPermitted:
      return "allowed: " + row() + ", rule " +
             std::to_string(decision.permission == nullptr ? 0 : decision.permission->rule.number) +
             (ends ? ", last day " + config::last_day_text(*decision.permission->until) : "");
    case Reason::kUnknownSource:
      return "denied: the source is no facility's address and no service's that may reach a facility";
    case Reason::kUnknownDestination:
      return "denied: the destination is no service's and no facility's address";
    case Reason::kBetweenFacilities:
      return "denied: between facilities only a declared exchange passes, and none says so";
    case Reason::kNotPermitted:
      return "denied: no line of the configuration permits it";
    case Reason::kPort:
      return "denied: this port is not open; the nearest line is " + row();
    case Reason::kExpired:
      return "denied: " + row() + " has ended";
  }
  return "denied";
}

}  // namespace policy
