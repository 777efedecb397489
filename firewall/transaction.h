// What is done to the table in one nftables batch: all or nothing. Typed, so that a model can apply it without a
// kernel. Never names the table itself: creating it is netd's raw message (docs/decisions/0002).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firewall/rule_set.h"

namespace firewall {

enum class Operation : std::uint8_t {
  kFlushChain,      // name
  kDeleteChain,     // name
  kDeleteSet,       // name, kind
  kDeleteElements,  // name = set, items
  kAddCounter,      // name
  kAddSet,          // set; text = kMustBeNew or nothing
  kAddElements,     // name = set, items
  kAddChain,        // name, text = hook
  kAddRules,        // name = chain, items in order
  kDeleteCounter,   // name
};

// Command::text of a kAddSet: the transaction is refused where there is one of that name.
inline constexpr const char* kMustBeNew = "new";

struct Command {
  Operation operation = Operation::kFlushChain;
  std::string name;
  std::string text;
  std::vector<std::string> items;
  Set set;  // kAddSet, without elements
  friend bool operator==(const Command&, const Command&) = default;
};

struct Transaction {
  std::vector<Command> commands;  // in order
  [[nodiscard]] bool empty() const { return commands.empty(); }
  friend bool operator==(const Transaction&, const Transaction&) = default;
};

}  // namespace firewall
