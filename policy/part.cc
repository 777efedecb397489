#include "policy/part.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "policy/decide.h"

namespace policy {
namespace {

class Part {
 public:
  Part(const Plan& plan, const std::vector<IpAddress>& ends) : plan_(plan) {
    for (const IpAddress& end : ends) {
      const FacilityPlan* found = facility_of(plan, end);
      ends_.push_back({end, found == nullptr ? nullptr : &found->name});
    }
  }

  Plan take() {
    take_gateway();
    for (const Permission& row : plan_.permissions)
      if (has_a_say(row)) add(row);
    for (const FacilityPlan& facility : plan_.facilities)
      if (holds_an_end(facility) || named_.contains(facility.name)) part_.facilities.push_back(facility);
    for (const Route& route : plan_.routes)
      if (holds_an_end(route.destination)) part_.routes.push_back(route);
    return std::move(part_);
  }

 private:
  struct End {
    IpAddress address;
    const FacilityName* holder = nullptr;        // whose network has it
    std::array<std::array<bool, 2>, 3> known{};  // a row is there already, by kind and side
  };

  void take_gateway() {
    part_.gateway_name = plan_.gateway_name;
    part_.outside_interface = plan_.outside_interface;
    part_.outside_addresses = plan_.outside_addresses;
    part_.wireguard_port = plan_.wireguard_port;
    part_.gateway_key = plan_.gateway_key;
    part_.ikev2 = plan_.ikev2;
    part_.crypto_profile = plan_.crypto_profile;
    part_.certificate_file = plan_.certificate_file;
    part_.signing_key = plan_.signing_key;
    part_.inside_interface = plan_.inside_interface;
    part_.tunnel_mtu = plan_.tunnel_mtu;
    part_.offloads = plan_.offloads;
    part_.live = plan_.live;
    part_.rules = plan_.rules;
  }

  void add(const Permission& row) {
    part_.permissions.push_back(row);
    for (const FacilityName* name : {&row.from_facility, &row.to_facility})
      if (!name->text.empty()) named_.insert(*name);
  }

  bool holds_an_end(const Prefix& prefix) const {
    return std::ranges::any_of(ends_, [&](const End& end) { return prefix.contains(end.address); });
  }
  bool holds_an_end(const FacilityPlan& facility) const {
    return std::ranges::any_of(facility.networks, [this](const NetworkMap& map) { return holds_an_end(map.seen); });
  }

  // That an address is one that something is open to, or from, is known by any row.
  bool has_a_say(const Permission& row) {
    bool source = false, destination = false, first = false;
    for (End& end : ends_) {
      auto& known = end.known[static_cast<std::size_t>(row.kind)];
      if (row.destination.contains(end.address)) destination = true, first = first || !std::exchange(known[0], true);
      if (row.source.contains(end.address)) source = true, first = first || !std::exchange(known[1], true);
    }
    return first || (source && destination) || (destination && is_holder(row.from_facility)) ||
           (source && is_holder(row.to_facility));
  }

  bool is_holder(const FacilityName& name) const {
    return std::ranges::any_of(ends_, [&](const End& end) { return end.holder != nullptr && *end.holder == name; });
  }

  const Plan& plan_;
  std::vector<End> ends_;
  std::set<FacilityName> named_;
  Plan part_;
};

}  // namespace

Plan part_about(const Plan& plan, const std::vector<IpAddress>& ends) {
  return Part(plan, ends).take();
}

}  // namespace policy
