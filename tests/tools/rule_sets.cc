// Rule sets and what firewall/passing computes of them, as JSON for tests/policy/z3_check.py: those of random
// configurations, as compiled and with random edits of their rules and elements.
//   rule_sets COUNT [FIRST-SEED]   one JSON object a line
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "firewall/compile.h"
#include "firewall/passing.h"
#include "policy/compile.h"
#include "tests/policy/random_config.h"

using Json = nlohmann::json;
using firewall::Mark;
using firewall::Road;
using firewall::RuleSet;
using policy::PacketSet;

namespace {

constexpr std::uint32_t kExchangeMark = 0x80000000;

Json boxes_of(const PacketSet& set) {
  Json out = Json::array();
  for (const policy::PacketBox& box : set.boxes())
    out.push_back({box.source.first.to_string(), box.source.last.to_string(), box.destination.first.to_string(),
                   box.destination.last.to_string(), box.first_protocol, box.last_protocol, box.first_port,
                   box.last_port});
  return out;
}

Json chains_of(const RuleSet& table) {
  Json out = Json::array();
  for (const auto& chain : table.chains)
    out.push_back({{"name", chain.name}, {"hook", chain.hook}, {"rules", chain.rules}});
  return out;
}

Json sets_of(const RuleSet& table) {
  Json out = Json::object();
  for (const auto& set : table.sets) out[set.name] = set.elements;
  return out;
}

struct Asked {
  std::string hook;
  Road road;
  std::uint32_t mark = 0;
};

std::vector<Asked> questions() {
  std::vector<Asked> out;
  for (const bool answer : {false, true}) {
    for (const char* in : {"sekisho0", "dc0"}) out.push_back({"prerouting", {in, "", false, answer}, 0});
    for (const std::uint32_t mark : {std::uint32_t{0}, kExchangeMark})
      for (const char* in : {"sekisho0", "dc0", "wan0"})
        for (const char* to : {"sekisho0", "dc0", "wan0"}) out.push_back({"forward", {in, to, false, answer}, mark});
  }
  out.push_back({"prerouting", {"wan0", "", false, false}, 0});
  out.push_back({"prerouting", {"sekisho0", "", true, false}, 0});
  out.push_back({"input", {"sekisho0", "", true, false}, 0});
  return out;
}

Json ask(const RuleSet& table, const Asked& asked) {
  firewall::Passing passing(table);
  const PacketSet all = PacketSet::all(policy::Family::kV4) | PacketSet::all(policy::Family::kV6);
  Json out{{"hook", asked.hook},          {"in", asked.road.in},
           {"out", asked.road.out},       {"to_gateway", asked.road.to_gateway},
           {"answer", asked.road.answer}, {"mark", asked.mark}};
  const auto passed = passing.hook(asked.hook, asked.road, {{all, Mark{asked.mark, "", firewall::Field::kSource}}});
  const auto marked = passed ? passing.with_mark(*passed, kExchangeMark) : std::unexpected(passed.error());
  if (!marked) return out["error"] = marked.error(), out;
  out["passes"] = boxes_of(firewall::packets_of(*passed));
  out["marked"] = boxes_of(*marked);
  return out;
}

// One edit of what a hand or a fault could change. What makes no sense any more is left to the reader of the rules.
std::string edit(RuleSet& table, std::mt19937& random) {
  const auto below = [&random](std::size_t n) { return random() % n; };
  auto& chain = table.chains[below(table.chains.size())];
  auto& set = table.sets[below(table.sets.size())];
  switch (below(5)) {
    case 0:
      if (chain.rules.empty()) break;
      chain.rules.erase(chain.rules.begin() + static_cast<std::ptrdiff_t>(below(chain.rules.size())));
      return "a rule of " + chain.name + " is gone";
    case 1:
      if (chain.rules.size() < 2) break;
      std::swap(chain.rules[below(chain.rules.size())], chain.rules[below(chain.rules.size())]);
      return "two rules of " + chain.name + " changed places";
    case 2:
      chain.rules.insert(chain.rules.begin() + static_cast<std::ptrdiff_t>(below(chain.rules.size() + 1)),
                         below(2) ? "accept" : "return");
      return "a verdict more in " + chain.name;
    case 3:
      if (set.elements.empty()) break;
      set.elements.erase(set.elements.begin() + static_cast<std::ptrdiff_t>(below(set.elements.size())));
      return "an element of " + set.name + " is gone";
    default:
      break;
  }
  chain.hook = chain.hook.ends_with("drop;") ? chain.hook.substr(0, chain.hook.size() - 5) + "accept;" : chain.hook;
  return "what " + chain.name + " does at its end";
}

unsigned number(const char* text) {
  unsigned out = 0;
  std::from_chars(text, text + std::string_view(text).size(), out);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? number(argv[1]) : 1, first = argc > 2 ? number(argv[2]) : 1;
  const auto all = questions();
  for (unsigned seed = first; seed < first + count; ++seed) {
    tests::RandomConfig config(seed);
    const auto plan = policy::compile(config.config(), tests::at_second(tests::kRandomNow)).plan;
    RuleSet table = firewall::compile(plan);
    std::mt19937 random(seed);
    Json json{{"seed", seed}, {"edits", Json::array()}, {"asked", Json::array()}};
    for (unsigned i = seed % 4; i > 0; --i) json["edits"].push_back(edit(table, random));
    json["chains"] = chains_of(table), json["sets"] = sets_of(table);
    for (const Asked& each : all) json["asked"].push_back(ask(table, each));
    std::puts(json.dump().c_str());
  }
}
