// A table in memory that applies transactions as nftables would and refuses what it would refuse: an object that is
// there already or is not there, a set or chain still referred to, an element twice.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "firewall/rule_set.h"
#include "firewall/transaction.h"

namespace tests {

class FakeTable {
 public:
  // All or nothing; the error says which command was refused.
  std::optional<std::string> apply(const firewall::Transaction& transaction) {
    const FakeTable before = *this;
    for (const firewall::Command& command : transaction.commands) {
      auto error = apply(command);
      if (!error) continue;
      *this = before;
      return *error + ": " + command.name;
    }
    return std::nullopt;
  }

  // The same content, whatever the order of independent chains.
  [[nodiscard]] bool holds(const firewall::RuleSet& wanted) const {
    FakeTable other;
    for (const std::string& name : wanted.counters) other.counters_.insert(name);
    for (const firewall::Set& set : wanted.sets) other.add_set(set, set.elements);
    for (const firewall::Chain& chain : wanted.chains) other.chains_[chain.name] = chain;
    return counters_ == other.counters_ && sets_ == other.sets_ && elements_ == other.elements_ &&
           chains_ == other.chains_;
  }

 private:
  using Error = std::optional<std::string>;

  Error apply(const firewall::Command& c) {
    using firewall::Operation;
    switch (c.operation) {
      case Operation::kFlushChain:
        if (!chains_.contains(c.name)) return "no chain to flush";
        chains_[c.name].rules.clear();
        return {};
      case Operation::kDeleteChain:
        if (refers_to(" goto " + c.name) || refers_to("jump " + c.name)) return "chain is referred to";
        if (!chains_.contains(c.name) || !chains_[c.name].rules.empty()) return "no empty chain to delete";
        chains_.erase(c.name);
        return {};
      case Operation::kDeleteSet:
        if (refers_to("@" + c.name)) return "set is referred to";
        if (!sets_.contains(c.name) || sets_[c.name].kind != c.text) return "no such set";
        elements_.erase(c.name);
        sets_.erase(c.name);
        return {};
      case Operation::kDeleteElements:
        for (const auto& item : c.items)
          if (elements_[c.name].erase(item) == 0) return "no such element";
        return {};
      case Operation::kAddCounter:
        return counters_.insert(c.name).second ? Error{} : Error{"counter is there"};
      case Operation::kDeleteCounter:
        if (refers_to("\"" + c.name + "\"")) return "counter is referred to";
        return counters_.erase(c.name) == 1 ? Error{} : Error{"no such counter"};
      case Operation::kAddSet:
        return add_set(c.set, {});
      case Operation::kAddElements:
        return add_elements(c);
      case Operation::kAddChain:
        return chains_.emplace(c.name, firewall::Chain{c.name, c.text, {}}).second ? Error{} : Error{"chain is there"};
      case Operation::kAddRules:
        return add_rules(c);
    }
    return "unknown operation";
  }

  Error add_set(firewall::Set set, const std::vector<std::string>& elements) {
    const std::string name = set.name;
    set.elements.clear();
    elements_[name].insert(elements.begin(), elements.end());
    return sets_.emplace(name, std::move(set)).second ? Error{} : Error{"set is there"};
  }

  Error add_elements(const firewall::Command& c) {
    if (!sets_.contains(c.name)) return "no set for elements";
    for (const auto& item : c.items) {
      for (const auto& present : elements_[c.name])
        if (key(present) == key(item)) return "element is there";
      elements_[c.name].insert(item);
    }
    return {};
  }

  Error add_rules(const firewall::Command& c) {
    if (!chains_.contains(c.name)) return "no chain for rules";
    for (const auto& rule : c.items) {
      for (std::size_t at = rule.find('@'); at != std::string::npos; at = rule.find('@', at + 1))
        if (!sets_.contains(rule.substr(at + 1, rule.find_first_of(" ", at) - at - 1))) return "rule names no set";
      for (const std::string verb : {"goto ", "jump "})
        if (const auto at = rule.find(verb); at != std::string::npos && !chains_.contains(rule.substr(at + 5)))
          return "rule names no chain";
      chains_[c.name].rules.push_back(rule);
    }
    return {};
  }

  static std::string key(const std::string& element) { return element.substr(0, element.find(" : ")); }

  // As a word: "@service4" is not in "@service46".
  [[nodiscard]] bool refers_to(const std::string& word) const {
    for (const auto& [name, chain] : chains_)
      for (const auto& rule : chain.rules)
        if ((" " + rule + " ").find(word + " ") != std::string::npos) return true;
    return false;
  }

  std::set<std::string> counters_;
  std::map<std::string, firewall::Set> sets_;
  std::map<std::string, std::set<std::string>> elements_;
  std::map<std::string, firewall::Chain> chains_;
};

}  // namespace tests
