#include "firewall/rule_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace firewall {
namespace {

using config::value::Prefix;
using config::value::Result;
using policy::AddressRange;
using policy::Family;
using policy::PacketBox;
using policy::PacketSet;
using Kind = Step::Kind;

struct Named {
  std::string_view name;
  std::uint8_t number;
};
constexpr std::array<Named, 8> kProtocols{
    {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmpv6", 58}, {"esp", 50}, {"ah", 51}, {"gre", 47}, {"sctp", 132}}};
constexpr std::array<Named, 6> kTypes4{{{"echo-reply", 0},
                                        {"destination-unreachable", 3},
                                        {"redirect", 5},
                                        {"echo-request", 8},
                                        {"time-exceeded", 11},
                                        {"parameter-problem", 12}}};
constexpr std::array<Named, 11> kTypes6{{{"destination-unreachable", 1},
                                         {"packet-too-big", 2},
                                         {"time-exceeded", 3},
                                         {"parameter-problem", 4},
                                         {"echo-request", 128},
                                         {"echo-reply", 129},
                                         {"mld-listener-query", 130},
                                         {"nd-router-solicit", 133},
                                         {"nd-router-advert", 134},
                                         {"nd-neighbor-solicit", 135},
                                         {"nd-neighbor-advert", 136}}};
constexpr std::uint8_t kRedirect6 = 137;  // nd-redirect

template <std::size_t N>
std::optional<std::uint8_t> named(const std::array<Named, N>& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Named::name);
  return found == table.end() ? std::nullopt : std::optional(found->number);
}

// 224.0.0.0/4, ff00::/8.
const std::vector<AddressRange>& multicast() {
  static const std::vector<AddressRange> kRanges{policy::range_of(*Prefix::parse("224.0.0.0/4")),
                                                 policy::range_of(*Prefix::parse("ff00::/8"))};
  return kRanges;
}

const std::vector<AddressRange>& broadcast() {
  static const std::vector<AddressRange> kRanges{policy::range_of(*Prefix::parse("255.255.255.255/32"))};
  return kRanges;
}

class RuleReader {
 public:
  RuleReader(const std::string& rule, const Road& road) : rest_(rule), road_(road) {}

  Result<std::vector<Step>, std::string> read() {
    // What follows a thing that does not happen is not read: it may ask for what this road has not.
    while (!done() && !never_) TRY(statement());
    return std::move(steps_);
  }

 private:
  using Done = Result<void, std::string>;
  using Values = std::vector<std::string_view>;

  [[nodiscard]] bool done() const { return rest_.empty(); }

  std::string_view next() {
    const auto space = rest_.find(' ');
    const std::string_view word = rest_.substr(0, space);
    rest_.remove_prefix(space == std::string_view::npos ? rest_.size() : space + 1);
    return word;
  }

  bool take(std::string_view words) {
    if (!rest_.starts_with(words)) return false;
    if (rest_.size() > words.size() && rest_[words.size()] != ' ') return false;
    rest_.remove_prefix(std::min(rest_.size(), words.size() + 1));
    return true;
  }

  std::unexpected<std::string> unknown(std::string_view what) const {
    return std::unexpected("\"" + std::string(what) + "\" is not understood");
  }

  // "!= { a, b }" or "a".
  Values values(bool& inverted) {
    inverted = take("!=");
    if (!take("{")) return {next()};
    Values out;
    while (!done() && !take("}")) {
      std::string_view word = next();
      if (word.ends_with(',')) word.remove_suffix(1);
      out.push_back(word);
    }
    return out;
  }

  void never() { steps_.push_back({}), never_ = true; }

  Step& step(Kind kind) {
    steps_.emplace_back();
    steps_.back().kind = kind;
    return steps_.back();
  }

  Done keep(const PacketSet& packets, bool inverted = false) {
    Step& made = step(Kind::kPackets);
    made.packets = packets, made.inverted = inverted;
    return {};
  }

  Done keep_if(bool holds) {
    if (!holds) never();
    return {};
  }

  Done statement() {
    const std::string_view word = next();
    if (word == "iifname" || word == "oifname") return interface(word);
    if (word == "meta") return meta();
    if (word == "ip" || word == "ip6") return header(word == "ip" ? Family::kV4 : Family::kV6);
    if (word == "tcp" || word == "udp") return transport(word);
    if (word == "icmp" || word == "icmpv6") return icmp(word == "icmp" ? Family::kV4 : Family::kV6);
    if (word == "fib") return fib();
    if (word == "ct") return conntrack();
    if (word == "exthdr") return next(), next() == "exists" ? (never(), Done()) : unknown("exthdr");
    if (word == "notrack") return {};
    if (word == "counter") return counter();
    if (word == "continue") return {};
    if (word == "log") return log();
    if (word == "limit") return limit();
    if (word == "add" || word == "update") return dynamic();
    return verdict(word);
  }

  Done verdict(std::string_view word) {
    Step& made = step(Kind::kVerdict);
    if (word == "accept") return made.verdict = Verdict::kAccept, Done();
    if (word == "drop") return made.verdict = Verdict::kDrop, Done();
    if (word == "return") return made.verdict = Verdict::kReturn, Done();
    if (word != "jump" && word != "goto") return unknown(word);
    made.verdict = word == "jump" ? Verdict::kJump : Verdict::kGoto;
    made.name = next();
    return {};
  }

  Done interface(std::string_view which) {
    bool inverted = false;
    const Values names = values(inverted);
    const std::string& at = which == "iifname" ? road_.in : road_.out;
    if (at.empty()) return std::unexpected("\"" + std::string(which) + "\" is asked where there is none yet");
    const bool found = std::ranges::find(names, "\"" + at + "\"") != names.end();
    return keep_if(found != inverted);
  }

  Done meta() {
    if (take("nfproto ipv4")) return keep(PacketSet::all(Family::kV4));
    if (take("nfproto ipv6")) return keep(PacketSet::all(Family::kV6));
    if (take("mark set")) return set_mark();
    bool inverted = false;
    if (take("skuid")) return values(inverted), Done();  // some user: only ever asked before a limit
    if (take("mark")) {
      const Values wanted = values(inverted);
      const auto number = wanted.size() == 1 ? number_of(wanted[0]) : std::nullopt;
      if (!number) return unknown("meta mark");
      Step& made = step(Kind::kMarkIs);
      made.number = *number, made.inverted = inverted;
      return {};
    }
    if (!take("l4proto")) return unknown("meta " + std::string(next()));
    std::vector<PacketBox> boxes;
    for (const std::string_view name : values(inverted)) {
      const auto protocol = protocol_number(name);
      if (!protocol) return unknown(name);
      add_protocol(*protocol, 0, 0xffff, boxes);
    }
    return keep(PacketSet::of(boxes), inverted);
  }

  static void add_protocol(std::uint8_t protocol, std::uint16_t first, std::uint16_t last,
                           std::vector<PacketBox>& out) {
    for (const Family family : {Family::kV4, Family::kV6}) {
      PacketBox box = policy::whole(family);
      box.first_protocol = box.last_protocol = protocol, box.first_port = first, box.last_port = last;
      out.push_back(box);
    }
  }

  Done set_mark() {
    const std::string_view word = next();
    if (word == "ip" || word == "ip6") {
      Step made;
      made.kind = Kind::kSetMarkFrom;
      made.key = {TRY(end(next()))};
      if (!take("map")) return unknown("meta mark set " + std::string(word));
      made.name = TRY(set_name(next()));
      steps_.push_back(std::move(made));
      return {};
    }
    const auto number = number_of(word);
    if (!number) return unknown("meta mark set " + std::string(word));
    step(Kind::kSetMark).number = *number;
    return {};
  }

  static Result<std::string, std::string> set_name(std::string_view word) {
    if (!word.starts_with('@')) return std::unexpected("\"" + std::string(word) + "\" is no set");
    return std::string(word.substr(1));
  }

  // The packet's own end, as the flow has it.
  Result<Field, std::string> end(std::string_view word) const {
    if (word != "saddr" && word != "daddr") return unknown(word);
    return (word == "saddr") != road_.answer ? Field::kSource : Field::kDestination;
  }

  Done header(Family family) {
    bool inverted = false;
    if (take("hdrlength != 5")) return never(), Done();
    if (take("frag-off & 0x3fff != 0") || take("frag-off & 16383 != 0")) return never(), Done();  // as nft lists it
    if (take("hoplimit 255")) return keep(PacketSet::all(family));
    const Field which = TRY(end(next()));
    const Values wanted = values(inverted);
    if (wanted.size() == 1 && wanted[0].starts_with('@')) {
      Step& made = step(Kind::kElements);
      made.packets = PacketSet::all(family), made.inverted = inverted;
      made.key = {which}, made.name = wanted[0].substr(1);
      return {};
    }
    std::vector<AddressRange> ranges;
    for (const std::string_view each : wanted) {
      const auto prefix = Prefix::parse(each);
      if (!prefix) return unknown(each);
      ranges.push_back(policy::range_of(*prefix));
    }
    const PacketSet found = which == Field::kSource ? PacketSet::from(ranges) : PacketSet::to(ranges);
    return keep(inverted ? PacketSet::all(family) - found : PacketSet::all(family) & found);
  }

  Done transport(std::string_view protocol) {
    const std::string_view which = next();
    if ((which != "dport" && which != "sport") || (which == "sport") != road_.answer)
      return std::unexpected("\"" + std::string(which) + "\" is asked on this side of a flow");
    bool inverted = false;
    std::vector<PacketBox> boxes;
    for (const std::string_view each : values(inverted)) {
      const auto number = number_of(each);
      if (!number || *number > 0xffff) return unknown(each);
      const auto port = static_cast<std::uint16_t>(*number);
      add_protocol(*protocol_number(protocol), port, port, boxes);
    }
    return inverted ? unknown("!=") : keep(PacketSet::of(boxes));
  }

  // An echo reply is of the flow that its request opened; no other ICMP message answers.
  Done icmp(Family family) {
    if (!take("type")) return unknown("icmp " + std::string(next()));
    bool inverted = false;
    const bool v4 = family == Family::kV4;
    std::vector<PacketBox> boxes;
    for (const std::string_view name : values(inverted)) {
      const auto type = v4                      ? named(kTypes4, name)
                        : name == "nd-redirect" ? std::optional(kRedirect6)
                                                : named(kTypes6, name);
      if (!type) return unknown(name);
      if (road_.answer && name != "echo-reply") continue;
      PacketBox box = policy::whole(family);
      box.first_protocol = box.last_protocol = v4 ? 1 : 58;
      box.first_port = box.last_port = road_.answer ? (v4 ? policy::kEchoType4 : policy::kEchoType6) : *type;
      boxes.push_back(box);
    }
    return inverted ? unknown("!=") : keep(PacketSet::of(boxes));
  }

  // Of the addresses that the kernel calls by that word. Its interfaces' own broadcast addresses are not known here.
  Result<PacketSet, std::string> addresses_called(std::string_view word) const {
    const auto to = [this](const std::vector<AddressRange>& ranges) {
      return road_.answer ? PacketSet::from(ranges) : PacketSet::to(ranges);
    };
    if (word == "multicast") return to(multicast());
    if (word == "broadcast") return to(broadcast());
    if (word == "anycast") return PacketSet();
    if (word != "local" && word != "unicast") return unknown(word);
    const bool all = (word == "local") == road_.to_gateway;
    return all ? PacketSet::everything() - to(multicast()) - to(broadcast()) : PacketSet();
  }

  Done fib() {
    if (take("saddr . iif oif missing")) return never(), Done();  // the source is where its route says
    if (!take("daddr type")) return unknown("fib " + std::string(next()));
    bool inverted = false;
    PacketSet found;
    for (const std::string_view word : values(inverted)) found = found | TRY(addresses_called(word));
    return keep(found, inverted);
  }

  Done conntrack() {
    if (take("zone set")) return next(), Done();
    if (take("count over")) return next(), never(), Done();
    if (take("direction original")) return keep_if(!road_.answer);
    if (take("direction reply")) return keep_if(road_.answer);
    if (take("mark set")) return look_up();
    if (take("mark . meta mark")) return next(), never(), Done();  // of the flow that an ICMP error is about
    if (!take("state")) return unknown("ct " + std::string(next()));
    bool inverted = false;
    const Values states = values(inverted);
    for (const std::string_view state : states)
      if (state != "new" && state != "established" && state != "related" && state != "invalid") return unknown(state);
    const bool found = std::ranges::find(states, road_.answer ? "established" : "new") != states.end();
    return keep_if(found != inverted);
  }

  // "meta mark . ip daddr . meta l4proto . th dport map @service4"
  Done look_up() {
    Step made;
    made.kind = Kind::kLookUp;
    made.packets = PacketSet::everything();
    do {
      const std::string_view word = next();
      if (word == "meta" && take("mark")) {
        made.key.push_back(Field::kMark);
      } else if (word == "meta" && take("l4proto")) {
        made.key.push_back(Field::kProtocol);
      } else if (word == "th") {
        const std::string_view side = next();
        if (side != "sport" && side != "dport") return unknown(side);
        if (side != (road_.answer ? "sport" : "dport")) return keep_if(false);  // after the direction: of the other
        made.key.push_back(Field::kPort);
      } else if (word == "ip" || word == "ip6") {
        made.packets = PacketSet::all(word == "ip" ? Family::kV4 : Family::kV6);
        made.key.push_back(TRY(end(next())));
      } else {
        return unknown(word);
      }
    } while (take("."));
    if (!take("map")) return unknown("ct mark set");
    made.name = TRY(set_name(next()));
    steps_.push_back(std::move(made));
    return {};
  }

  // Of a name, or of others and without.
  Done counter() {
    if (take("name")) next();
    return {};
  }

  Done log() {
    static constexpr std::array kOptions{"prefix", "group", "level", "flags", "snaplen", "queue-threshold"};
    for (bool more = true; more;) {
      more = false;
      for (const char* option : kOptions)
        if (take(option)) next(), more = true;
    }
    return {};
  }

  // Nobody is beyond a rate here: "over" never happens, a rate is kept.
  Done limit() {
    if (!take("rate")) return unknown("limit");
    if (take("over")) never();
    next();
    if (take("burst")) next(), take("packets");
    return {};
  }

  // "add @flows { meta mark ct count over 16384 }", "update @fragments4 { ip saddr limit rate over ... }"
  Done dynamic() {
    const std::string_view set = next();
    const auto close = rest_.find('}');
    if (!take("{") || close == std::string_view::npos) return unknown(set);
    if (rest_.substr(0, close).find(" over ") != std::string_view::npos) never();
    while (!done() && !take("}")) next();
    return {};
  }

  std::string_view rest_;
  const Road& road_;
  bool never_ = false;
  std::vector<Step> steps_;
};

}  // namespace

std::optional<std::uint32_t> number_of(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) text.remove_prefix(2), base = 16;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::vector<Step>, std::string> read_rule(const std::string& rule, const Road& road) {
  return RuleReader(rule, road).read();
}

std::optional<std::uint8_t> protocol_number(std::string_view name) {
  if (const auto known = named(kProtocols, name)) return known;
  const auto number = number_of(name);
  return number && *number <= 255 ? std::optional(static_cast<std::uint8_t>(*number)) : std::nullopt;
}

}  // namespace firewall
