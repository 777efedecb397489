// What a table lets pass at each of its hooks, on each way through the gateway: so that two tables can be compared by
// what they do and not by how they are written.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "firewall/passing.h"
#include "firewall/rule_set.h"

namespace firewall {

struct Interfaces {
  std::string tunnel, inside, outside;
};

// One hook and road, and the mark with which the packets come to it or leave it.
struct Way {
  std::string says;  // "forward, sekisho0 -> dc0"
  policy::PacketSet packets;
};

struct Ways {
  std::vector<Way> all;           // always the same ones, in the same order
  std::set<std::string> visited;  // chains that some packet comes to
};

// Each hook by itself, over all packets: what it refuses counts also where another would refuse it too. Others may have
// changed the table: a rule that is not understood accepts what it can (Passing::Unknown::kEither). The error: one that
// may change what it does not understand.
[[nodiscard]] config::value::Result<Ways, std::string> ways(const RuleSet& table, const Interfaces& interfaces);

// A packet of `a` and not of `b`, and its way.
struct Differing {
  std::string way;
  policy::PacketPoint packet;
};
[[nodiscard]] std::optional<Differing> beyond(const Ways& a, const Ways& b);

}  // namespace firewall
