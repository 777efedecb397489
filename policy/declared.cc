#include "policy/declared.h"

#include <algorithm>
#include <map>

namespace policy {
namespace {

using config::Facility;
using config::GatewayConfig;
using config::value::ServicePort;

// By name, each built once.
struct Names {
  std::map<std::string, const config::Service*> services;
  std::map<std::string, const Facility*> facilities;

  explicit Names(const GatewayConfig& config) {
    for (const auto& service : config.services) services[service.name.text] = &service;
    for (const auto& facility : config.facilities) facilities[facility.name.text] = &facility;
  }
};

std::vector<AddressRange> seen_ranges(const Facility& facility) {
  std::vector<AddressRange> out;
  for (const auto& network : facility.networks) out.push_back(range_of(network.seen_as));
  return out;
}

std::vector<AddressRange> single(const std::vector<IpAddress>& addresses) {
  std::vector<AddressRange> out;
  for (const IpAddress& address : addresses) out.push_back({address, address});
  return out;
}

// The offer's hosts under the addresses that everybody sees them by.
std::vector<AddressRange> offered(const Facility& facility, const config::Offer& offer) {
  std::vector<IpAddress> seen;
  for (const IpAddress& real : offer.addresses)
    for (const auto& network : facility.networks) {
      if (!network.real.contains(real)) continue;
      seen.push_back(config::value::translate(real, network.real, network.seen_as));
      break;
    }
  return single(seen);
}

void add(const std::vector<AddressRange>& sources, const std::vector<AddressRange>& destinations,
         const std::vector<ServicePort>& ports, std::vector<PacketBox>& out) {
  for (const AddressRange& source : sources)
    for (const AddressRange& destination : destinations)
      for (const ServicePort& port : ports)
        if (source.first.family() == destination.first.family()) out.push_back(box_of(source, destination, port));
}

const config::Offer* offer_of(const Facility& facility, const config::OfferName& name) {
  const auto found = std::ranges::find(facility.offers, name, &config::Offer::name);
  return found == facility.offers.end() ? nullptr : &*found;
}

struct Boxes {
  std::vector<PacketBox> to_inside, between, from_inside;
};

Declared finished(std::vector<DeclaredFacility> facilities, Boxes boxes) {
  std::vector<AddressRange> networks;
  for (const DeclaredFacility& facility : facilities)
    networks.insert(networks.end(), facility.networks.begin(), facility.networks.end());
  const auto nobody = no_hosts(networks);
  const PacketSet left_out = PacketSet::from(nobody) | PacketSet::to(nobody);
  const DeclaredPackets all{PacketSet::of(std::move(boxes.to_inside)), PacketSet::of(std::move(boxes.between)),
                            PacketSet::of(std::move(boxes.from_inside))};
  return {std::move(facilities), {all.to_inside - left_out, all.between - left_out, all.from_inside - left_out}, all};
}

}  // namespace

Declared declared(const GatewayConfig& config, WallTime now) {
  const Names names(config);
  std::vector<DeclaredFacility> facilities;
  Boxes boxes;
  for (const Facility& facility : config.facilities) {
    facilities.push_back({facility.name, seen_ranges(facility)});
    for (const auto& used : facility.may_use)
      if (const auto service = names.services.find(used.text); service != names.services.end())
        add(facilities.back().networks, single(service->second->addresses), service->second->ports, boxes.to_inside);
  }
  for (const auto& exchange : config.exchanges) {
    const auto from = names.facilities.find(exchange.from.text), to = names.facilities.find(exchange.to.text);
    if (from == names.facilities.end() || to == names.facilities.end() || from == to || exchange.until <= now) continue;
    if (const auto* offer = offer_of(*to->second, exchange.offer))
      add(seen_ranges(*from->second), offered(*to->second, *offer), offer->ports, boxes.between);
  }
  for (const auto& line : config.inside_may_reach) {
    const auto service = names.services.find(line.service.text);
    const auto facility = names.facilities.find(line.facility.text);
    if (service == names.services.end() || facility == names.facilities.end()) continue;
    if (const auto* offer = offer_of(*facility->second, line.offer))
      add(single(service->second->addresses), offered(*facility->second, *offer), offer->ports, boxes.from_inside);
  }
  return finished(std::move(facilities), std::move(boxes));
}

Declared declared_by(const Plan& plan, WallTime now) {
  std::vector<DeclaredFacility> facilities;
  for (const FacilityPlan& facility : plan.facilities) {
    facilities.push_back({facility.name, {}});
    for (const NetworkMap& network : facility.networks) facilities.back().networks.push_back(range_of(network.seen));
  }
  Boxes boxes;
  for (const Permission& row : plan.permissions) {
    if (row.until && *row.until <= now) continue;
    auto& to = row.kind == PermissionKind::kService    ? boxes.to_inside
               : row.kind == PermissionKind::kExchange ? boxes.between
                                                       : boxes.from_inside;
    to.push_back(box_of(range_of(row.source), range_of(row.destination), row.port));
  }
  return finished(std::move(facilities), std::move(boxes));
}

std::vector<AddressRange> no_hosts(const std::vector<AddressRange>& networks) {
  std::vector<AddressRange> out;
  for (const AddressRange& network : networks) {
    if (!network.first.is_v4()) continue;
    const auto first = network.first.octets(), last = network.last.octets();
    const bool three = std::equal(first.begin(), first.end() - 1, last.begin());
    if (three && last[3] - first[3] < 3) continue;  // one or two hosts: RFC 3021
    out.push_back({network.first, network.first});
    out.push_back({network.last, network.last});
  }
  return out;
}

}  // namespace policy
