// What kind of words a rule of nftables has, whoever wrote it: for judging a table as the kernel lists it, in which
// others may have written. rule_text.h knows what our own rules mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firewall/rule_text.h"

namespace firewall {

// One way of writing for what nft lists in several: values of `{ }` in order, numbers decimal, no comment, no count of
// an unnamed counter. Two rules that are written alike then do the same.
[[nodiscard]] std::string one_form(std::string_view rule);

// The word by which a rule may let more pass than it would without: it changes addresses, ports or marks, or takes the
// packet away from the rules behind it (NAT, flow tables, queues, notrack, a target of iptables' that is not known).
// Empty: it only accepts or refuses, or sets what no rule asks for.
[[nodiscard]] std::string rewriting_word(std::string_view rule);

// It asks, or does, what packet sets do not say: rates, fragments, options, ICMP errors, zones, the gateway's own
// flows. Such a rule can be compared only as it is written.
[[nodiscard]] bool beyond_sets(std::string_view rule);
// It counts, or puts on record.
[[nodiscard]] bool about_records(std::string_view rule);

// Neither accepts nor refuses nor sends on nor changes anything: a counter, a log.
[[nodiscard]] bool only_counts(std::string_view rule);

// What a rule with words that are not known does to packets that it may be about: accepts, refuses (kDrop), or returns.
// Nothing: it may change them or send them on.
[[nodiscard]] std::optional<Verdict> verdict_of_unknown(std::string_view rule);

// The chain that it jumps or goes to; empty when to none.
[[nodiscard]] std::string target_of(std::string_view rule);

}  // namespace firewall
