#include "firewall/render.h"

#include <algorithm>
#include <span>

#include "firewall/diff.h"

namespace firewall {
namespace {

constexpr std::size_t kElementsPerCommand = 2000;

std::string table() {
  return std::string(kTableFamily) + " " + kTableName;
}

std::string joined(std::span<const std::string> items) {
  std::string out;
  for (const std::string& item : items) {
    if (!out.empty()) out += ", ";
    out += item;
  }
  return out;
}

void put_elements(std::string& out, const char* verb, const Command& command) {
  const std::span<const std::string> all(command.items);
  for (std::size_t at = 0; at < all.size(); at += kElementsPerCommand) {
    const auto part = all.subspan(at, std::min(kElementsPerCommand, all.size() - at));
    out += std::string(verb) + " element " + table() + " " + command.name + " { " + joined(part) + " }\n";
  }
}

void put_set(std::string& out, const Set& set, bool must_be_new) {
  out += (must_be_new ? "create " : "add ") + set.kind + " " + table() + " " + set.name + " { type " + set.type + ";";
  if (!set.flags.empty()) out += " flags " + set.flags + ";";
  if (!set.limits.empty()) out += " " + set.limits;
  out += " }\n";
}

void put(std::string& out, const Command& command) {
  const std::string object = table() + " " + command.name;
  switch (command.operation) {
    case Operation::kFlushChain:
      out += "flush chain " + object + "\n";
      return;
    case Operation::kDeleteChain:
      out += "delete chain " + object + "\n";
      return;
    case Operation::kDeleteSet:
      out += "delete " + command.text + " " + object + "\n";
      return;
    case Operation::kDeleteElements:
      return put_elements(out, "delete", command);
    case Operation::kAddCounter:
      out += "add counter " + object + "\n";
      return;
    case Operation::kAddSet:
      return put_set(out, command.set, command.text == kMustBeNew);
    case Operation::kAddElements:
      return put_elements(out, "add", command);
    case Operation::kAddChain:
      out += "add chain " + object + (command.text.empty() ? "" : " { " + command.text + " }") + "\n";
      return;
    case Operation::kAddRules:
      for (const std::string& rule : command.items) out += "add rule " + object + " " + rule + "\n";
      return;
    case Operation::kDeleteCounter:
      out += "delete counter " + object + "\n";
      return;
  }
}

}  // namespace

std::string render_create_table() {
  return "add table " + table() + "\n";
}

std::string render_new_table() {
  return render_create_table() + "delete table " + table() + "\n" + render_create_table();
}

std::string render(const Transaction& transaction) {
  std::string out;
  for (const Command& command : transaction.commands) put(out, command);
  return out;
}

std::string render(const RuleSet& rule_set) {
  return render(diff({}, rule_set));
}

std::string render_file(const RuleSet& rule_set) {
  return "#!/usr/sbin/nft -f\n" + render_create_table() + "flush table " + table() + "\n" + render(rule_set);
}

}  // namespace firewall
