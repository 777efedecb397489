#include "firewall/elements.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace firewall {
namespace {

using config::value::Family;
using config::value::IpAddress;
using config::value::IpProtocol;
using config::value::Prefix;
using policy::Permission;
using policy::PermissionKind;

std::string hex(std::uint32_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "0x00000000";
  for (std::size_t i = 0; i < 8; ++i) out[9 - i] = kDigits[number >> (4 * i) & 0xf];
  return out;
}

// As nft lists it: a host without its length.
std::string nft_text(const Prefix& prefix) {
  return prefix.is_host() ? prefix.address().to_string() : prefix.to_string();
}

std::string nft_text(IpProtocol protocol) {
  return protocol == IpProtocol::kTcp ? "tcp" : "udp";
}

std::string stem(PermissionKind kind) {
  switch (kind) {
    case PermissionKind::kService:
      return "service";
    case PermissionKind::kExchange:
      return "exchange";
    case PermissionKind::kInside:
      return "inside";
  }
  return "service";
}

// The sets of rule . facility that a row is in, by what the facility does in it.
constexpr const char* kPartySets[] = {"ends_service", "ends_inside", "opens_exchange", "answers_exchange"};

char digit(const Prefix& prefix) {
  return prefix.address().is_v4() ? '4' : '6';
}

// The class of a network: its own address for IPv4 (networks do not overlap, so it is unique), else folded from the
// content. 0 is "no class"; a class that is taken moves on, in the networks' order.
class ClassNumbers {
 public:
  void add(const Prefix& network) {
    std::uint32_t number = 2166136261U;
    for (const std::uint8_t octet : network.address().octets()) number = (number ^ octet) * 16777619U;
    if (network.address().is_v4()) {
      number = 0;
      for (const std::uint8_t octet : network.address().octets()) number = number << 8 | octet;
    }
    auto& taken = network.address().is_v4() ? taken_v4_ : taken_v6_;
    while (number == 0 || !taken.insert(number).second) ++number;
    numbers_.emplace(network, number);
  }
  [[nodiscard]] const std::map<Prefix, std::uint32_t>& all() const { return numbers_; }

 private:
  std::map<Prefix, std::uint32_t> numbers_;
  std::unordered_set<std::uint32_t> taken_v4_;
  std::unordered_set<std::uint32_t> taken_v6_;
};

// The number of a facility: folded from its name. 0 is "no facility"; a number that is taken moves on.
class FacilityNumbers {
 public:
  std::uint32_t add(const policy::FacilityName& name) {
    std::uint32_t number = 2166136261U;
    for (const char letter : name.text) number = (number ^ static_cast<std::uint8_t>(letter)) * 16777619U;
    while (number == 0 || !taken_.insert(number).second) ++number;
    return numbers_[name] = number;
  }
  // 0 for a name that was never added.
  [[nodiscard]] std::uint32_t of(const policy::FacilityName& name) const {
    const auto at = numbers_.find(name);
    return at == numbers_.end() ? 0 : at->second;
  }

 private:
  std::map<policy::FacilityName, std::uint32_t> numbers_;
  std::unordered_set<std::uint32_t> taken_;
};

class SetBuilder {
 public:
  explicit SetBuilder(const policy::Plan& plan) {
    declare();
    for (const policy::FacilityPlan& facility : plan.facilities) {
      const std::string site = " : " + hex(facilities_.add(facility.name));
      for (const policy::NetworkMap& network : facility.networks) {
        networks_.insert(network.seen);
        put(std::string("site") + digit(network.seen), nft_text(network.seen) + site);
      }
    }
    for (const Prefix& network : networks_) classes_.add(network);
    for (const auto& [network, number] : classes_.all()) {
      put(std::string("facility") + digit(network), nft_text(network));
      put(std::string("class") + digit(network), nft_text(network) + " : " + hex(number));
    }
    for (const Permission& row : plan.permissions) add(row);
    add_ranges();
  }

  std::vector<Set> take() {
    std::vector<Set> out;
    for (auto& [name, set] : sets_) {
      std::sort(set.elements.begin(), set.elements.end());
      set.elements.erase(std::unique(set.elements.begin(), set.elements.end()), set.elements.end());
      out.push_back(std::move(set));
    }
    return out;
  }

 private:
  struct RangeKey {  // rows whose ranges would overlap in the kernel's map
    PermissionKind kind;
    std::string key;
    IpProtocol protocol;
    char digit;
    friend auto operator<=>(const RangeKey&, const RangeKey&) = default;
  };

  void declare(const std::string& name, const std::string& kind, const std::string& type, const std::string& flags) {
    sets_[name] = Set{name, kind, type, flags, {}};
  }

  void declare() {
    for (const char* name : kPartySets) declare(name, "set", "mark . mark", "");
    for (const char version : {'4', '6'}) {
      const std::string address = std::string("ipv") + version + "_addr";
      declare(std::string("facility") + version, "set", address, "interval");
      declare(std::string("reach") + version, "set", address, "");
      declare(std::string("class") + version, "map", address + " : mark", "interval");
      declare(std::string("site") + version, "map", address + " : mark", "interval");
      for (const std::string kind : {"service", "exchange", "inside"}) {
        const std::string ends = (kind == "inside" ? address : "mark") + " . " + address;
        const std::string range = address + " . " + address + " . inet_proto . inet_service : mark";
        declare(kind + version, "map", ends + " . inet_proto . inet_service : mark", "");
        declare(kind + "_range" + version, "map", range, "interval");
        declare(kind + "_echo" + version, "map", ends + " : mark", "");
      }
    }
  }

  void put(const std::string& set, std::string element) { sets_[set].elements.push_back(std::move(element)); }

  // "source . destination" in the form of the row's map; empty when the row cannot be said (its source is no network).
  std::string ends_of(const Permission& row) const {
    if (!row.destination.is_host()) return "";
    const std::string destination = " . " + row.destination.address().to_string();
    if (row.kind == PermissionKind::kInside)
      return row.source.is_host() ? row.source.address().to_string() + destination : "";
    const auto at = classes_.all().find(row.source);
    return at == classes_.all().end() ? "" : hex(at->second) + destination;
  }

  void put_party(const std::string& set, const Permission& row, const policy::FacilityName& name) {
    if (const std::uint32_t number = facilities_.of(name); number != 0)
      put(set, hex(row.rule.number) + " . " + hex(number));
  }

  void add_parties(const Permission& row) {
    switch (row.kind) {
      case PermissionKind::kService:
        return put_party("ends_service", row, row.from_facility);
      case PermissionKind::kInside:
        return put_party("ends_inside", row, row.to_facility);
      case PermissionKind::kExchange:
        put_party("opens_exchange", row, row.from_facility);
        return put_party("answers_exchange", row, row.to_facility);
    }
  }

  void add(const Permission& row) {
    const std::string ends = ends_of(row);
    if (ends.empty()) return;  // fails closed: a row that has no exact form opens nothing
    add_parties(row);
    if (row.kind == PermissionKind::kService)
      put(std::string("reach") + digit(row.destination), row.destination.address().to_string());
    if (row.kind == PermissionKind::kInside) put(std::string("reach") + digit(row.source), nft_text(row.source));
    const std::string value = " : " + hex(row.rule.number);
    if (!row.port.has_ports()) {
      put(stem(row.kind) + "_echo" + digit(row.destination), ends + value);
    } else if (row.port.first == row.port.last) {
      put(stem(row.kind) + digit(row.destination),
          ends + " . " + nft_text(row.port.protocol) + " . " + std::to_string(row.port.first) + value);
    } else {
      // No class here: nft 1.0.6 lists a mark inside a concatenated interval with its octets turned round now and then.
      const std::string plain = nft_text(row.source) + " . " + row.destination.address().to_string();
      ranges_[{row.kind, plain, row.port.protocol, digit(row.destination)}].push_back(&row);
    }
  }

  // The kernel refuses overlapping intervals. The row that begins first keeps its ports, the next what is left of its
  // own.
  void add_ranges() {
    for (auto& [key, rows] : ranges_) {
      std::sort(rows.begin(), rows.end(), [](const Permission* a, const Permission* b) {
        return std::tie(a->port, a->rule) < std::tie(b->port, b->rule);
      });
      std::uint32_t next = 0;  // lowest port not yet given
      for (const Permission* row : rows) {
        const std::uint32_t first = std::max<std::uint32_t>(row->port.first, next);
        if (first > row->port.last) continue;
        const std::string ports = first == row->port.last
                                      ? std::to_string(first)
                                      : std::to_string(first) + "-" + std::to_string(row->port.last);
        put(stem(key.kind) + "_range" + key.digit,
            key.key + " . " + nft_text(key.protocol) + " . " + ports + " : " + hex(row->rule.number));
        next = std::uint32_t{row->port.last} + 1;
      }
    }
  }

  std::set<Prefix> networks_;
  ClassNumbers classes_;
  FacilityNumbers facilities_;
  std::map<std::string, Set> sets_;
  std::map<RangeKey, std::vector<const Permission*>> ranges_;
};

}  // namespace

std::vector<Set> sets_of(const policy::Plan& plan) {
  return SetBuilder(plan).take();
}

}  // namespace firewall
