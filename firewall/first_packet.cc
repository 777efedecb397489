#include "firewall/first_packet.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

namespace firewall {
namespace {

using config::value::IpAddress;
using config::value::IpProtocol;
using config::value::Prefix;

// "a . b : c" -> "a . b", "c"; an element of a set has no value.
struct Element {
  std::string_view key, value;
};

Element element_of(const std::string& text) {
  const auto colon = text.rfind(" : ");
  if (colon == std::string::npos) return {text, {}};
  return {std::string_view(text).substr(0, colon), std::string_view(text).substr(colon + 3)};
}

std::vector<std::string_view> parts_of(std::string_view key) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto dot = key.find(" . ");
    parts.push_back(key.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    key.remove_prefix(dot + 3);
  }
}

std::uint32_t number_of(std::string_view text, int base) {
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

bool holds(std::string_view prefix, const IpAddress& address) {
  const auto parsed = Prefix::parse(prefix);
  return parsed && parsed->contains(address);
}

bool holds_port(std::string_view ports, std::uint16_t port) {
  const auto dash = ports.find('-');
  const std::uint32_t first = number_of(ports.substr(0, dash), 10);
  const std::uint32_t last = dash == std::string_view::npos ? first : number_of(ports.substr(dash + 1), 10);
  return first <= port && port <= last;
}

class Walk {
 public:
  Walk(const RuleSet& table, const FirstPacket& packet)
      : table_(table), packet_(packet), digit_(packet.source.is_v4() ? '4' : '6') {}

  TableAnswer before_routing() const {
    if (packet_.from == Side::kInside) {
      if (in_networks("facility", packet_.source)) return drop("before_fragments", "foreign_source");
      return in_networks("facility", packet_.destination) ? pass("prerouting") : drop("prerouting", "detour");
    }
    if (!in_networks("facility", packet_.source)) return drop("before_fragments", "foreign_source");
    const std::string chain = std::string("mark_exchange") + digit_;
    if (auto found = permitted(chain, "exchange")) {
      found->exchange = true;
      return *found;
    }
    const auto reach = elements("reach");
    const bool known = std::ranges::find(reach, packet_.destination.to_string()) != reach.end();
    return known ? pass(chain) : drop(chain, "detour");
  }

  TableAnswer forwarded(Side to) const {
    const bool across = packet_.from == Side::kTunnels && to == Side::kTunnels;
    if (packet_.from == Side::kInside && to == Side::kInside) return drop("forward", "detour");
    const std::string name = across ? "across" : to == Side::kTunnels ? "to_tunnel" : "to_inside";
    const std::string chain = name + digit_;
    if (to == Side::kTunnels && !in_networks("facility", packet_.destination))
      return drop(chain, "foreign_destination");
    const std::string stem = across ? "exchange" : to == Side::kTunnels ? "inside" : "service";
    return permitted(chain, stem).value_or(drop(chain, across ? "detour" : "not_permitted"));
  }

 private:
  static TableAnswer pass(std::string where) { return {true, std::move(where), "", 0, false}; }
  static TableAnswer drop(std::string where, std::string reason) {
    return {false, std::move(where), std::move(reason), 0, false};
  }

  const std::vector<std::string>& elements(const std::string& stem) const {
    static const std::vector<std::string> kNone;
    const auto found = std::ranges::find(table_.sets, stem + digit_, &Set::name);
    return found == table_.sets.end() ? kNone : found->elements;
  }

  bool in_networks(const std::string& stem, const IpAddress& address) const {
    return std::ranges::any_of(elements(stem),
                               [&](const std::string& each) { return holds(element_of(each).key, address); });
  }

  // The first part of a key of `stem`: the address itself from inside, else the class of its network; empty: none.
  std::string source_key(const std::string& stem) const {
    if (stem == "inside") return packet_.source.to_string();
    for (const std::string& each : elements("class"))
      if (const auto [network, mark] = element_of(each); holds(network, packet_.source)) return std::string(mark);
    return "";
  }

  std::string protocol_text() const { return packet_.protocol == IpProtocol::kTcp ? "tcp" : "udp"; }
  bool has_ports() const { return packet_.protocol == IpProtocol::kTcp || packet_.protocol == IpProtocol::kUdp; }

  std::optional<TableAnswer> permitted(const std::string& chain, const std::string& stem) const {
    const std::string source = source_key(stem);
    if (source.empty()) return std::nullopt;
    const std::string ends = source + " . " + packet_.destination.to_string();
    if (!has_ports()) return exactly(chain, stem + "_echo", ends);
    if (auto found = exactly(chain, stem, ends + " . " + protocol_text() + " . " + std::to_string(packet_.port)))
      return found;
    return in_range(chain, stem + "_range");
  }

  std::optional<TableAnswer> exactly(const std::string& chain, const std::string& map, const std::string& key) const {
    for (const std::string& each : elements(map))
      if (const auto [known, rule] = element_of(each); known == key) return permit(chain, map, rule);
    return std::nullopt;
  }

  std::optional<TableAnswer> in_range(const std::string& chain, const std::string& map) const {
    for (const std::string& each : elements(map)) {
      const auto [key, rule] = element_of(each);
      const auto parts = parts_of(key);
      if (parts.size() == 4 && holds(parts[0], packet_.source) && holds(parts[1], packet_.destination) &&
          parts[2] == protocol_text() && holds_port(parts[3], packet_.port))
        return permit(chain, map, rule);
    }
    return std::nullopt;
  }

  TableAnswer permit(const std::string& chain, const std::string& map, std::string_view rule) const {
    TableAnswer answer = pass(chain + ": " + map + digit_);
    answer.rule = number_of(rule, 16);
    return answer;
  }

  const RuleSet& table_;
  const FirstPacket& packet_;
  char digit_;
};

}  // namespace

TableAnswer before_routing(const RuleSet& table, const FirstPacket& packet) {
  return Walk(table, packet).before_routing();
}

TableAnswer forwarded(const RuleSet& table, const FirstPacket& packet, Side to) {
  return Walk(table, packet).forwarded(to);
}

}  // namespace firewall
