#include "firewall/kernel_listing.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "firewall/rule_words.h"

namespace firewall {
namespace {

using config::value::Result;

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::string_view next_word(std::string_view& rest) {
  rest = trimmed(rest);
  const auto end = rest.find(' ');
  const auto word = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : trimmed(rest.substr(end));
  return word;
}

// Takes " # handle 12" off the end; 0 where there is none.
std::uint64_t take_handle(std::string_view& line) {
  static constexpr std::string_view kMark = " # handle ";
  const auto at = line.rfind(kMark);
  if (at == std::string_view::npos) return 0;
  std::uint64_t handle = 0;
  const auto digits = line.substr(at + kMark.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), handle);
  if (error != std::errc() || end != digits.data() + digits.size()) return 0;
  line = trimmed(line.substr(0, at));
  return handle;
}

struct Priority {
  std::string_view name;
  int number;
};
constexpr std::array<Priority, 8> kPriorities{{{"raw", -300},
                                               {"mangle", -150},
                                               {"dstnat", -100},
                                               {"filter", 0},
                                               {"security", 50},
                                               {"srcnat", 100},
                                               {"out", 100},
                                               {"first", -2147483647}}};

// "-450", "filter", "raw - 10".
Result<int, std::string> priority_of(std::string_view text) {
  const std::string whole(text);
  const auto unknown = [&] { return std::unexpected("\"" + whole + "\" is no priority"); };
  const std::string_view first = next_word(text);
  int number = 0;
  const auto read = [](std::string_view digits, int& to) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (!read(first, number)) {
    const auto named = std::ranges::find(kPriorities, first, &Priority::name);
    if (named == kPriorities.end()) return unknown();
    number = named->number;
  }
  if (text.empty()) return number;
  const std::string_view sign = next_word(text);
  int more = 0;
  if ((sign != "+" && sign != "-") || !read(text, more) || more < 0 || more > 1'000'000) return unknown();
  return sign == "+" ? number + more : number - more;
}

std::string_view between(std::string_view text, std::string_view begin, std::string_view end) {
  const auto at = text.find(begin);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + begin.size());
  return text.substr(0, text.find(end));
}

class Reader {
 public:
  Result<std::vector<KernelTable>, std::string> read(std::string_view text) {
    std::size_t number = 0;
    while (!text.empty()) {
      const auto end = text.find('\n');
      ++number;
      if (auto done = take(trimmed(text.substr(0, end))); !done)
        return std::unexpected("line " + std::to_string(number) + " of the listing: " + done.error());
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    if (where_ != Where::kOutside) return std::unexpected("the listing of the rules ends in the middle");
    return std::move(tables_);
  }

 private:
  enum class Where : std::uint8_t { kOutside, kTable, kChain, kSet, kOther };

  Result<void, std::string> take(std::string_view line) {
    // What stands in quotation marks may have line ends in it, and would then be read as rules and brackets.
    if (std::ranges::count(line, '"') % 2 != 0)
      return std::unexpected("\"" + std::string(line) + "\" cannot be understood: a quotation mark without its other");
    if (line.empty() || line.front() == '#') return {};
    if (line == "}") return close();
    switch (where_) {
      case Where::kOutside:
        return open_table(line);
      case Where::kTable:
        return open_object(line);
      case Where::kChain:
        return chain_line(line);
      case Where::kSet:
        return set_line(line);
      case Where::kOther:
        return {};
    }
    return {};
  }

  Result<void, std::string> close() {
    if (where_ == Where::kOutside) return std::unexpected("a bracket closes nothing");
    where_ = where_ == Where::kTable ? Where::kOutside : Where::kTable;
    return {};
  }

  Result<void, std::string> open_table(std::string_view line) {
    const std::string whole(line);
    if (next_word(line) != "table") return std::unexpected("\"" + whole + "\" is no table");
    KernelTable table;
    table.family = next_word(line);
    table.name = next_word(line);
    if (table.family.empty() || table.name.empty() || next_word(line) != "{")
      return std::unexpected("\"" + whole + "\" is no table");
    tables_.push_back(std::move(table));
    where_ = Where::kTable;
    return {};
  }

  Result<void, std::string> open_object(std::string_view line) {
    if (line.starts_with("flags ")) {
      tables_.back().flags = trimmed(line.substr(6));
      return {};
    }
    if (line.starts_with("comment ")) return {};
    const std::string whole(line);
    (void)take_handle(line);
    if (!line.ends_with(" {")) return std::unexpected("\"" + whole + "\" opens nothing");
    line.remove_suffix(2);
    std::string_view rest = line;
    const std::string_view kind = next_word(rest);
    KernelTable& table = tables_.back();
    if (kind == "chain") {
      table.chains.emplace_back().name = rest;
      where_ = Where::kChain;
    } else if (kind == "set" || kind == "map") {
      table.sets.push_back({std::string(rest), std::string(kind), "", "", {}});
      where_ = Where::kSet;
    } else {
      table.others.emplace_back(line);
      where_ = Where::kOther;
    }
    return {};
  }

  Result<void, std::string> chain_line(std::string_view line) {
    KernelChain& chain = tables_.back().chains.back();
    if (chain.rules.empty() && chain.type.empty() && line.starts_with("type ") &&
        line.find(" hook ") != std::string_view::npos)
      return hook_line(line, chain);
    if (chain.rules.empty() && line.starts_with("comment ")) return {};
    KernelRuleText rule;
    rule.handle = take_handle(line);
    rule.text = line;
    chain.rules.push_back(std::move(rule));
    return {};
  }

  // type filter hook ingress device "eth0" priority filter; policy accept;
  static Result<void, std::string> hook_line(std::string_view line, KernelChain& chain) {
    chain.type = trimmed(between(line, "type ", " hook "));
    std::string_view rest = between(line, " hook ", ";");
    chain.hook = next_word(rest);
    const auto at = rest.find("priority ");
    if (at == std::string_view::npos) return std::unexpected("a chain without priority");
    chain.device = trimmed(rest.substr(0, at));
    chain.priority = TRY(priority_of(trimmed(rest.substr(at + 9))));
    chain.policy = trimmed(between(line, "policy ", ";"));
    if (chain.policy.empty()) chain.policy = "accept";
    return {};
  }

  Result<void, std::string> set_line(std::string_view line) {
    Set& set = tables_.back().sets.back();
    const std::string_view key = next_word(line);
    if (key == "type" || key == "typeof") set.type = line;
    if (key == "flags") set.flags = line;
    if (key == "size" || key == "timeout")
      set.limits += (set.limits.empty() ? "" : " ") + std::string(key) + " " + std::string(line) + ";";
    return {};
  }

  Where where_ = Where::kOutside;
  std::vector<KernelTable> tables_;
};

constexpr const char* kLegacy = "iptables-legacy";

// rule_text.h knows no comments and no spaces in quotation marks.
std::string readable(const std::string& rule) {
  const bool quoted = rule.find(" comment \"") != std::string::npos || rule.find("prefix \"") != std::string::npos;
  return quoted ? one_form(rule) : rule;
}

}  // namespace

Result<std::vector<KernelTable>, std::string> read_ruleset(std::string_view text) {
  return Reader().read(text);
}

bool is_dormant(const KernelTable& table) {
  std::string_view rest = table.flags;
  while (!rest.empty()) {
    const auto end = rest.find_first_of(",;");
    if (trimmed(rest.substr(0, end)) == "dormant") return true;
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return false;
}

std::string legacy_table(const std::string& family, const std::string& name) {
  return "table " + family + " " + name + " {\n\tflags " + kLegacy + "\n}\n";
}

bool is_legacy(const KernelTable& table) {
  return table.flags == kLegacy;
}

std::string hook_text(const KernelChain& chain) {
  if (chain.hook.empty()) return "";
  return "type " + chain.type + " hook " + chain.hook + (chain.device.empty() ? "" : " " + chain.device) +
         " priority " + std::to_string(chain.priority) + "; policy " + chain.policy + ";";
}

RuleSet installed(const KernelTable& table, const std::vector<ListedSet>& sets) {
  RuleSet out;
  for (const std::string& other : table.others)
    if (other.starts_with("counter ")) out.counters.push_back(other.substr(8));
  std::sort(out.counters.begin(), out.counters.end());
  out.sets = table.sets;
  for (Set& set : out.sets) {
    const auto listed = std::ranges::find(sets, set.name, &ListedSet::name);
    if (listed == sets.end() || set.is_dynamic()) continue;
    set.elements = listed->elements;
    if (listed->type.starts_with(set.type)) set.type = listed->type;  // whoever read the elements may know more of it
  }
  std::ranges::sort(out.sets, {}, &Set::name);
  for (const KernelChain& chain : table.chains) {
    Chain made{chain.name, hook_text(chain), {}};
    for (const KernelRuleText& rule : chain.rules) made.rules.push_back(readable(rule.text));
    out.chains.push_back(std::move(made));
  }
  return out;
}

std::string place_of(const KernelTable& table, const KernelChain& chain, const KernelRuleText& rule) {
  return "table " + table.family + " " + table.name + ", chain " + chain.name + ": \"" + rule.text + "\"" +
         (rule.handle == 0 ? "" : " (handle " + std::to_string(rule.handle) + ")");
}

}  // namespace firewall
