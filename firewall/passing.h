// What the table lets pass, as exact packet sets: its chains as they are written, rule by rule in their order, over all
// packets at once. For `sekisho verify`. Two roads are asked: packets that open a flow, and answers along one.
// first_packet.h asks the same of a single packet by other means; tests/policy/z3_check.py of all of them by a solver.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "firewall/element_sets.h"
#include "firewall/rule_set.h"
#include "firewall/rule_text.h"
#include "policy/packet_set.h"

namespace firewall {

// Packets that carry one mark, or marks of one kind.
struct Marked {
  policy::PacketSet packets;
  Mark mark;
};

class Passing {
 public:
  // A rule with a word that is not known: an error; or, for a table that others may have changed, a rule that accepts
  // what it can and refuses nothing. One that changes packets or marks in a way not known, or sends them on to a chain,
  // stays an error.
  enum class Unknown : std::uint8_t { kError, kEither };
  // `table` must outlive the result.
  explicit Passing(const RuleSet& table, Unknown unknown = Unknown::kError)
      : table_(table), elements_(table), unknown_(unknown) {}

  // `hook`: "prerouting", "forward", "input", "output". All base chains of it, in the order of their priorities; what
  // every one of them lets pass, with the marks it then has. A hook without a chain lets everything pass. The error
  // names chain and rule: nothing is proved about a table with a rule that is not understood.
  [[nodiscard]] config::value::Result<std::vector<Marked>, std::string> hook(const std::string& hook, const Road& road,
                                                                             std::vector<Marked> packets);
  // The packets of `all` whose mark is `number`.
  [[nodiscard]] config::value::Result<policy::PacketSet, std::string> with_mark(const std::vector<Marked>& all,
                                                                                std::uint32_t number);
  // Every number that a mark can be.
  [[nodiscard]] config::value::Result<std::vector<std::uint32_t>, std::string> numbers(const Mark& mark) {
    return elements_.numbers(mark);
  }
  // The chains that some packet has come to so far.
  [[nodiscard]] const std::set<std::string>& visited() const { return visited_; }
  // From now on each rule that accepts some packet writes its place there: "chain forward, rule 3 \"...\"".
  void trace(std::vector<std::string>* places) { trace_ = places; }

 private:
  using Sets = std::vector<Marked>;
  struct Outcome {
    Sets accepted, returned;
  };
  [[nodiscard]] config::value::Result<Outcome, std::string> run(const std::string& chain, const Road& road,
                                                                Sets packets, unsigned depth);
  [[nodiscard]] config::value::Result<void, std::string> apply(const std::vector<Step>& rule, const Road& road,
                                                               unsigned depth, Sets& here, Outcome& out);
  [[nodiscard]] bool passed_over(const std::string& rule, const Sets& packets, Outcome& out);
  [[nodiscard]] config::value::Result<policy::PacketSet, std::string> chosen(const Step& step, const Marked& from);
  [[nodiscard]] config::value::Result<void, std::string> decide(const Step& verdict, const Road& road, unsigned depth,
                                                                Sets packets, Sets& on, Outcome& out);

  const RuleSet& table_;
  ElementSets elements_;
  Unknown unknown_;
  std::string place_;  // of the rule at hand
  std::set<std::string> visited_;
  std::vector<std::string>* trace_ = nullptr;
};

// All of them, whatever their mark.
[[nodiscard]] policy::PacketSet packets_of(const std::vector<Marked>& all);

}  // namespace firewall
