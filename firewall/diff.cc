#include "firewall/diff.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace firewall {
namespace {

using Strings = std::vector<std::string>;

// Both sorted.
Strings minus(const Strings& a, const Strings& b) {
  Strings out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Set without_elements(Set set) {
  set.elements.clear();
  return set;
}

std::map<std::string, const Set*> by_name(const std::vector<Set>& sets) {
  std::map<std::string, const Set*> out;
  for (const Set& set : sets) out.emplace(set.name, &set);
  return out;
}

bool same_form(const Set& a, const Set& b) {
  return a.kind == b.kind && a.type == b.type && a.flags == b.flags && a.limits == b.limits;
}

// Builds the commands in the one order nftables accepts: chains let go of sets, sets and chains go, then come.
class Builder {
 public:
  Builder(const RuleSet& installed, const RuleSet& wanted)
      : wanted_(wanted), old_sets_(by_name(installed.sets)), old_counters_(installed.counters) {
    for (const Chain& chain : installed.chains) old_chains_.emplace(chain.name, &chain);
    for (const Chain& chain : wanted.chains) new_chains_.emplace(chain.name, &chain);
    // A set cannot go, or change its form, while a rule refers to it: then all chains are built anew.
    rebuild_ = form_changed(installed);
    for (const Chain& chain : installed.chains) release(chain);
    remove_sets(installed);  // first: a stranger's map may go to one of the chains
    for (const Chain& chain : installed.chains) remove(chain);
    for (const std::string& name : minus(old_counters_, wanted.counters)) push(Operation::kDeleteCounter, name);
  }

  Transaction take() {
    for (const std::string& name : minus(wanted_.counters, old_counters_)) push(Operation::kAddCounter, name);
    for (const Set& set : wanted_.sets)
      if (is_new(set)) commands_.push_back({Operation::kAddSet, set.name, "", {}, without_elements(set)});
    for (const Set& set : wanted_.sets) add_elements(set);
    for (const Chain& chain : wanted_.chains)
      if (is_removed_or_new(chain)) push(Operation::kAddChain, chain.name, chain.hook);
    for (const Chain& chain : wanted_.chains)
      if (is_touched(chain) && !chain.rules.empty()) push(Operation::kAddRules, chain.name, "", chain.rules);
    return {std::move(commands_)};
  }

 private:
  void push(Operation operation, std::string name, std::string text = "", Strings items = {}) {
    commands_.push_back({operation, std::move(name), std::move(text), std::move(items), {}});
  }

  bool form_changed(const RuleSet& installed) const {
    const auto wanted = by_name(wanted_.sets);
    for (const Set& set : installed.sets) {
      const auto at = wanted.find(set.name);
      if (at == wanted.end() || !same_form(set, *at->second)) return true;
    }
    return !minus(old_counters_, wanted_.counters).empty();
  }

  bool is_new(const Set& set) const {
    const auto at = old_sets_.find(set.name);
    return at == old_sets_.end() || !same_form(*at->second, set);
  }

  // The chain as such has to go (and perhaps come back): it is not wanted, or hangs elsewhere.
  bool is_removed(const Chain& old) const {
    const auto at = new_chains_.find(old.name);
    return rebuild_ || at == new_chains_.end() || at->second->hook != old.hook;
  }
  bool is_removed_or_new(const Chain& chain) const {
    const auto at = old_chains_.find(chain.name);
    return at == old_chains_.end() || is_removed(*at->second);
  }
  bool is_touched(const Chain& chain) const {
    const auto at = old_chains_.find(chain.name);
    return is_removed_or_new(chain) || at->second->rules != chain.rules;
  }

  void release(const Chain& old) {
    const auto at = new_chains_.find(old.name);
    if (is_removed(old) || at->second->rules != old.rules) push(Operation::kFlushChain, old.name);
  }
  void remove(const Chain& old) {
    if (is_removed(old)) push(Operation::kDeleteChain, old.name);
  }

  void remove_sets(const RuleSet& installed) {
    const auto wanted = by_name(wanted_.sets);
    for (const Set& set : installed.sets) {
      const auto at = wanted.find(set.name);
      if (at == wanted.end() || !same_form(set, *at->second)) {
        push(Operation::kDeleteSet, set.name, set.kind);
        continue;
      }
      if (Strings gone = minus(set.elements, at->second->elements); !gone.empty())
        push(Operation::kDeleteElements, set.name, "", std::move(gone));
    }
  }

  void add_elements(const Set& set) {
    Strings added = is_new(set) ? set.elements : minus(set.elements, old_sets_.at(set.name)->elements);
    if (!added.empty()) push(Operation::kAddElements, set.name, "", std::move(added));
  }

  const RuleSet& wanted_;
  std::map<std::string, const Set*> old_sets_;
  Strings old_counters_;
  std::map<std::string, const Chain*> old_chains_;
  std::map<std::string, const Chain*> new_chains_;
  bool rebuild_ = false;
  std::vector<Command> commands_;
};

}  // namespace

Transaction diff(const RuleSet& installed, const RuleSet& wanted) {
  return Builder(installed, wanted).take();
}

Transaction replace(const Listing& present, const RuleSet& wanted, const std::set<std::string>& kept) {
  // What stands there as a rule set of another form: the forms differ, so all chains and all other sets are made anew.
  RuleSet unknown;
  for (const ListedCounter& counter : present.counters) unknown.counters.push_back(counter.name);
  std::sort(unknown.counters.begin(), unknown.counters.end());
  for (const ListedSet& set : present.sets) unknown.sets.push_back({set.name, set.kind, "?", "", {}});
  for (Set& set : unknown.sets)
    if (kept.contains(set.name))
      if (const auto as = std::ranges::find(wanted.sets, set.name, &Set::name); as != wanted.sets.end()) set = *as;
  for (const ListedChain& chain : present.chains) unknown.chains.push_back({chain.name, "?", {"?"}});
  return diff(unknown, wanted);
}

}  // namespace firewall
