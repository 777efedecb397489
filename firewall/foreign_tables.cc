#include "firewall/foreign_tables.h"

#include <algorithm>
#include <array>

#include "firewall/rule_words.h"

namespace firewall {
namespace {

using policy::Family;
using policy::PacketSet;

constexpr std::size_t kMostFindings = 20;  // of one table

class Judge {
 public:
  Judge(const KernelTable& table, const ForeignQuestion& question) : table_(table), question_(question) {}

  ForeignAnswer judge() {
    if (table_.family == "arp" || table_.family == "bridge") return {};  // no IP packet of ours is there
    const bool early = table_.family == "netdev";
    for (const KernelChain& chain : table_.chains) {
      if (!is_reached(chain)) continue;
      for (const KernelRuleText& rule : chain.rules) look_at(chain, rule);
      if (early && concerns_device(chain) && (chain.policy == "drop" || refuses_some(chain)))
        answer_.notes.push_back(named(chain) + " may drop packets before every other rule");
    }
    if (!early) look_at_drops();
    return std::move(answer_);
  }

 private:
  [[nodiscard]] std::string named(const KernelChain& chain) const {
    return "table " + table_.family + " " + table_.name + ", chain " + chain.name;
  }

  [[nodiscard]] bool is_reached(const KernelChain& chain) const {
    if (!chain.hook.empty()) return true;
    return std::ranges::any_of(table_.chains, [&](const KernelChain& other) {
      return std::ranges::any_of(other.rules, [&](const KernelRuleText& rule) {
        return target_of(rule.text) == chain.name || is_by_map(rule.text);
      });
    });
  }

  // Which chain it jumps to stands in a map, whose elements are not read.
  static bool is_by_map(const std::string& rule) { return rule.find(" vmap ") != std::string::npos; }

  static bool refuses_some(const KernelChain& chain) {
    return std::ranges::any_of(chain.rules, [](const KernelRuleText& rule) { return !only_counts(rule.text); });
  }

  [[nodiscard]] bool concerns_device(const KernelChain& chain) const {
    if (chain.device.empty()) return true;
    const auto& [tunnel, inside, outside] = question_.interfaces;
    return std::ranges::any_of(std::array{tunnel, inside, outside}, [&](const std::string& name) {
      return chain.device.find("\"" + name + "\"") != std::string::npos ||
             chain.device.find(" " + name) != std::string::npos;
    });
  }

  void add(std::string what, bool opens, std::string says, std::optional<policy::PacketPoint> packet = {}) {
    if (answer_.findings.size() < kMostFindings)
      answer_.findings.push_back({std::move(what), opens, !opens, std::move(says), packet});
    else
      ++answer_.left_out;
  }

  // A rule that rewrites, and may be about a packet of ours.
  void look_at(const KernelChain& chain, const KernelRuleText& rule) {
    const std::string word = rewriting_word(rule.text);
    if (word.empty() || !concerns_device(chain)) return;
    const std::string matches = before_word(rule.text, word);
    const auto may_be_about = [&](const Path& path) { return may_be_ours(*path.base, path.matches + matches); };
    if (std::ranges::any_of(paths_to(chain, 0), may_be_about))
      add(place_of(table_, chain, rule), true,
          "\"" + word + "\" changes packets that the other rules then judge as something else");
  }

  static std::string before_word(const std::string& rule, const std::string& word) {
    const std::string form = one_form(rule);
    const auto at = form.find(word);
    return at == std::string::npos ? "" : form.substr(0, at);
  }

  // How packets come to a chain: the base chain where they begin, and what the jumps on the way ask for.
  struct Path {
    const KernelChain* base = nullptr;
    std::string matches;  // empty, or with a space at its end
  };
  static constexpr std::size_t kMostPaths = 64;
  static constexpr unsigned kMostJumps = 16;  // as the kernel has it
  static constexpr std::size_t kMostAsked = 10'000;

  [[nodiscard]] std::vector<Path> paths_to(const KernelChain& chain, unsigned depth) const {
    if (!chain.hook.empty()) return {{&chain, ""}};
    std::vector<Path> out;
    if (depth == kMostJumps) return out;
    if (asked_ == kMostAsked) return from_everywhere();
    ++asked_;
    for (const KernelChain& from : table_.chains)
      for (const KernelRuleText& rule : from.rules) {
        const bool by_map = is_by_map(rule.text);
        if (!by_map && target_of(rule.text) != chain.name) continue;
        const std::string jump = rule.text.find("goto " + chain.name) == std::string::npos ? "jump " : "goto ";
        const std::string asked = by_map ? "" : before_word(rule.text, jump);
        for (const Path& path : paths_to(from, depth + 1)) {
          out.push_back({path.base, path.matches + asked});
          // Too many to tell apart: from every base chain, whatever was asked.
          if (out.size() > kMostPaths) return from_everywhere();
        }
      }
    return out;
  }

  [[nodiscard]] std::vector<Path> from_everywhere() const {
    std::vector<Path> out;
    for (const KernelChain& chain : table_.chains)
      if (!chain.hook.empty()) out.push_back({&chain, ""});
    return out;
  }

  // Behind the forward hook nothing passes but what is declared, and a chain of type nat sees first packets alone.
  [[nodiscard]] PacketSet asked_about(const KernelChain& base, const Road& road) const {
    const auto& [tunnel, inside, outside] = question_.interfaces;
    const bool nat = base.type == "nat";
    const auto at = [&](auto... hooks) { return ((base.hook == hooks) || ...); };
    if (road.in == "lo") return at("prerouting", "input", "forward", "ingress") ? PacketSet() : question_.from_gateway;
    if (road.in == outside && at("forward", "output", "postrouting", "egress")) return {};
    if (road.in == outside) return nat ? question_.to_tunnels : question_.to_gateway;
    if (!nat || base.hook != "postrouting") return question_.of_facilities;
    if (road.in == tunnel && road.out == inside) return question_.to_inside;
    if (road.in == inside && road.out == tunnel) return question_.from_inside;
    return road.in == tunnel && road.out == tunnel ? question_.between : PacketSet();
  }

  // What stands before the word, on every road that packets of ours take; what is not understood may be.
  [[nodiscard]] bool may_be_ours(const KernelChain& base, std::string matches) const {
    while (matches.ends_with(' ')) matches.pop_back();
    const auto& [tunnel, inside, outside] = question_.interfaces;
    // Behind routing, of forwarded packets; before it; and the tunnels' own, of the gateway.
    const std::array roads{Road{tunnel, inside},  Road{inside, tunnel}, Road{tunnel, tunnel},     Road{tunnel, outside},
                           Road{inside, outside}, Road{"lo", outside},  Road{outside, "lo", true}};
    for (const Road& road : roads) {
      PacketSet left = asked_about(base, road);
      if (left.empty()) continue;
      const auto steps = read_rule(matches, road);
      if (!steps) return true;
      for (const Step& step : *steps) {
        if (step.kind == Step::Kind::kNever) left = PacketSet();
        if (step.kind == Step::Kind::kPackets) left = step.inverted ? left - step.packets : left & step.packets;
      }
      if (!left.empty()) return true;
    }
    return false;
  }

  [[nodiscard]] PacketSet of_family() const {
    if (table_.family == "ip") return PacketSet::all(Family::kV4);
    if (table_.family == "ip6") return PacketSet::all(Family::kV6);
    return PacketSet::everything();
  }

  // What surely passes no more of what is declared. A rule that is not understood is taken for one that refuses
  // nothing.
  void look_at_drops() {
    const bool may_drop = std::ranges::any_of(table_.chains, [](const KernelChain& chain) {
      return chain.policy == "drop" || (refuses_some(chain) && chain.type != "nat");
    });
    if (!may_drop) return;
    const RuleSet table = installed(table_, {});
    Passing passing(table, Passing::Unknown::kEither);
    const auto& [tunnel, inside, outside] = question_.interfaces;
    const std::array asked{std::pair{Road{tunnel, inside}, question_.to_inside},
                           std::pair{Road{inside, tunnel}, question_.from_inside},
                           std::pair{Road{tunnel, tunnel}, question_.between}};
    for (const bool answer : {false, true})
      for (const auto& [road, declared] : asked) {
        const Road back{road.out, road.in, false, true};
        if (!look_at_road(passing, answer ? back : road, declared & of_family())) return;
      }
    look_at_road(passing, {outside, "", true, false}, question_.to_tunnels & of_family());
  }

  bool look_at_road(Passing& passing, const Road& road, const PacketSet& declared) {
    if (declared.empty()) return true;
    using Hooks = std::vector<const char*>;
    for (const char* hook :
         road.to_gateway ? Hooks{"prerouting", "input"} : Hooks{"prerouting", "forward", "postrouting"}) {
      Road at = road;
      if (std::string_view(hook) == "prerouting") at.out.clear();
      const auto passed = passing.hook(hook, at, {{declared, Mark{}}});
      if (!passed) {
        answer_.notes.push_back("table " + table_.family + " " + table_.name +
                                " may drop more, and is not understood: " + passed.error());
        return false;
      }
      const auto lost = (declared - packets_of(*passed)).witness();
      if (!lost) continue;
      add("table " + table_.family + " " + table_.name + ", hook " + hook + ": " + dropping(hook), false,
          "drops " + policy::to_text(*lost) +
              (road.to_gateway ? ", a tunnel's own packet"
               : road.answer   ? " (answers), which is declared"
                               : ", which is declared"),
          lost);
      return true;
    }
    return true;
  }

  [[nodiscard]] std::string dropping(const std::string& hook) const {
    std::string out;
    for (const KernelChain& chain : table_.chains)
      if (chain.hook == hook)
        out += (out.empty() ? "chain " : ", chain ") + chain.name + " (policy " + chain.policy + ", " +
               std::to_string(chain.rules.size()) + " rules)";
    return out;
  }

  const KernelTable& table_;
  const ForeignQuestion& question_;
  ForeignAnswer answer_;
  mutable std::size_t asked_ = 0;  // for paths
};

}  // namespace

ForeignAnswer judge_foreign(const KernelTable& table, const ForeignQuestion& question) {
  return Judge(table, question).judge();
}

}  // namespace firewall
