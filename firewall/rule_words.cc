#include "firewall/rule_words.h"

#include <algorithm>
#include <array>

namespace firewall {
namespace {

using Words = std::vector<std::string>;

// By spaces; what stands in quotation marks is one word.
Words words_of(std::string_view rule) {
  Words out;
  std::string word;
  bool quoted = false;
  const auto end_word = [&] {
    if (!word.empty()) out.push_back(std::exchange(word, {}));
  };
  for (const char c : rule) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == ' ' || c == '\t'))
      end_word();
    else
      word += c == ' ' || c == '\t' ? '_' : c;
  }
  end_word();
  return out;
}

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

std::string decimal(const std::string& word) {
  if (!word.starts_with("0x")) return word;
  const bool comma = word.ends_with(',');
  const auto number = number_of(std::string_view(word).substr(0, word.size() - (comma ? 1 : 0)));
  return number ? std::to_string(*number) + (comma ? "," : "") : word;
}

// Of the values up to "}"; leaves `at` behind it.
void put_in_order(const Words& words, std::size_t& at, Words& out) {
  std::string value;
  Words values;
  for (; at < words.size() && words[at] != "}"; ++at) {
    std::string word = decimal(words[at]);
    const bool last = word.ends_with(',');
    if (last) word.pop_back();
    value += (value.empty() ? "" : " ") + word;
    if (last) values.push_back(std::exchange(value, {}));
  }
  if (!value.empty()) values.push_back(value);
  std::sort(values.begin(), values.end());
  for (std::size_t i = 0; i < values.size(); ++i) out.push_back(values[i] + (i + 1 < values.size() ? "," : ""));
  out.emplace_back("}");
}

// "meta nfproto ipv6" before a word that only IPv6 has: nft does not list it.
bool names_family_again(const Words& words, std::size_t at) {
  if (at + 2 >= words.size() || words[at + 1] != "nfproto") return false;
  const bool v6 = words[at + 2] == "ipv6";
  return std::any_of(words.begin() + static_cast<std::ptrdiff_t>(at) + 3, words.end(), [v6](const std::string& word) {
    return v6 ? word == "ip6" || word == "icmpv6" || word == "exthdr" : word == "ip" || word == "icmp";
  });
}

constexpr std::array<std::string_view, 10> kRewriting{"dnat", "snat",  "masquerade", "tproxy",   "dup",
                                                      "fwd",  "queue", "flow",       "synproxy", "notrack"};
// Of what nft cannot translate of iptables' these change nothing that a rule asks for.
constexpr std::array<std::string_view, 5> kHarmlessTargets{"\"LOG\"", "\"NFLOG\"", "\"REJECT\"", "\"TCPMSS\"",
                                                           "\"CHECKSUM\""};
// What is set there no rule and no route asks for.
constexpr std::array<std::string_view, 3> kHarmlessSets{"meta nftrace", "meta priority", "maxseg size"};
constexpr std::array<std::string_view, 14> kBeyond{"limit",    "zone",    "count",   "exthdr",      "hdrlength",
                                                   "frag-off", "related", "invalid", "established", "missing",
                                                   "skuid",    "update",  "add",     "hoplimit"};

// "ct status dnat", "ct status { snat, dnat }": it is asked what was done to the flow.
bool is_behind_status(const Words& words, std::size_t at) {
  static constexpr std::array<std::string_view, 6> kBetween{"{", "!=", "==", "!", "&", "|"};
  while (at > 0 && (words[at - 1].ends_with(',') || is_one_of(words[at - 1], kBetween))) --at;
  return at > 0 && words[at - 1] == "status";
}

// "xt target "NETMAP"", as nft lists what it cannot translate.
bool is_rewriting_target(const Words& words, std::size_t at) {
  if (words[at] != "xt" || (at + 1 < words.size() && words[at + 1] == "match")) return false;
  return at + 2 >= words.size() || !is_one_of(words[at + 2], kHarmlessTargets);
}

bool refuses_by_target(const Words& words, std::size_t at) {
  return words[at] == "xt" && at + 2 < words.size() && words[at + 2] == "\"REJECT\"";
}

}  // namespace

std::string one_form(std::string_view rule) {
  const Words words = words_of(rule);
  Words out;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "meta" && names_family_again(words, at)) {
      at += 2;
    } else if (words[at] == "comment") {
      ++at;
    } else if (words[at] == "counter" && at + 1 < words.size() && words[at + 1] == "packets") {
      out.emplace_back("counter");
      at += 4;  // packets N bytes N
    } else {
      out.push_back(decimal(words[at]));
      if (words[at] == "{") put_in_order(words, ++at, out);
    }
  }
  std::string text;
  for (const std::string& word : out) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string rewriting_word(std::string_view rule) {
  const Words words = words_of(rule);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view before = i == 0 ? std::string_view() : std::string_view(words[i - 1]);
    if (words[i] == "set" && i > 0) {
      const std::string what = (i > 1 ? words[i - 2] + " " : "") + words[i - 1];
      if (is_one_of(what, kHarmlessSets)) continue;
      return what + " set";
    }
    if (is_rewriting_target(words, i)) return i + 1 < words.size() ? "xt " + words[i + 1] : words[i];
    if (is_one_of(words[i], kRewriting) && !is_behind_status(words, i)) return words[i];
    if (words[i] == "redirect" && before != "type" && before != "," && before != "{" && !before.ends_with(','))
      return words[i];
  }
  return "";
}

bool beyond_sets(std::string_view rule) {
  for (const std::string& word : words_of(rule))
    if (is_one_of(word, kBeyond)) return true;
  return rewriting_word(rule) == "notrack" || rule.find("ct mark . meta mark") != std::string_view::npos;
}

bool about_records(std::string_view rule) {
  for (const std::string& word : words_of(rule))
    if (word == "log" || word == "counter") return true;
  return false;
}

bool only_counts(std::string_view rule) {
  if (!rewriting_word(rule).empty()) return false;
  static constexpr std::array<std::string_view, 8> kActs{"accept", "drop", "reject", "return",
                                                         "goto",   "jump", "vmap",   "add"};
  const Words words = words_of(rule);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (is_one_of(words[i], kActs) || words[i] == "update" || words[i] == "delete" || refuses_by_target(words, i))
      return false;
  return true;
}

std::optional<Verdict> verdict_of_unknown(std::string_view rule) {
  if (const std::string word = rewriting_word(rule); !word.empty() && word != "notrack") return std::nullopt;
  for (const std::string& word : words_of(rule)) {
    if (word == "goto" || word == "jump" || word == "update" || word == "delete" || word == "map" || word == "vmap")
      return std::nullopt;
    if (word == "accept") return Verdict::kAccept;
    if (word == "return") return Verdict::kReturn;
  }
  return Verdict::kDrop;  // and what only counts refuses no more than it accepts
}

std::string target_of(std::string_view rule) {
  const Words words = words_of(rule);
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == "goto" || words[i] == "jump") return words[i + 1];
  return "";
}

}  // namespace firewall
