#include "firewall/elements.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "firewall/numbers.h"
#include "policy/prefix_hash.h"

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

// Outer addresses that facilities are known to come from. The kernel refuses intervals that overlap: of nested
// prefixes, which several facilities behind one carrier may well have, only the widest stays.
std::vector<Prefix> outermost_sources(const policy::Plan& plan) {
  std::set<Prefix> all;
  for (const policy::FacilityPlan& facility : plan.facilities)
    all.insert(facility.sources.begin(), facility.sources.end());
  std::vector<Prefix> out;
  for (const Prefix& one : all)  // a wider one sorts before those inside it
    if (out.empty() || !out.back().contains(one)) out.push_back(one);
  return out;
}

char digit(const Prefix& prefix) {
  return prefix.address().is_v4() ? '4' : '6';
}

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
    for (const Prefix& source : outermost_sources(plan)) put(std::string("source") + digit(source), nft_text(source));
    for (const Prefix& network : networks_) classes_.add(network);
    for (const auto& [network, number] : classes_.all()) {
      put(std::string("facility") + digit(network), nft_text(network));
      put(std::string("class") + digit(network), nft_text(network) + " : " + hex(number));
      class_of_.emplace(network, number);
    }
    for (const Permission& row : plan.permissions) add(row);
    add_parties();
    add_ranges();
  }

  std::vector<Set> take() {
    std::vector<Set> out;
    for (auto& [name, set] : sets_) {
      if (!std::is_sorted(set.elements.begin(), set.elements.end()))
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
    friend bool operator==(const RangeKey&, const RangeKey&) = default;
  };
  struct RangeHash {
    std::size_t operator()(const RangeKey& of) const {
      return std::hash<std::string>()(of.key) ^ (std::size_t{static_cast<std::uint8_t>(of.kind)} << 8 |
                                                 std::size_t{static_cast<std::uint8_t>(of.protocol)});
    }
  };

  void declare(const std::string& name, const std::string& kind, const std::string& type, const std::string& flags,
               const std::string& limits = "") {
    sets_[name] = Set{name, kind, type, flags, {}, limits};
  }

  void declare() {
    for (const char* name : kPartySets) declare(name, "set", "mark . mark", "");
    declare("flows", "set", "mark", "dynamic", "size 65535;");
    for (const char version : {'4', '6'}) {
      const std::string address = std::string("ipv") + version + "_addr";
      declare(std::string("facility") + version, "set", address, "interval");
      declare(std::string("reach") + version, "set", address, "");
      declare(std::string("source") + version, "set", address, "interval");
      declare(std::string("fragments") + version, "set", address, "dynamic,timeout", "size 65535; timeout 10s;");
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

  // Of the sets that get an element for each row.
  Set& of_kind(const char* sort, PermissionKind kind, char version) {
    Set*& known = of_kind_[{sort, kind, version}];
    if (known == nullptr) known = &sets_[stem(kind) + sort + version];
    return *known;
  }

  // Few addresses stand in many rows.
  const std::string& text_of(const IpAddress& address) const {
    std::string& known = texts_[address];
    if (known.empty()) known = address.to_string();
    return known;
  }

  // "source . destination" in the form of the row's map; empty when the row cannot be said (its source is no network).
  std::string ends_of(const Permission& row) const {
    if (!row.destination.is_host()) return "";
    std::string out;
    if (row.kind == PermissionKind::kInside) {
      if (!row.source.is_host()) return "";
      out = text_of(row.source.address());
    } else {
      const auto at = class_of_.find(row.source);
      if (at == class_of_.end()) return "";
      out = hex(at->second);
    }
    out.reserve(out.size() + 40);
    return out.append(" . ").append(text_of(row.destination.address()));
  }

  void put_party(std::size_t set, const Permission& row, const policy::FacilityName& name) {
    const std::uint32_t number = number_of(name);
    if (number != 0) parties_[set].push_back(std::uint64_t{row.rule.number} << 32 | number);
  }

  std::uint32_t number_of(const policy::FacilityName& name) {
    const auto [at, fresh] = number_of_.try_emplace(name.text);
    if (fresh) at->second = facilities_.of(name);
    return at->second;
  }

  // By numbers, as their texts sort.
  void add_parties() {
    for (std::size_t i = 0; i < parties_.size(); ++i) {
      std::sort(parties_[i].begin(), parties_[i].end());
      auto& elements = sets_[kPartySets[i]].elements;
      elements.reserve(parties_[i].size());
      for (const std::uint64_t party : parties_[i])
        elements.push_back(hex(static_cast<std::uint32_t>(party >> 32)) + " . " +
                           hex(static_cast<std::uint32_t>(party)));
    }
  }

  void put_reach(const IpAddress& address) {
    if (reached_.insert(address).second) put(std::string("reach") + (address.is_v4() ? '4' : '6'), address.to_string());
  }

  void add_parties(const Permission& row) {
    switch (row.kind) {
      case PermissionKind::kService:
        return put_party(0, row, row.from_facility);
      case PermissionKind::kInside:
        return put_party(1, row, row.to_facility);
      case PermissionKind::kExchange:
        put_party(2, row, row.from_facility);
        return put_party(3, row, row.to_facility);
    }
  }

  void add(const Permission& row) {
    std::string ends = ends_of(row);
    if (ends.empty()) return;  // fails closed: a row that has no exact form opens nothing
    add_parties(row);
    if (row.kind == PermissionKind::kService) put_reach(row.destination.address());
    if (row.kind == PermissionKind::kInside) put_reach(row.source.address());  // a host: else it has no ends
    const char version = digit(row.destination);
    if (!row.port.has_ports()) {
      ends.append(" : ").append(hex(row.rule.number));
      of_kind("_echo", row.kind, version).elements.push_back(std::move(ends));
    } else if (row.port.first == row.port.last) {
      ends.append(" . ").append(nft_text(row.port.protocol)).append(" . ").append(std::to_string(row.port.first));
      ends.append(" : ").append(hex(row.rule.number));
      of_kind("", row.kind, version).elements.push_back(std::move(ends));
    } else {
      // No class here: nft 1.0.6 lists a mark inside a concatenated interval with its octets turned round now and then.
      const std::string plain = source_text(row.source) + " . " + text_of(row.destination.address());
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

  const std::string& source_text(const Prefix& prefix) {
    std::string& known = source_texts_[prefix];
    if (known.empty()) known = nft_text(prefix);
    return known;
  }

  std::map<std::tuple<const char*, PermissionKind, char>, Set*> of_kind_;
  mutable std::unordered_map<IpAddress, std::string, config::value::AddressHash> texts_;
  std::unordered_map<Prefix, std::string, policy::PrefixHash> source_texts_;
  std::unordered_map<Prefix, std::uint32_t, policy::PrefixHash> class_of_;
  std::unordered_map<std::string, std::uint32_t> number_of_;
  std::unordered_set<IpAddress, config::value::AddressHash> reached_;
  std::array<std::vector<std::uint64_t>, 4> parties_;  // rule << 32 | facility, by kPartySets
  std::set<Prefix> networks_;
  ClassNumbers classes_;
  FacilityNumbers facilities_;
  std::map<std::string, Set> sets_;
  std::unordered_map<RangeKey, std::vector<const Permission*>, RangeHash> ranges_;
};

}  // namespace

std::vector<Set> sets_of(const policy::Plan& plan) {
  return SetBuilder(plan).take();
}

// The numbers of classes and facilities come from all of them, whatever the rows.
std::vector<Set> elements_of_parties(const policy::Plan& plan, const std::vector<policy::FacilityName>& parties) {
  const std::set<policy::FacilityName> names(parties.begin(), parties.end());
  policy::Plan some;
  some.facilities = plan.facilities;
  std::ranges::copy_if(plan.permissions, std::back_inserter(some.permissions), [&](const Permission& row) {
    return names.contains(row.from_facility) || names.contains(row.to_facility);
  });
  auto sets = sets_of(some);
  std::erase_if(sets, [](const Set& set) {
    constexpr const char* kOfOthersToo[] = {"facility", "reach", "source", "fragments", "class", "site", "flows"};
    return std::ranges::any_of(kOfOthersToo, [&](const char* stem) { return set.name.starts_with(stem); });
  });
  return sets;
}

}  // namespace firewall
