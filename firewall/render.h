// Transaction -> text for libnftables (`nft -f`), one batch.
#pragma once

#include <string>

#include "firewall/rule_set.h"
#include "firewall/transaction.h"

namespace firewall {

inline constexpr const char* kTableFamily = "inet";
inline constexpr const char* kTableName = "sekisho";

// "add table inet sekisho": only where netd could not create it with its flags (kernels before 6.9), and in tests.
[[nodiscard]] std::string render_create_table();
// The same, with nothing of one that is there: only for a table that strangers may write to. Of one that was owned the
// flags would be gone.
[[nodiscard]] std::string render_new_table();

// Empty text for an empty transaction. Elements are split over several `add element` commands of the same batch.
[[nodiscard]] std::string render(const Transaction& transaction);

// The whole set into an empty table: render(diff({}, rule_set)).
[[nodiscard]] std::string render(const RuleSet& rule_set);

// A file for people and for `nft -f` at boot: create table + flush nothing + everything.
[[nodiscard]] std::string render_file(const RuleSet& rule_set);

}  // namespace firewall
