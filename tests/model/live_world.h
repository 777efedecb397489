// A gateway as netd and tunneld would tell of it, made of the sample plan, for tests of the live proof.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>

#include "firewall/compile.h"
#include "gateway/core/ike_peers.h"
#include "gateway/core/live_proof.h"
#include "policy/compile.h"
#include "policy/isolation.h"
#include "tests/policy/sample_config.h"

namespace live_world {

using namespace tests;
using gateway::core::LiveState;
using gateway::core::LiveVerdict;
using policy::KernelRoute;
using policy::KernelRule;

inline const config::WallTime kNow = at_second(kExchangeEnds - 1);

// As nft lists it: names of priorities apart, which tests/firewall/kernel_listing_test.cc reads.
inline std::string listing_of(const firewall::RuleSet& table, bool asleep) {
  std::string out = "table inet sekisho { # handle 1\n";
  if (asleep) out += "\tflags dormant\n";
  for (const auto& counter : table.counters)
    out += "\tcounter " + counter + " { # handle 2\n\t\tpackets 0 bytes 0\n\t}\n";
  for (const auto& set : table.sets) {
    out += "\t" + set.kind + " " + set.name + " { # handle 3\n\t\ttype " + set.type + "\n";
    if (const auto size = set.limits.find("size "); size != std::string::npos) out += "\t\tsize 65535\n";
    if (!set.flags.empty()) out += "\t\tflags " + set.flags + "\n";
    if (set.limits.find("timeout") != std::string::npos) out += "\t\ttimeout 10s\n";
    out += "\t}\n";
  }
  std::size_t handle = 10;
  for (const auto& chain : table.chains) {
    out += "\tchain " + chain.name + " { # handle 4\n";
    if (!chain.hook.empty()) out += "\t\t" + chain.hook + "\n";
    for (const auto& rule : chain.rules) out += "\t\t" + rule + " # handle " + std::to_string(++handle) + "\n";
    out += "\t}\n";
  }
  return out + "}\n";
}

inline std::vector<firewall::ListedSet> listed_of(const firewall::RuleSet& table) {
  std::vector<firewall::ListedSet> all;
  for (const auto& set : table.sets) all.push_back({set.name, set.kind, set.elements, set.type, set.flags});
  return all;
}

inline gateway::core::TunnelState tunnels_of(const policy::Plan& whole) {
  const auto plan = policy::without_isolated(whole);
  gateway::core::TunnelState out;
  const auto guard = gateway::core::Guard::compile(plan);
  REQUIRE(guard);
  out.rows = guard->permission_rows();
  const auto others = gateway::core::destinations_of(plan);
  for (const auto& facility : plan.facilities) {
    gateway::core::TunnelFact fact;
    fact.facility = facility.name.text, fact.both_ends = facility.ike.has_value(), fact.networks = facility.networks;
    for (const auto& network : facility.networks)
      fact.near.push_back(network.real), fact.guarded.push_back(network.seen);
    if (const auto reached = others.find(facility.name.text); fact.both_ends && reached != others.end())
      fact.far = {reached->second.begin(), reached->second.end()};
    out.tunnels.push_back(std::move(fact));
  }
  return out;
}

inline void add_host(gateway::core::KernelState& kernel) {
  for (const auto family : {policy::Family::kV4, policy::Family::kV6}) {
    const bool v4 = family == policy::Family::kV4;
    for (const auto& [priority, table] : {std::pair{0u, policy::kLocalTable}, std::pair{32766u, policy::kMainTable}}) {
      KernelRule rule;
      rule.family = family, rule.priority = priority, rule.table = table;
      const auto at = std::ranges::find_if(
          kernel.routes.rules, [&](const auto& each) { return each.family == family && each.priority > priority; });
      kernel.routes.rules.insert(at, rule);
    }
    KernelRoute way;
    way.destination = prefix(v4 ? "0.0.0.0/0" : "::/0"),
    way.hops = {{"wan0", address(v4 ? "203.0.113.1" : "2001:db8::1")}};
    kernel.routes.routes.push_back(way);
    KernelRoute here;
    here.table = policy::kLocalTable, here.type = KernelRoute::Type::kLocal;
    here.destination = prefix(v4 ? "203.0.113.10/32" : "2001:db8::10/128"), here.hops = {{"wan0", std::nullopt}};
    kernel.routes.routes.push_back(here);
  }
}

struct World {
  policy::Plan plan = policy::compile(sample_config(), kNow).plan;
  firewall::RuleSet table;
  std::string more_tables;
  bool asleep = false;
  LiveState state;

  World() {
    for (auto& facility : plan.facilities) facility.sources = {prefix("198.51.100.0/24")};
    table = firewall::compile(plan);
    state.generation = 5, state.now = kNow;
    auto& kernel = state.kernel;
    kernel.routes = policy::kernel_routes(plan);
    add_host(kernel);
    for (const char* name : {"wan0", "dc0", "sekisho0"})
      kernel.links.push_back(
          {name, static_cast<std::uint32_t>(kernel.links.size() + 1), true, std::uint32_t{plan.tunnel_mtu}, "", {}});
    kernel.tun_index = 3;
    for (const auto& own : plan.outside_addresses) kernel.addresses.push_back({"wan0", own, 24});
    kernel.parameters = {{"net/ipv4/ip_forward", "1", "1"}};
    state.tunnels = tunnels_of(plan);
  }

  LiveVerdict prove() {
    state.plan = plan;
    state.kernel.ruleset = listing_of(table, asleep) + more_tables;
    state.kernel.sets = listed_of(table);
    return gateway::core::prove_live(state);
  }

  firewall::Chain& chain(const std::string& name) {
    return *std::ranges::find(table.chains, name, &firewall::Chain::name);
  }
  std::vector<std::string>& elements(const std::string& name) {
    return std::ranges::find(table.sets, name, &firewall::Set::name)->elements;
  }
  void add(const std::string& set, const std::string& element) {
    elements(set).push_back(element);
    std::ranges::sort(elements(set));
  }
};

inline void told(const LiveVerdict& verdict) {
  for (const auto& each : verdict.differences) UNSCOPED_INFO(gateway::core::to_sentence(each));
  for (const auto& each : verdict.notes) UNSCOPED_INFO("note: " << each);
  if (!verdict.proof) UNSCOPED_INFO("not proved: " << verdict.not_proved);
  if (verdict.proof)
    for (const auto& each : gateway::core::breaches_of(*verdict.proof)) UNSCOPED_INFO(each);
}

inline bool fails(const LiveVerdict& verdict, const std::string& promise) {
  return verdict.proof && std::ranges::any_of(verdict.proof->theorems, [&](const auto& theorem) {
           return theorem.promise == promise && !theorem.holds();
         });
}

}  // namespace live_world
