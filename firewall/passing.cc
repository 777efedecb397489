#include "firewall/passing.h"

#include <algorithm>
#include <charconv>

#include "firewall/rule_words.h"

namespace firewall {
namespace {

using config::value::Result;
using policy::PacketSet;
using Kind = Step::Kind;

constexpr unsigned kDeepest = 16;  // NFT_JUMP_STACK_SIZE

// Sets with one mark are one set.
void add(std::vector<Marked>& to, Marked more) {
  if (more.packets.empty()) return;
  const auto same = std::ranges::find(to, more.mark, &Marked::mark);
  if (same == to.end())
    to.push_back(std::move(more));
  else
    same->packets = same->packets | more.packets;
}

void add(std::vector<Marked>& to, const std::vector<Marked>& more) {
  for (const Marked& each : more) add(to, each);
}

struct BaseChain {
  int priority = 0;
  const Chain* chain = nullptr;  // into the table: of one priority, in its order
  bool accepts = true;           // what no rule decides
  friend auto operator<=>(const BaseChain&, const BaseChain&) = default;
};

// "type filter hook forward priority 0; policy drop;"
Result<std::vector<BaseChain>, std::string> base_chains(const RuleSet& table, const std::string& hook) {
  std::vector<BaseChain> out;
  for (const Chain& chain : table.chains) {
    const std::string begin = "type filter hook " + hook + " priority ";
    if (!chain.hook.starts_with(begin)) continue;
    BaseChain base{0, &chain, chain.hook.ends_with("policy accept;")};
    const char* at = chain.hook.data() + begin.size();
    const auto [end, error] = std::from_chars(at, chain.hook.data() + chain.hook.size(), base.priority);
    if (error != std::errc() || (!base.accepts && !chain.hook.ends_with("policy drop;")))
      return std::unexpected("chain " + chain.name + ": \"" + chain.hook + "\" is not understood");
    out.push_back(base);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<std::vector<Marked>, std::string> Passing::hook(const std::string& hook, const Road& road, Sets packets) {
  for (const BaseChain& base : TRY(base_chains(table_, hook))) {
    Outcome outcome = TRY(run(base.chain->name, road, std::move(packets), 0));
    if (base.accepts) add(outcome.accepted, outcome.returned);
    packets = std::move(outcome.accepted);
  }
  return packets;
}

Result<Passing::Outcome, std::string> Passing::run(const std::string& name, const Road& road, Sets packets,
                                                   unsigned depth) {
  const auto chain = std::ranges::find(table_.chains, name, &Chain::name);
  if (chain == table_.chains.end()) return std::unexpected("there is no chain " + name);
  if (depth > kDeepest) return std::unexpected("chain " + name + ": too many jumps");
  if (!packets.empty()) visited_.insert(name);
  Outcome out;
  for (std::size_t i = 0; i < chain->rules.size() && !packets.empty(); ++i) {
    const std::string place = "chain " + name + ", rule " + std::to_string(i + 1) + " \"" + chain->rules[i] + "\"";
    const auto rule = read_rule(chain->rules[i], road);
    place_ = place;
    if (!rule && unknown_ == Unknown::kEither && passed_over(chain->rules[i], packets, out)) continue;
    if (!rule) return std::unexpected(place + ": " + rule.error());
    // An error of a rule further in names its own place.
    const auto applied = apply(*rule, road, depth, packets, out);
    if (!applied)
      return std::unexpected(applied.error().starts_with("chain ") ? applied.error() : place + ": " + applied.error());
  }
  add(out.returned, packets);
  return out;
}

// May it be read as "some of these, who knows which"? Then those that it could accept are accepted, and all go on.
bool Passing::passed_over(const std::string& rule, const Sets& packets, Outcome& out) {
  const auto verdict = verdict_of_unknown(rule);
  if (!verdict) return false;
  if (*verdict == Verdict::kAccept) {
    if (trace_ != nullptr && !packets.empty()) trace_->push_back(place_);
    add(out.accepted, packets);
  }
  if (*verdict == Verdict::kReturn) add(out.returned, packets);
  return true;
}

// `here`: what reaches the rule, and then what goes on behind it.
Result<void, std::string> Passing::apply(const std::vector<Step>& rule, const Road& road, unsigned depth, Sets& here,
                                         Outcome& out) {
  Sets on;  // behind the rule
  for (const Step& step : rule) {
    if (step.kind == Kind::kVerdict) {
      TRY(decide(step, road, depth, std::move(here), on, out));
      here = std::move(on);
      return {};
    }
    Sets still;
    for (Marked& each : here) {
      const PacketSet kept = TRY(chosen(step, each));
      add(on, {each.packets - kept, each.mark});
      if (step.kind == Kind::kSetMark) each.mark = {step.number, "", Field::kSource};
      if (step.kind == Kind::kSetMarkFrom) each.mark = {0, step.name, step.key[0]};
      add(still, {kept, each.mark});
    }
    here = std::move(still);
    if (here.empty()) break;
  }
  add(on, here);
  here = std::move(on);
  return {};
}

Result<PacketSet, std::string> Passing::chosen(const Step& step, const Marked& from) {
  switch (step.kind) {
    case Kind::kNever:
      return PacketSet();
    case Kind::kPackets:
      return step.inverted ? from.packets - step.packets : from.packets & step.packets;
    case Kind::kElements: {
      const PacketSet of_family = from.packets & step.packets;
      const PacketSet held = TRY(elements_.holding(step.name, step.key[0]));
      return step.inverted ? of_family - held : of_family & held;
    }
    case Kind::kMarkIs: {
      const PacketSet marked = TRY(elements_.marked(from.mark, step.number));
      return step.inverted ? from.packets - marked : from.packets & marked;
    }
    case Kind::kSetMarkFrom:
      return from.packets & TRY(elements_.holding(step.name, step.key[0]));
    case Kind::kLookUp:
      return from.packets & step.packets & TRY(elements_.matching(step.name, step.key, from.mark));
    case Kind::kSetMark:
    case Kind::kVerdict:
      return from.packets;
  }
  return PacketSet();
}

Result<void, std::string> Passing::decide(const Step& verdict, const Road& road, unsigned depth, Sets packets, Sets& on,
                                          Outcome& out) {
  switch (verdict.verdict) {
    case Verdict::kAccept:
      if (trace_ != nullptr && !packets.empty()) trace_->push_back(place_);
      add(out.accepted, packets);
      return {};
    case Verdict::kDrop:
      return {};
    case Verdict::kReturn:
      add(out.returned, packets);
      return {};
    case Verdict::kJump:
    case Verdict::kGoto:
      break;
  }
  if (packets.empty()) return {};
  Outcome inner = TRY(run(verdict.name, road, std::move(packets), depth + 1));
  add(out.accepted, inner.accepted);
  add(verdict.verdict == Verdict::kJump ? on : out.returned, inner.returned);
  return {};
}

Result<PacketSet, std::string> Passing::with_mark(const Sets& all, std::uint32_t number) {
  PacketSet out;
  for (const Marked& each : all) out = out | (each.packets & TRY(elements_.marked(each.mark, number)));
  return out;
}

PacketSet packets_of(const std::vector<Marked>& all) {
  PacketSet out;
  for (const Marked& each : all) out = out | each.packets;
  return out;
}

}  // namespace firewall
