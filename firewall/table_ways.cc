#include "firewall/table_ways.h"

#include <array>

namespace firewall {
namespace {

using config::value::Result;
using policy::PacketSet;

constexpr const char* kAnother = "(another interface)";

class Walk {
 public:
  Walk(const RuleSet& table, const Interfaces& interfaces)
      : passing_(table, Passing::Unknown::kEither), interfaces_(interfaces) {}

  Result<Ways, std::string> walk() {
    const std::array sides{interfaces_.tunnel, interfaces_.inside, interfaces_.outside, std::string(kAnother)};
    for (const bool answer : {false, true})
      for (const std::string& in : sides) {
        for (const std::string& out : sides) TRY(forward({in, out, false, answer}));
        // Answers to the gateway itself are of flows that have their port on the other side: not of this model.
        if (answer && in == interfaces_.outside) continue;
        for (const bool here : {false, true}) TRY(before_routing({in, "", here, answer}));
        TRY(add("input", {in, "", true, answer}, 0));
      }
    for (const bool answer : {false, true})
      for (const std::string& out : sides) {
        TRY(add("output", {"lo", out, false, answer}, 0));
        TRY(add("postrouting", {"lo", out, false, answer}, 0));
      }
    ways_.visited = passing_.visited();
    return std::move(ways_);
  }

 private:
  using Done = Result<void, std::string>;

  static std::string words(const std::string& hook, const Road& road) {
    return hook + ", " + (road.in == "lo" ? "of the gateway" : road.in) + (road.out.empty() ? "" : " -> " + road.out) +
           (road.to_gateway && hook == "prerouting" ? ", for the gateway" : "") + (road.answer ? ", answers" : "");
  }

  Result<std::vector<Marked>, std::string> run(const std::string& hook, const Road& road, std::uint32_t mark) {
    return passing_.hook(hook, road, {{PacketSet::everything(), Mark{mark, "", Field::kSource}}});
  }

  Done add(const std::string& hook, const Road& road, std::uint32_t mark) {
    const auto passed = TRY(run(hook, road, mark));
    ways_.all.push_back({words(hook, road) + (mark == 0 ? "" : ", with the exchange mark"), packets_of(passed)});
    return {};
  }

  // The mark chooses the routes.
  Done before_routing(const Road& road) {
    const auto passed = TRY(run("prerouting", road, 0));
    const PacketSet all = packets_of(passed);
    const PacketSet exchange = TRY(passing_.with_mark(passed, policy::kExchangeMark));
    const PacketSet none = TRY(passing_.with_mark(passed, 0));
    const std::string says = words("prerouting", road);
    ways_.all.push_back({says + ", with the exchange mark", exchange});
    ways_.all.push_back({says, none});
    ways_.all.push_back({says + ", with another mark", all - exchange - none});
    return {};
  }

  Done forward(const Road& road) {
    TRY(add("forward", road, 0));
    if (road.in == interfaces_.tunnel) TRY(add("forward", road, policy::kExchangeMark));
    return {};
  }

  Passing passing_;
  const Interfaces& interfaces_;
  Ways ways_;
};

}  // namespace

Result<Ways, std::string> ways(const RuleSet& table, const Interfaces& interfaces) {
  return Walk(table, interfaces).walk();
}

std::optional<Differing> beyond(const Ways& a, const Ways& b) {
  for (std::size_t i = 0; i < a.all.size() && i < b.all.size(); ++i) {
    if (a.all[i].packets == b.all[i].packets) continue;
    if (const auto packet = (a.all[i].packets - b.all[i].packets).witness()) return Differing{a.all[i].says, *packet};
  }
  return std::nullopt;
}

}  // namespace firewall
