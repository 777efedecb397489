// What is really installed, as it was read back (docs/decisions/0014): netd tells of the kernel, tunneld of its tunnels
// and guard, accessd adds the plan that should be there. Facts alone; live_proof.h judges them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firewall/listing.h"
#include "gateway/core/messages.h"
#include "gateway/core/permission_table.h"
#include "policy/kernel_routes.h"

namespace gateway::core {

// accessd -> netd, answered by KernelState with the same number.
struct ReadKernel {
  std::uint64_t id = 0;
};

struct KernelLink {
  std::string name;
  std::uint32_t index = 0;
  bool up = false;
  std::uint32_t mtu = 0;
  std::string master;                    // the bridge, bond or VRF it is a part of
  std::vector<std::string> disciplines;  // of traffic control, as far as these can send packets elsewhere
};

struct KernelAddress {
  std::string interface;
  config::value::IpAddress address;
  std::uint8_t length = 0;
};

struct KernelParameter {
  std::string path;  // "net/ipv4/ip_forward"
  std::string value, wanted;
  bool ours = true;  // netd sets it; false: of the host, and only told
};

// The last process other than netd that changed a table, as the kernel named it with the generation.
struct TableWriter {
  std::string table;  // "sekisho"; of several in one transaction the last
  KernelWriter by;
};

struct KernelState {
  std::uint64_t id = 0;
  std::string error;    // why it could not be read; then the rest is empty
  bool closed = false;  // nothing is to be forwarded: there is no plan in force
  std::string ruleset;  // nft -a -s -t list ruleset, then firewall::legacy_table() of each that is there
  std::vector<firewall::ListedSet> sets;  // of table inet sekisho
  policy::KernelRoutes routes;
  std::vector<KernelLink> links;
  std::vector<KernelAddress> addresses;
  std::vector<KernelParameter> parameters;
  std::uint32_t tun_index = 0;  // of the device that netd's descriptor is attached to; 0: of none
  std::vector<TableWriter> writers;
};

// accessd -> tunneld, answered by TunnelState with the same number.
struct ReadTunnels {
  std::uint64_t id = 0;
};

// A tunnel as the data plane has it.
struct TunnelFact {
  std::string facility;
  bool both_ends = false;                        // its selectors ask for both ends (IKEv2)
  std::vector<policy::NetworkMap> networks;      // that it translates
  std::vector<config::value::Prefix> near, far;  // selectors: the facility's real networks; both_ends: and ours
  std::vector<config::value::Prefix> guarded;    // seen networks that the guard calls this facility's
};

struct TunnelState {
  std::uint64_t id = 0;
  std::string error;
  std::vector<TunnelFact> tunnels;
  std::vector<PermissionRow> rows;  // of the guard
  std::vector<std::string> faults;  // of a build for tests: layers that are switched off
};

struct LiveState {
  std::uint64_t generation = 0;
  config::value::WallTime now;
  policy::Plan plan;  // that runs
  KernelState kernel;
  TunnelState tunnels;
};

// clang-format off
template <class Ar> void fields(Ar& ar, ReadKernel& m) { transfer_all(ar, m.id); }
template <class Ar> void fields(Ar& ar, KernelLink& m) { transfer_all(ar, m.name, m.index, m.up, m.mtu, m.master, m.disciplines); }
template <class Ar> void fields(Ar& ar, KernelAddress& m) { transfer_all(ar, m.interface, m.address, m.length); }
template <class Ar> void fields(Ar& ar, KernelParameter& m) { transfer_all(ar, m.path, m.value, m.wanted, m.ours); }
template <class Ar> void fields(Ar& ar, TableWriter& m) { transfer_all(ar, m.table, m.by); }
template <class Ar> void fields(Ar& ar, KernelState& m) { transfer_all(ar, m.id, m.error, m.closed, m.ruleset, m.sets, m.routes, m.links, m.addresses, m.parameters, m.tun_index, m.writers); }
template <class Ar> void fields(Ar& ar, ReadTunnels& m) { transfer_all(ar, m.id); }
template <class Ar> void fields(Ar& ar, TunnelFact& m) { transfer_all(ar, m.facility, m.both_ends, m.networks, m.near, m.far, m.guarded); }
template <class Ar> void fields(Ar& ar, PermissionRow& m) { transfer_all(ar, m.source, m.destination, m.protocol, m.first, m.last, m.until); }
template <class Ar> void fields(Ar& ar, TunnelState& m) { transfer_all(ar, m.id, m.error, m.tunnels, m.rows, m.faults); }
template <class Ar> void fields(Ar& ar, LiveState& m) { transfer_all(ar, m.generation, m.now, m.plan, m.kernel, m.tunnels); }

template <> struct EnumLimit<policy::KernelRoute::Type> { static constexpr bool valid(auto n) { return n <= static_cast<decltype(n)>(policy::KernelRoute::Type::kOther); } };
template <> struct EnumLimit<policy::KernelRule::Action> { static constexpr bool valid(auto n) { return n <= static_cast<decltype(n)>(policy::KernelRule::Action::kOther); } };
template <> struct EnumLimit<config::value::Family> { static constexpr bool valid(auto n) { return n == 4 || n == 6; } };
// clang-format on

}  // namespace gateway::core

namespace firewall {
template <class Ar>
void fields(Ar& ar, ListedSet& m) {
  gateway::core::transfer_all(ar, m.name, m.kind, m.elements, m.type, m.flags);
}
}  // namespace firewall

namespace policy {
template <class Ar>
void fields(Ar& ar, AddressRange& m) {
  gateway::core::transfer_all(ar, m.first, m.last);
  if (m.first.family() != m.last.family()) ar.fail();
}
template <class Ar>
void fields(Ar& ar, KernelHop& m) {
  gateway::core::transfer_all(ar, m.interface, m.via);
}
template <class Ar>
void fields(Ar& ar, KernelRoute& m) {
  gateway::core::transfer_all(ar, m.table, m.destination, m.metric, m.type, m.hops, m.mtu, m.plain, m.text);
}
template <class Ar>
void fields(Ar& ar, KernelRule& m) {
  gateway::core::transfer_all(ar, m.family, m.priority, m.inverted, m.from, m.to, m.incoming, m.outgoing, m.mark,
                              m.mask, m.action, m.table, m.target, m.suppressed, m.plain, m.text);
}
template <class Ar>
void fields(Ar& ar, KernelRoutes& m) {
  gateway::core::transfer_all(ar, m.routes, m.rules);
}
}  // namespace policy
