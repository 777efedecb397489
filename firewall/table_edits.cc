#include "firewall/table_edits.h"

#include <algorithm>
#include <deque>
#include <map>
#include <span>

#include "firewall/rule_words.h"

namespace firewall {
namespace {

using Kind = Edit::Kind;
using Strings = std::vector<std::string>;

Strings forms_of(const Strings& rules) {
  Strings out;
  for (const std::string& rule : rules) out.push_back(one_form(rule));
  return out;
}

using Places = std::vector<std::pair<std::size_t, std::size_t>>;

// Pairs of places of a longest common subsequence, each counted from `first` on.
void add_common(std::span<const std::string> a, std::span<const std::string> b, std::size_t first, Places& out) {
  std::vector<std::vector<std::size_t>> length(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      length[i][j] = a[i] == b[j] ? length[i + 1][j + 1] + 1 : std::max(length[i + 1][j], length[i][j + 1]);
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();)
    if (a[i] == b[j])
      out.emplace_back(first + i++, first + j++);
    else if (length[i + 1][j] >= length[i][j + 1])
      ++i;
    else
      ++j;
}

constexpr std::size_t kMostRules = 2000;  // of a chain that others filled: behind them nothing is the same but the end

// What both begin and end with, and a longest common subsequence between.
Places common(const Strings& a, const Strings& b) {
  Places out;
  const std::size_t shorter = std::min(a.size(), b.size());
  std::size_t first = 0, last = 0;
  while (first < shorter && a[first] == b[first]) out.emplace_back(first, first), ++first;
  while (last < shorter - first && a[a.size() - last - 1] == b[b.size() - last - 1]) ++last;
  const auto between = [&](const Strings& all) { return std::span(all).subspan(first, all.size() - first - last); };
  add_common(between(a), between(b).first(std::min(between(b).size(), kMostRules)), first, out);
  for (; last > 0; --last) out.emplace_back(a.size() - last, b.size() - last);
  return out;
}

// One that is gone in one place and there in another has moved.
void pair_moves(const Strings& wanted, const Strings& found, std::vector<Edit>& rules, std::vector<Edit>& out) {
  std::map<std::string, std::deque<Edit*>> gone;
  for (Edit& each : rules)
    if (each.kind == Kind::kRuleMissing) gone[wanted[each.wanted_at]].push_back(&each);
  for (Edit& added : rules) {
    if (added.kind != Kind::kRuleAdded) continue;
    const auto at = gone.find(found[added.found_at]);
    if (at == gone.end() || at->second.empty()) continue;
    added.kind = Kind::kRuleMoved;
    added.wanted_at = at->second.front()->wanted_at;
    at->second.front()->kind = Kind::kCounterMissing;  // taken; no rule's
    at->second.pop_front();
  }
  for (Edit& each : rules)
    if (each.kind != Kind::kCounterMissing) out.push_back(std::move(each));
}

void compare_rules(const Chain& wanted, const Chain& found, std::vector<Edit>& out) {
  const Strings a = forms_of(wanted.rules), b = forms_of(found.rules);
  if (a == b) return;
  const auto same = common(a, b);
  std::vector<Edit> rules;
  std::size_t i = 0, j = 0;
  const auto until = [&](std::size_t to_i, std::size_t to_j) {
    for (; i < to_i; ++i) rules.push_back({Kind::kRuleMissing, wanted.name, wanted.rules[i], i});
    for (; j < to_j; ++j) rules.push_back({Kind::kRuleAdded, wanted.name, found.rules[j], 0, j, to_i});
  };
  for (const auto& [at_a, at_b] : same) until(at_a, at_b), i = at_a + 1, j = at_b + 1;
  until(a.size(), b.size());
  pair_moves(a, b, rules, out);
}

template <class T>
std::map<std::string, const T*> by_name(const std::vector<T>& all) {
  std::map<std::string, const T*> out;
  for (const T& each : all) out.emplace(each.name, &each);
  return out;
}

void compare_chains(const RuleSet& wanted, const RuleSet& found, std::vector<Edit>& out) {
  auto there = by_name(found.chains);
  for (const Chain& chain : wanted.chains) {
    const auto at = there.find(chain.name);
    if (at == there.end()) {
      out.push_back({Kind::kChainMissing, chain.name, chain.hook});
      continue;
    }
    if (at->second->hook != chain.hook) out.push_back({Kind::kHookChanged, chain.name, at->second->hook});
    compare_rules(chain, *at->second, out);
    there.erase(at);
  }
  for (const auto& [name, chain] : there) out.push_back({Kind::kChainAdded, name, chain->hook});
}

void compare_elements(const Set& wanted, const Set& found, std::vector<Edit>& out) {
  Strings missing, added;
  std::ranges::set_difference(wanted.elements, found.elements, std::back_inserter(missing));
  std::ranges::set_difference(found.elements, wanted.elements, std::back_inserter(added));
  for (std::string& each : missing) out.push_back({Kind::kElementMissing, wanted.name, std::move(each)});
  for (std::string& each : added) out.push_back({Kind::kElementAdded, wanted.name, std::move(each)});
}

std::string flags_in_order(std::string flags) {
  std::erase(flags, ' ');
  if (flags == "timeout,dynamic") return "dynamic,timeout";
  return flags;
}

void compare_sets(const RuleSet& wanted, const RuleSet& found, std::vector<Edit>& out) {
  auto there = by_name(found.sets);
  for (const Set& set : wanted.sets) {
    const auto at = there.find(set.name);
    if (at == there.end()) {
      out.push_back({Kind::kSetMissing, set.name, set.kind});
      continue;
    }
    const Set& other = *at->second;
    if (set.kind != other.kind || set.type != other.type || set.limits != other.limits ||
        flags_in_order(set.flags) != flags_in_order(other.flags))
      out.push_back({Kind::kSetChanged, set.name,
                     other.kind + ", type " + other.type + (other.flags.empty() ? "" : ", flags " + other.flags) +
                         (other.limits.empty() ? "" : ", " + other.limits)});
    if (!set.is_dynamic()) compare_elements(set, other, out);
    there.erase(at);
  }
  for (const auto& [name, set] : there) out.push_back({Kind::kSetAdded, name, set->kind});
}

template <class T>
T* named(std::vector<T>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &T::name);
  return found == all.end() ? nullptr : &*found;
}

void apply_to_rules(const Edit& edit, Strings& rules) {
  const auto at = [&](std::size_t place) {
    return rules.begin() + static_cast<std::ptrdiff_t>(std::min(place, rules.size()));
  };
  if (edit.kind == Kind::kRuleAdded) rules.insert(at(edit.before), edit.text);
  if (edit.kind == Kind::kRuleMissing && edit.wanted_at < rules.size()) rules.erase(at(edit.wanted_at));
  if (edit.kind != Kind::kRuleMoved || edit.wanted_at >= rules.size()) return;
  rules.insert(at(edit.before), edit.text);
  rules.erase(at(edit.wanted_at < edit.before ? edit.wanted_at : edit.wanted_at + 1));
}

void apply_to_set(const Edit& edit, const RuleSet& found, RuleSet& table) {
  Set* set = named(table.sets, edit.object);
  if (edit.kind == Kind::kSetAdded || edit.kind == Kind::kSetChanged) {
    const auto other = std::ranges::find(found.sets, edit.object, &Set::name);
    if (other == found.sets.end()) return;
    if (set == nullptr) return table.sets.push_back(*other);
    set->kind = other->kind, set->type = other->type, set->flags = other->flags, set->limits = other->limits;
    return;
  }
  if (set == nullptr) return;
  if (edit.kind == Kind::kSetMissing)
    return (void)std::erase_if(table.sets, [&](const Set& each) { return each.name == edit.object; });
  auto& elements = set->elements;
  const auto at = std::ranges::lower_bound(elements, edit.text);
  if (edit.kind == Kind::kElementAdded) elements.insert(at, edit.text);
  if (edit.kind == Kind::kElementMissing && at != elements.end() && *at == edit.text) elements.erase(at);
}

}  // namespace

std::vector<Edit> edits(const RuleSet& wanted, const RuleSet& found) {
  std::vector<Edit> out;
  compare_chains(wanted, found, out);
  compare_sets(wanted, found, out);
  for (const std::string& counter : wanted.counters)
    if (!std::ranges::binary_search(found.counters, counter)) out.push_back({Kind::kCounterMissing, counter, ""});
  return out;
}

void apply(const Edit& edit, const RuleSet& found, RuleSet& table) {
  Chain* chain = named(table.chains, edit.object);
  switch (edit.kind) {
    case Kind::kRuleMissing:
    case Kind::kRuleAdded:
    case Kind::kRuleMoved:
      if (chain != nullptr) apply_to_rules(edit, chain->rules);
      return;
    case Kind::kChainMissing:
      std::erase_if(table.chains, [&](const Chain& each) { return each.name == edit.object; });
      return;
    case Kind::kChainAdded:
      if (const auto other = std::ranges::find(found.chains, edit.object, &Chain::name);
          other != found.chains.end() && chain == nullptr)
        table.chains.push_back(*other);
      return;
    case Kind::kHookChanged:
      if (chain != nullptr) chain->hook = edit.text;
      return;
    case Kind::kSetMissing:
    case Kind::kSetAdded:
    case Kind::kSetChanged:
    case Kind::kElementMissing:
    case Kind::kElementAdded:
      return apply_to_set(edit, found, table);
    case Kind::kCounterMissing:
      std::erase(table.counters, edit.object);
      return;
  }
}

}  // namespace firewall
