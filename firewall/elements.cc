#include "firewall/elements.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "firewall/numbers.h"

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
  std::unordered_map<RangeKey, std::vector<const Permission*>, RangeHash> ranges_;
};

}  // namespace

std::vector<Set> sets_of(const policy::Plan& plan) {
  return SetBuilder(plan).take();
}

}  // namespace firewall
