// What the data plane holds, told as it is: for whoever compares it with what it was given (docs/decisions/0014).
#include "gateway/core/data_plane.h"

namespace gateway::core {
namespace {

template <class Prefixes>
std::vector<config::value::Prefix> copied(const Prefixes& prefixes) {
  return {prefixes.begin(), prefixes.end()};
}

TunnelFact fact_of(const TunnelParams& params) {
  TunnelFact fact;
  if (const auto* wireguard = std::get_if<tunnel::wireguard::PeerParams>(&params)) {
    fact.near = copied(wireguard->allowed);
    return fact;
  }
  const auto& ike = std::get<tunnel::ike::PeerParams>(params);
  fact.both_ends = true;
  fact.near = copied(ike.remote_networks), fact.far = copied(ike.local_networks);
  return fact;
}

config::value::IpAddress last_of(const config::value::Prefix& prefix) {
  return policy::range_of(prefix).last;
}

}  // namespace

// The guard's prefixes cannot be listed; it is asked for both ends of each network.
TunnelState DataPlane::installed() const {
  TunnelState out;
  out.rows = guard_.permission_rows();
  for (const auto& [name, place] : places_) {
    const Facility& facility = facilities_[place];
    TunnelFact fact = fact_of(facility.tunnel);
    fact.facility = name;
    fact.networks = facility.translation.networks();
    for (const policy::NetworkMap& network : facility.plan.networks)
      if (guard_.facility_of(network.seen.address()) == facility.guard_index &&
          guard_.facility_of(last_of(network.seen)) == facility.guard_index)
        fact.guarded.push_back(network.seen);
    out.tunnels.push_back(std::move(fact));
  }
#ifdef SEKISHO_FAULTS
  if (faults_.open_guard) out.faults.emplace_back("open_guard");
  if (faults_.open_selectors) out.faults.emplace_back("open_selectors");
#endif
  return out;
}

}  // namespace gateway::core
