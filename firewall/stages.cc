#include "firewall/stages.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace firewall {
namespace {

using config::value::Result;
using Strings = std::vector<std::string>;

// What comes first, in the order of diff(): nothing that a rule names, and nothing of the rules.
bool is_before(const Command& command) {
  return command.operation == Operation::kAddCounter || command.operation == Operation::kAddSet;
}

bool is_of_elements(const Command& command) {
  return command.operation == Operation::kAddElements || command.operation == Operation::kDeleteElements;
}

// Are sets that the elements belong to new, and of a name that nothing else has?
bool fills_new_sets_only(const Transaction& transaction) {
  std::set<std::string> made, unmade;
  for (const Command& command : transaction.commands) {
    if (command.operation == Operation::kAddSet) made.insert(command.name);
    if (command.operation == Operation::kDeleteSet || command.operation == Operation::kDeleteCounter)
      unmade.insert(command.name);
  }
  return std::ranges::all_of(transaction.commands, [&](const Command& command) {
    if (command.operation == Operation::kDeleteElements) return false;
    if (is_before(command)) return !unmade.contains(command.name);
    return command.operation != Operation::kAddElements || made.contains(command.name);
  });
}

Result<void, std::string> encode(const ElementForm& form, const Strings& elements, std::vector<ElementOctets>& out) {
  out.reserve(out.size() + elements.size());
  for (const std::string& element : elements) TRY(form.encode(element, out));
  return {};
}

}  // namespace

std::optional<Stages> stages(const Transaction& transaction, const std::vector<Set>& sets) {
  const bool elements_only = std::ranges::all_of(transaction.commands, is_of_elements);
  if (!elements_only && !fills_new_sets_only(transaction)) return std::nullopt;
  std::map<std::string, const Set*> by_name;
  for (const Set& set : sets) by_name.emplace(set.name, &set);
  Stages out;
  std::map<std::string, ElementChange> changes;
  for (const Command& command : transaction.commands) {
    if (!is_of_elements(command)) {
      auto& to = is_before(command) ? out.before : out.after;
      to.commands.push_back(command);
      // One of that name that is there is a stranger's, with his elements in it.
      if (command.operation == Operation::kAddSet) to.commands.back().text = kMustBeNew;
      continue;
    }
    const auto set = by_name.find(command.name);
    if (set == by_name.end()) return std::nullopt;
    const auto form = ElementForm::of(*set->second);
    if (!form) return std::nullopt;
    ElementChange& change = changes[command.name];
    auto& to = command.operation == Operation::kAddElements ? change.added : change.gone;
    if (!encode(*form, command.items, to)) return std::nullopt;
  }
  for (auto& [name, change] : changes) {
    change.set = name;
    out.elements.push_back(std::move(change));
  }
  return out;
}

Result<ElementChange, std::string> element_change(const Set& wanted, const Strings& present) {
  const ElementForm form = TRY(ElementForm::of(wanted));
  Strings gone, added;
  std::ranges::set_difference(present, wanted.elements, std::back_inserter(gone));
  std::ranges::set_difference(wanted.elements, present, std::back_inserter(added));
  ElementChange out{wanted.name, {}, {}};
  TRY(encode(form, gone, out.gone));
  TRY(encode(form, added, out.added));
  return out;
}

}  // namespace firewall
