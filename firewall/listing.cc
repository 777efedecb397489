#include "firewall/listing.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

namespace firewall {
namespace {

using nlohmann::json;
using Types = std::vector<std::string>;

const json kNothing;

// Never throws: what is missing or of another kind is null.
const json& member(const json& object, const char* key) {
  if (!object.is_object()) return kNothing;
  const auto at = object.find(key);
  return at == object.end() ? kNothing : *at;
}

std::string text_of(const json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text == nullptr ? std::string() : *text;
}

std::uint64_t number_of(const json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

std::string mark_text(std::uint64_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "0x00000000";
  for (std::size_t i = 0; i < 8; ++i) out[9 - i] = kDigits[number >> (4 * i) & 0xf];
  return out;
}

// "ipv4_addr" or ["mark", "ipv4_addr"].
Types types_of(const json& type) {
  Types out;
  if (type.is_string()) out.push_back(text_of(type));
  if (type.is_array())
    for (const json& one : type) out.push_back(text_of(one));
  return out;
}

std::string value_text(const json& value, const Types& types, int depth);

std::string joined(const json& list, const Types& types, const char* between, bool own_type, int depth) {
  std::string out;
  if (!list.is_array()) return out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i != 0) out += between;
    const Types one = own_type && i < types.size() ? Types{types[i]} : types;
    out += value_text(list[i], one, depth);
  }
  return out;
}

// One key or value as Set::elements writes it.
std::string value_text(const json& value, const Types& types, int depth) {
  if (depth > 4) return "?";
  if (value.is_string()) return text_of(value);
  if (value.is_number_unsigned()) {
    const bool mark = types.size() == 1 && types.front() == "mark";
    return mark ? mark_text(number_of(value)) : std::to_string(number_of(value));
  }
  if (const json& elem = member(value, "elem"); !elem.is_null())
    return value_text(member(elem, "val"), types, depth + 1);
  if (const json& prefix = member(value, "prefix"); !prefix.is_null())
    return text_of(member(prefix, "addr")) + "/" + std::to_string(number_of(member(prefix, "len")));
  if (const json& range = member(value, "range"); !range.is_null()) return joined(range, types, "-", false, depth + 1);
  if (const json& concat = member(value, "concat"); !concat.is_null())
    return joined(concat, types, " . ", true, depth + 1);
  return "?";
}

std::string element_text(const json& element, const Types& types, bool map) {
  if (!map) return value_text(element, types, 0);
  if (!element.is_array() || element.size() != 2) return "?";
  return value_text(element[0], types, 0) + " : " + value_text(element[1], {"mark"}, 0);
}

std::string joined(const Types& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

ListedSet set_of(const json& object, const char* kind) {
  ListedSet out{text_of(member(object, "name")), kind};
  const Types types = types_of(member(object, "type"));
  out.type = joined(types, " . ");
  if (out.kind == "map") out.type += " : " + text_of(member(object, "map"));
  out.flags = joined(types_of(member(object, "flags")), ",");
  const json& elements = member(object, "elem");
  if (elements.is_array())
    for (const json& element : elements)
      out.elements.push_back(element_text(element, types, std::string_view(kind) == "map"));
  std::sort(out.elements.begin(), out.elements.end());
  return out;
}

class Reader {
 public:
  void take(const json& item) {
    if (!member(item, "table").is_null()) has_table_ = has_table_ || ours(member(item, "table"), "name");
    if (const json& chain = member(item, "chain"); ours(chain, "table"))
      out_.chains.push_back(
          {text_of(member(chain, "name")), text_of(member(chain, "hook")), text_of(member(chain, "policy")), 0});
    if (const json& rule = member(item, "rule"); ours(rule, "table")) ++rules_[text_of(member(rule, "chain"))];
    for (const char* kind : {"set", "map"})
      if (const json& set = member(item, kind); ours(set, "table")) out_.sets.push_back(set_of(set, kind));
    if (const json& counter = member(item, "counter"); ours(counter, "table"))
      out_.counters.push_back({text_of(member(counter, "name")), number_of(member(counter, "packets")),
                               number_of(member(counter, "bytes"))});
  }

  config::value::Result<Listing, std::string> whole() {
    if (!has_table_) return std::unexpected("there is no table inet sekisho");
    return names();
  }

  Listing names() {
    for (ListedChain& chain : out_.chains)
      if (const auto at = rules_.find(chain.name); at != rules_.end()) chain.rules = at->second;
    std::sort(out_.sets.begin(), out_.sets.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::sort(out_.counters.begin(), out_.counters.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(out_);
  }

 private:
  static bool ours(const json& object, const char* key) {
    return text_of(member(object, "family")) == "inet" && text_of(member(object, key)) == "sekisho";
  }

  bool has_table_ = false;
  std::map<std::string, std::size_t> rules_;
  Listing out_;
};

config::value::Result<void, std::string> take_all(std::string_view text, Reader& reader) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return std::unexpected("the listing is not JSON");
  const json& items = member(document, "nftables");
  if (!items.is_array()) return std::unexpected("the listing has no \"nftables\" array");
  for (const json& item : items) reader.take(item);
  return {};
}

std::vector<std::string> sorted(std::vector<std::string> texts) {
  if (!std::is_sorted(texts.begin(), texts.end())) std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

void compare_elements(const Set& wanted, const ListedSet& present, std::vector<std::string>& out) {
  if (wanted.elements == present.elements) return;
  const auto want = sorted(wanted.elements), have = sorted(present.elements);
  std::vector<std::string> missing, foreign;
  std::set_difference(want.begin(), want.end(), have.begin(), have.end(), std::back_inserter(missing));
  std::set_difference(have.begin(), have.end(), want.begin(), want.end(), std::back_inserter(foreign));
  for (const std::string& element : missing) out.push_back("element " + element + " of " + wanted.name + " is missing");
  for (const std::string& element : foreign)
    out.push_back("element " + element + " of " + wanted.name + " is not ours");
}

void compare_sets(const RuleSet& wanted, const Listing& present, std::vector<std::string>& out) {
  std::map<std::string, const ListedSet*> listed;
  for (const ListedSet& set : present.sets) listed.emplace(set.name, &set);
  for (const Set& set : wanted.sets) {
    const auto at = listed.find(set.name);
    if (at == listed.end() || at->second->kind != set.kind) {
      out.push_back(set.kind + " " + set.name + " is missing");
    } else if (!set.is_dynamic()) {
      if (!has_form(*at->second, set)) out.push_back(set.kind + " " + set.name + " is of another form");
      compare_elements(set, *at->second, out);
    }
    if (at != listed.end()) listed.erase(at);
  }
  for (const auto& [name, set] : listed) out.push_back(set->kind + " " + name + " is not ours");
}

// "type filter hook forward priority 0; policy drop;" -> the word after "hook", "policy".
std::string word_after(const std::string& text, const std::string& key) {
  const std::size_t at = text.find(key + " ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + key.size() + 1;
  return text.substr(begin, text.find_first_of(" ;", begin) - begin);
}

void compare_chain(const Chain& wanted, const ListedChain& present, std::vector<std::string>& out) {
  if (present.hook != word_after(wanted.hook, "hook"))
    out.push_back("chain " + wanted.name + " hangs at \"" + present.hook + "\"");
  if (present.policy != word_after(wanted.hook, "policy"))
    out.push_back("chain " + wanted.name + " has policy \"" + present.policy + "\"");
  if (present.rules != wanted.rules.size())
    out.push_back("chain " + wanted.name + " has " + std::to_string(present.rules) + " rules, not " +
                  std::to_string(wanted.rules.size()));
}

void compare_chains(const RuleSet& wanted, const Listing& present, std::vector<std::string>& out) {
  std::map<std::string, const ListedChain*> listed;
  for (const ListedChain& chain : present.chains) listed.emplace(chain.name, &chain);
  for (const Chain& chain : wanted.chains) {
    const auto at = listed.find(chain.name);
    if (at == listed.end()) {
      out.push_back("chain " + chain.name + " is missing");
      continue;
    }
    compare_chain(chain, *at->second, out);
    listed.erase(at);
  }
  for (const auto& [name, chain] : listed) out.push_back("chain " + name + " is not ours");
}

}  // namespace

config::value::Result<Listing, std::string> read_listing(std::string_view text) {
  Reader reader;
  TRY(take_all(text, reader));
  return reader.whole();
}

config::value::Result<Listing, std::string> read_names(const std::vector<std::string>& documents) {
  Reader reader;
  for (const std::string& each : documents) TRY(take_all(each, reader));
  return reader.names();
}

bool has_form(const ListedSet& present, const Set& wanted) {
  return present.kind == wanted.kind && present.type == wanted.type && present.flags == wanted.flags;
}

std::vector<std::string> differences(const RuleSet& wanted, const Listing& present) {
  std::vector<std::string> out;
  compare_chains(wanted, present, out);
  compare_sets(wanted, present, out);
  for (const std::string& name : wanted.counters)
    if (std::none_of(present.counters.begin(), present.counters.end(), [&](const auto& c) { return c.name == name; }))
      out.push_back("counter " + name + " is missing");
  return out;
}

}  // namespace firewall
