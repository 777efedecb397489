// `sekisho verify`: the promises P1-P4 as theorems about what can pass (reach.h) and what was declared
// (policy/declared.h), each proved over all packets, or refuted by one packet with the rule that lets it through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "firewall/rule_set.h"
#include "gateway/core/guard.h"
#include "gateway/core/reach.h"
#include "policy/declared.h"
#include "policy/packet_set.h"
#include "policy/plan.h"

namespace gateway::core {

struct Breach {
  std::string what;  // "matsumae -> hakodate: 10.2.0.1 -> 100.64.1.5 tcp/22 passes, and is ..."
  std::optional<policy::PacketPoint> packet;  // that passes, or that should; seen addresses
  std::string line;  // of the configuration that opens it: "exchanges[0] (sekisho.json:40:3)"; empty: no row names it
  std::vector<std::string> rules;  // of nftables that accept it: "chain across4, rule 4 \"...\""
};

struct Theorem {
  std::string promise;           // "P1" to "P4", "exact"
  std::string statement;         // what is proved, or was to be
  std::vector<Breach> breaches;  // at most ten; empty: it holds
  [[nodiscard]] bool holds() const { return breaches.empty(); }
};

struct Proof {
  std::vector<Theorem> theorems;
  std::uint64_t facilities = 0;
  std::uint64_t pairs = 0, open_pairs = 0;  // ordered, of two facilities; open: something may pass
  std::uint64_t boxes = 0;                  // disjoint boxes of what passes
  [[nodiscard]] bool holds() const;
};

// What stands before a kernel and a data plane: the plan, and what is made of it.
struct Compiled {
  const policy::Plan& plan;
  const firewall::RuleSet& table;
  const Guard& guard;  // of the plan
};

// 10,000 facilities with ten services each and 2,000 exchanges take seconds: docs/performance.md. The error: a rule of
// the table that is not understood, so that nothing is proved; to be taken as a refusal.
[[nodiscard]] config::value::Result<Proof, std::string> prove(const Compiled& compiled,
                                                              const policy::Declared& declared,
                                                              config::value::WallTime now);

// Of what is installed, read back (live_proof.h). `plan`: whose facilities and rows are named.
[[nodiscard]] config::value::Result<Proof, std::string> prove(const policy::Plan& plan, Reachability reachability,
                                                              const policy::Declared& declared,
                                                              config::value::WallTime now);

// Makes firewall and guard of the plan first. The error: also what the guard finds wrong with it.
[[nodiscard]] config::value::Result<Proof, std::string> prove(const policy::Plan& plan,
                                                              const policy::Declared& declared,
                                                              config::value::WallTime now);

// A sentence for each breach: "P1: ...; opened by ...; accepted by ...".
[[nodiscard]] std::vector<std::string> breaches_of(const Proof& proof);

}  // namespace gateway::core
