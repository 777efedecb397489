// The kernel's listing of all rules as hostile text: read_ruleset returns a value or an error, and judging it never
// fails.
#include <cstdint>
#include <string_view>

#include "firewall/compile.h"
#include "firewall/foreign_tables.h"
#include "firewall/kernel_listing.h"
#include "firewall/rule_words.h"
#include "firewall/table_changes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 16384) return 0;  // chains of a thousand rules are compared with each other
  const auto tables = firewall::read_ruleset({reinterpret_cast<const char*>(data), size});
  if (!tables) return 0;
  static const firewall::RuleSet kClosed = firewall::closed_rule_set("wan0");
  static const firewall::Interfaces kInterfaces{"sekisho0", "dc0", "wan0"};
  const auto all = policy::PacketSet::everything();
  for (const firewall::KernelTable& table : *tables) {
    (void)firewall::table_changes(kClosed, firewall::installed(table, {}), kInterfaces);
    (void)firewall::judge_foreign(table, {kInterfaces, all, all, all, all, all, all, all});
    for (const auto& chain : table.chains)
      for (const auto& rule : chain.rules) (void)firewall::one_form(firewall::one_form(rule.text));
  }
  return 0;
}
