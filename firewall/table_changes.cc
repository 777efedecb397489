#include "firewall/table_changes.h"

#include <algorithm>
#include <map>
#include <set>

#include "firewall/rule_text.h"
#include "firewall/rule_words.h"
#include "policy/packet_set.h"

namespace firewall {
namespace {

using Kind = Edit::Kind;

constexpr std::size_t kMostTriedAlone = 16;
constexpr std::size_t kMostElementsTried = 1'000'000;  // elements of the table times edits

bool is_rule(const Edit& edit) {
  return edit.kind == Kind::kRuleMissing || edit.kind == Kind::kRuleAdded || edit.kind == Kind::kRuleMoved;
}

bool is_element(const Edit& edit) {
  return edit.kind == Kind::kElementMissing || edit.kind == Kind::kElementAdded;
}

// Sure to end the packet, whatever counts it meanwhile.
bool refuses(const std::string& rule) {
  return target_of(rule).starts_with("drop_") || verdict_of_unknown(rule) == Verdict::kDrop;
}

// On the ways of packets that are asked about: what is not may refuse some of them.
bool is_understood(const std::string& rule, const Interfaces& interfaces) {
  const Road along{interfaces.tunnel, interfaces.inside, false, false},
      back{interfaces.inside, interfaces.tunnel, false, true};
  return read_rule(rule, along).has_value() && read_rule(rule, back).has_value();
}

// What only ICMP errors, shares of rates and counts of flows ask for.
bool is_set_of_others(const std::string& name) {
  static constexpr const char* kStems[] = {"site", "source", "ends_", "opens_", "answers_"};
  return std::ranges::any_of(kStems, [&](const char* stem) { return name.starts_with(stem); });
}

using Chains = std::map<std::string, const Chain*>;

Chains chains_of(const RuleSet& table) {
  Chains out;
  for (const Chain& chain : table.chains) out.emplace(chain.name, &chain);
  return out;
}

const Chain* chain_of(const Chains& chains, const std::string& name) {
  const auto found = chains.find(name);
  return found == chains.end() ? nullptr : found->second;
}

std::string key_of(const std::string& element) {
  return element.substr(0, element.rfind(" : "));
}

// Who may send an ICMP error about which rule's flows, from which networks; and whose flows are counted together. As
// the rules of error_chains.cc and `admit` join the sets: only networks of facilities, and rules that some flow has.
class Parties {
 public:
  explicit Parties(const RuleSet& table) {
    for (const Set& set : table.sets) {
      if (set.name.starts_with("facility"))
        for (const std::string& each : set.elements) add_network(each);
      if (set.name.starts_with("site"))
        for (const std::string& each : set.elements) sites_.insert(value_of(each));
      if (set.kind == "map" && !set.name.starts_with("site") && !set.name.starts_with("class"))
        for (const std::string& each : set.elements) rules_.insert(value_of(each));
    }
    std::sort(networks_.begin(), networks_.end());
    for (std::size_t i = 1; i < networks_.size(); ++i)
      networks_[i].last = std::max(networks_[i].last, networks_[i - 1].last);
  }

  // Does an element of such a set mean anything with the others as they are?
  [[nodiscard]] bool counts(const std::string& set, const std::string& element) const {
    if (set.starts_with("source")) return true;
    if (set.starts_with("site")) return overlaps(key_of(element));
    const auto dot = element.find(" . ");
    return dot != std::string::npos && rules_.contains(element.substr(0, dot)) &&
           sites_.contains(element.substr(dot + 3));
  }

 private:
  static std::string value_of(const std::string& element) {
    const auto colon = element.rfind(" : ");
    return colon == std::string::npos ? "" : element.substr(colon + 3);
  }
  void add_network(const std::string& text) {
    const auto network = config::value::Prefix::parse(text);
    if (network) networks_.push_back(policy::range_of(*network));
    unreadable_ |= !network;
  }
  // What cannot be read may be any.
  [[nodiscard]] bool overlaps(const std::string& text) const {
    const auto network = config::value::Prefix::parse(text);
    if (!network) return true;
    const auto own = policy::range_of(*network);
    const auto behind = std::ranges::upper_bound(networks_, own.last, {}, &policy::AddressRange::first);
    return unreadable_ || (behind != networks_.begin() && std::prev(behind)->last >= own.first);
  }

  // By their first addresses; `last`: the highest of the one and all before it.
  std::vector<policy::AddressRange> networks_;
  bool unreadable_ = false;              // one of the networks
  std::set<std::string> rules_, sites_;  // numbers
};

class Judge {
 public:
  Judge(const RuleSet& wanted, const RuleSet& found, const Interfaces& interfaces)
      : wanted_(wanted), found_(found), interfaces_(interfaces), edits_(edits(wanted, found)) {}

  TableVerdict judge() {
    if (edits_.empty()) return {};
    const auto before = ways(wanted_, interfaces_), after = ways(found_, interfaces_);
    if (!before || !after) {
      verdict_.not_understood = before ? after.error() : before.error();
      for (const Edit& edit : edits_) add(edit, {edit, false, false, "the table as it is cannot be read", {}});
      return std::move(verdict_);
    }
    before_ = *before;
    const auto opened = beyond(*after, before_), closed = beyond(before_, *after);
    if (opened || closed) blame(opened, closed);
    note_values();
    for (const Edit& edit : edits_)
      if (const std::string why = beyond_packets(edit); !why.empty()) add(edit, {edit, false, false, why, {}});
    return std::move(verdict_);
  }

 private:
  // Each edit once: what it opens or closes is told first.
  void add(const Edit& edit, TableChange change) {
    if (!told_.insert(&edit).second) return;
    if (verdict_.changes.size() < kMostChanges)
      verdict_.changes.push_back(std::move(change));
    else
      ++verdict_.left_out;
  }

  static TableChange changed(const Edit& edit, const std::optional<Differing>& opened,
                             const std::optional<Differing>& closed) {
    TableChange out{edit, opened.has_value(), closed.has_value(), "", {}};
    if (opened) out.says = opened->way + ": " + policy::to_text(opened->packet) + " passes";
    if (closed)
      out.says += (opened ? "; " : "") + closed->way + ": " + policy::to_text(closed->packet) + " passes no longer";
    out.packet = opened ? opened->packet : closed ? std::optional(closed->packet) : std::nullopt;
    return out;
  }

  // Chains without hook and sets that were added do nothing by themselves; rules that were added may name them.
  RuleSet with_what_is_inert() const {
    RuleSet table = wanted_;
    for (const Edit& edit : edits_)
      if (edit.kind == Kind::kSetAdded || (edit.kind == Kind::kChainAdded && edit.text.empty()))
        apply(edit, found_, table);
    return table;
  }

  [[nodiscard]] bool may_be_to_blame(const Edit& edit) const {
    if (edit.kind == Kind::kSetAdded || edit.kind == Kind::kCounterMissing) return false;
    if (edit.kind == Kind::kChainAdded && edit.text.empty()) return false;
    if (is_element(edit) && is_set_of_others(edit.object)) return false;
    return !(edit.kind == Kind::kRuleAdded && only_counts(edit.text));
  }

  // A value that another has: gone and come are one edit.
  [[nodiscard]] std::vector<std::vector<const Edit*>> suspects() const {
    std::vector<std::vector<const Edit*>> out;
    std::map<Key, std::size_t> keys;
    for (const Edit& edit : edits_) {
      if (!may_be_to_blame(edit)) continue;
      if (is_element(edit)) {
        const auto [at, fresh] = keys.try_emplace(place_of_value(edit), out.size());
        if (!fresh) {
          out[at->second].push_back(&edit);
          continue;
        }
      }
      out.push_back({&edit});
    }
    return out;
  }

  void blame(const std::optional<Differing>& opened, const std::optional<Differing>& closed) {
    const auto all = suspects();
    std::size_t elements = 1000;
    for (const Set& set : wanted_.sets) elements += set.elements.size();
    const bool tried =
        all.size() <= kMostTriedAlone && (all.size() <= 2 || all.size() * elements <= kMostElementsTried);
    bool found = false;
    if (tried && all.size() > 1) {
      const RuleSet base = with_what_is_inert();
      for (const auto& group : all) found = blame_alone(group, base) || found;
    }
    if (found) return;
    for (const auto& group : all)  // the only one, together, or too many to be tried
      for (const Edit* edit : group) add(*edit, changed(*edit, opened, closed));
    if (!all.empty()) return;
    for (const Edit& edit : edits_) add(edit, changed(edit, opened, closed));  // some of them does it
  }

  bool blame_alone(const std::vector<const Edit*>& group, const RuleSet& base) {
    RuleSet table = base;
    for (const Edit* edit : group) apply(*edit, found_, table);
    const auto alone = ways(table, interfaces_);
    if (!alone) {
      for (const Edit* edit : group) add(*edit, {*edit, false, false, alone.error(), {}});
      return true;
    }
    const auto opened = beyond(*alone, before_), closed = beyond(before_, *alone);
    if (!opened && !closed) return false;
    for (const Edit* edit : group) add(*edit, changed(*edit, opened, closed));
    return true;
  }

  using Key = std::pair<std::string, std::string>;  // set, and key of an element
  static Key place_of_value(const Edit& edit) { return {edit.object, key_of(edit.text)}; }

  // Keys whose value is another now: gone and come.
  void note_values() {
    std::set<Key> gone;
    for (const Edit& edit : edits_)
      if (edit.kind == Kind::kElementMissing) gone.insert(place_of_value(edit));
    for (const Edit& edit : edits_)
      if (edit.kind == Kind::kElementAdded && gone.contains(place_of_value(edit)))
        revalued_.insert(place_of_value(edit));
  }

  // Why it makes a difference that no packet set shows; empty: it makes none, or one that they show.
  [[nodiscard]] std::string beyond_packets(const Edit& edit) {
    if (is_rule(edit)) return rule_beyond(edit);
    switch (edit.kind) {
      case Kind::kCounterMissing:
        return "refusals of that reason are not counted";
      case Kind::kSetChanged:
        return "it holds something else, or for another time";
      case Kind::kChainMissing:
        return before_.visited.contains(edit.object) ? "" : "what it is asked for is not asked";
      case Kind::kChainAdded:
        return added_chain(edit);
      case Kind::kElementMissing:
      case Kind::kElementAdded:
        return element_beyond(edit);
      case Kind::kHookChanged:
        return "it stands at another place, or refuses by another policy";
      case Kind::kRuleMissing:
      case Kind::kRuleAdded:
      case Kind::kRuleMoved:
      case Kind::kSetMissing:
      case Kind::kSetAdded:
        break;
    }
    return "";
  }

  // At a hook that ways() does not walk, only a rewriting or refusing rule makes a difference.
  [[nodiscard]] std::string added_chain(const Edit& edit) const {
    const Chain* chain = chain_of(found_chains_, edit.object);
    if (chain == nullptr || edit.text.empty()) return "";
    if (!edit.text.starts_with("type filter ")) return chain->rules.empty() ? "" : "it may rewrite what it sees";
    if (edit.text.find(" hook ingress") == std::string::npos && edit.text.find(" hook egress") == std::string::npos)
      return "";
    const bool refuses_some = edit.text.ends_with("policy drop;") ||
                              std::ranges::any_of(chain->rules, [](const auto& rule) { return !only_counts(rule); });
    return refuses_some ? "it sees packets before all other rules" : "";
  }

  [[nodiscard]] std::string element_beyond(const Edit& edit) {
    static constexpr const char* kParties = "ICMP errors about flows, shares of fragments or counts of flows go by it";
    if (is_set_of_others(edit.object)) {
      const bool missing = edit.kind == Kind::kElementMissing;
      auto& parties = missing ? wanted_parties_ : found_parties_;
      if (!parties) parties.emplace(missing ? wanted_ : found_);
      return parties->counts(edit.object, edit.text) ? kParties : "";
    }
    if (edit.object.starts_with("class") || edit.text.find(" : ") == std::string::npos) return "";
    return revalued_.contains(place_of_value(edit))
               ? "flows are recorded under another rule, and ICMP errors about them go by that"
               : "";
  }

  [[nodiscard]] std::string rule_beyond(const Edit& edit) const {
    const Chain* chain = chain_of(wanted_chains_, edit.object);
    if (chain == nullptr) return "";
    if (edit.kind == Kind::kRuleAdded && (only_counts(edit.text) || repeats(edit, *chain))) return "";
    if (edit.kind == Kind::kRuleMoved && moves_among_refusals(edit, *chain)) return "";
    const bool unseen = !before_.visited.contains(edit.object);
    const bool records = edit.kind != Kind::kRuleAdded && about_records(edit.text);
    if (unseen || records || beyond_sets(edit.text))
      return "it is about what packet sets do not say: " + subject(edit.text);
    if (edit.kind == Kind::kRuleAdded && !is_understood(edit.text, interfaces_))
      return "it may refuse more: not understood";
    const bool refused = edit.kind == Kind::kRuleAdded && refuses(edit.text);
    const auto [first, last] = range_passed(edit, *chain);
    for (std::size_t i = first; i < last; ++i)
      if (refused ? about_records(chain->rules[i]) : beyond_sets(chain->rules[i]))
        return "packets may come past \"" + chain->rules[i] + "\"";
    return "";
  }

  static std::string subject(const std::string& rule) {
    if (only_counts(rule)) return "what is counted and on record";
    return "rates, fragments, options, ICMP errors, or connection tracking";
  }

  // The wanted rules that it now stands before, or no longer behind.
  static std::pair<std::size_t, std::size_t> range_passed(const Edit& edit, const Chain& chain) {
    if (edit.kind == Kind::kRuleMissing) return {0, 0};
    if (edit.kind == Kind::kRuleAdded) return {edit.before, chain.rules.size()};
    if (edit.before > edit.wanted_at) return {edit.wanted_at + 1, std::min(edit.before, chain.rules.size())};
    return {edit.before, edit.wanted_at};
  }

  // The same once more, beside the first, with nothing in it that counts.
  static bool repeats(const Edit& edit, const Chain& chain) {
    static constexpr const char* kCounting[] = {"limit", "update ", "add @", "count"};
    for (const char* word : kCounting)
      if (edit.text.find(word) != std::string::npos) return false;
    const std::string form = one_form(edit.text);
    const auto is = [&](std::size_t at) { return at < chain.rules.size() && one_form(chain.rules[at]) == form; };
    return is(edit.before) || (edit.before > 0 && is(edit.before - 1));
  }

  static bool moves_among_refusals(const Edit& edit, const Chain& chain) {
    const bool counts = only_counts(edit.text);  // then among what counts
    if (!counts && !refuses(edit.text)) return false;
    const auto [first, last] = range_passed(edit, chain);
    for (std::size_t i = first; i < last; ++i)
      if (counts != only_counts(chain.rules[i]) || !refuses(chain.rules[i])) return false;
    return true;
  }

  const RuleSet& wanted_;
  const RuleSet& found_;
  const Interfaces& interfaces_;
  std::vector<Edit> edits_;
  const Chains wanted_chains_ = chains_of(wanted_), found_chains_ = chains_of(found_);
  std::optional<Parties> wanted_parties_, found_parties_;  // where an edit asks for them
  Ways before_;
  std::set<Key> revalued_;
  std::set<const Edit*> told_;
  TableVerdict verdict_;
};

}  // namespace

TableVerdict table_changes(const RuleSet& wanted, const RuleSet& found, const Interfaces& interfaces) {
  return Judge(wanted, found, interfaces).judge();
}

}  // namespace firewall
