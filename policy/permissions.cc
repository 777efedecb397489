// Design 9: may_use, exchanges and inside_may_reach become rows. A row that would name something unknown is never made.
#include "policy/permissions.h"

#include <algorithm>

#include "policy/rule_numbers.h"

namespace policy {
namespace {

template <class Item, class ItemName>
const Item* find_by_name(const std::vector<Item>& items, const ItemName& name) {
  const auto at = std::lower_bound(items.begin(), items.end(), name,
                                   [](const Item& item, const ItemName& wanted) { return item.name < wanted; });
  return at != items.end() && at->name == name ? &*at : nullptr;
}

std::vector<Prefix> hosts(const std::vector<IpAddress>& addresses) {
  std::vector<Prefix> out;
  out.reserve(addresses.size());
  for (const IpAddress& address : addresses) out.push_back(Prefix::host(address));
  return out;
}

ServicePort for_family(ServicePort port, const IpAddress& destination) {
  if (port.protocol == config::value::IpProtocol::kIcmp && !destination.is_v4())
    port.protocol = config::value::IpProtocol::kIcmpV6;
  return port;
}

std::string indexed(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

}  // namespace

const config::Facility* find_facility(const config::GatewayConfig& config, const FacilityName& name) {
  return find_by_name(config.facilities, name);
}

const config::Service* find_service(const config::GatewayConfig& config, const config::ServiceName& name) {
  return find_by_name(config.services, name);
}

const config::Offer* find_offer(const config::Facility& facility, const config::OfferName& name) {
  return find_by_name(facility.offers, name);
}

std::vector<Prefix> seen_networks(const config::Facility& facility) {
  std::vector<Prefix> out;
  for (const config::Network& network : facility.networks) out.push_back(network.seen_as);
  return out;
}

std::optional<IpAddress> seen_address(const config::Facility& facility, const IpAddress& real) {
  for (const config::Network& network : facility.networks)
    if (network.real.contains(real)) return config::value::translate(real, network.real, network.seen_as);
  return std::nullopt;
}

std::vector<IpAddress> seen_addresses(const config::Facility& facility, const config::Offer& offer) {
  std::vector<IpAddress> out;
  for (const IpAddress& real : offer.addresses)
    if (const auto seen = seen_address(facility, real)) out.push_back(*seen);
  return out;
}

PermissionBuilder::PermissionBuilder(const config::GatewayConfig& config, WallTime now) : config_(config), now_(now) {}

void PermissionBuilder::add_services() {
  for (const config::Facility& facility : config_.facilities)
    for (std::size_t i = 0; i < facility.may_use.size(); ++i) add_facility_service(facility, i);
}

void PermissionBuilder::add_facility_service(const config::Facility& facility, std::size_t index) {
  const config::Service* service = find_service(config_, facility.may_use[index]);
  if (service == nullptr) return;
  const config::Position at = index < facility.may_use_at.size() ? facility.may_use_at[index] : facility.at;
  const std::string key = indexed("facilities." + facility.name.text + ".may_use", index);
  Permission form;
  form.kind = PermissionKind::kService;
  form.from_facility = facility.name;
  form.name = service->name.text;
  if (add_line(at, key, form, seen_networks(facility), service->addresses, service->ports) == 0)
    warn(at, key, facility.name.text + " and " + service->name.text + " have no address family in common",
         "give the service an address, or the facility a network, of the other's family");
}

void PermissionBuilder::add_exchanges() {
  for (std::size_t i = 0; i < config_.exchanges.size(); ++i) add_exchange(config_.exchanges[i], i);
}

void PermissionBuilder::add_exchange(const config::Exchange& exchange, std::size_t index) {
  const config::Facility* from = find_facility(config_, exchange.from);
  const config::Facility* to = find_facility(config_, exchange.to);
  const config::Offer* offer = to == nullptr ? nullptr : find_offer(*to, exchange.offer);
  if (from == nullptr || offer == nullptr || from == to) return;
  const std::string key = indexed("exchanges", index);
  if (exchange.until <= now_) {  // "not valid from then on": the end itself is outside
    warn(exchange.at, key, "the exchange " + from->name.text + " -> " + to->name.text + " has ended and is left out",
         "remove it, or agree on a new end date");
    return;
  }
  if (!next_change_ || exchange.until < *next_change_) next_change_ = exchange.until;
  Permission form;
  form.kind = PermissionKind::kExchange;
  form.from_facility = from->name;
  form.to_facility = to->name;
  form.until = exchange.until;
  form.name = to->name.text + "/" + offer->name.text;
  if (add_line(exchange.at, key, form, seen_networks(*from), seen_addresses(*to, *offer), offer->ports) == 0)
    warn(exchange.at, key, from->name.text + " and " + form.name + " have no address family in common", "");
}

void PermissionBuilder::add_inside() {
  for (std::size_t i = 0; i < config_.inside_may_reach.size(); ++i) {
    const config::InsideMayReach& line = config_.inside_may_reach[i];
    const config::Service* service = find_service(config_, line.service);
    const config::Facility* facility = find_facility(config_, line.facility);
    const config::Offer* offer = facility == nullptr ? nullptr : find_offer(*facility, line.offer);
    if (service == nullptr || offer == nullptr) continue;
    const std::string key = indexed("inside_may_reach", i);
    Permission form;
    form.kind = PermissionKind::kInside;
    form.to_facility = facility->name;
    form.name = facility->name.text + "/" + offer->name.text;
    if (add_line(line.at, key, form, hosts(service->addresses), seen_addresses(*facility, *offer), offer->ports) == 0)
      warn(line.at, key, service->name.text + " and " + form.name + " have no address family in common", "");
  }
}

std::size_t PermissionBuilder::add_line(const config::Position& at, const std::string& key_path, Permission form,
                                        const std::vector<Prefix>& sources, const std::vector<IpAddress>& destinations,
                                        const std::vector<ServicePort>& ports) {
  form.origin = place(key_path, at);
  const std::size_t begin = rows_.size();
  const std::size_t made = add_pairs(form, sources, destinations, ports);
  lines_.push_back({at, key_path, begin, begin + made});
  return made;
}

std::size_t PermissionBuilder::add_pairs(const Permission& form, const std::vector<Prefix>& sources,
                                         const std::vector<IpAddress>& destinations,
                                         const std::vector<ServicePort>& ports) {
  const std::size_t before = rows_.size();
  if (before + sources.size() * destinations.size() * ports.size() > rows_.capacity())
    rows_.reserve(std::max(2 * rows_.capacity(), before + sources.size() * destinations.size() * ports.size()));
  for (const Prefix& source : sources) {
    for (const IpAddress& destination : destinations) {
      if (source.address().family() != destination.family()) continue;
      for (const ServicePort& port : ports) {
        Permission& row = rows_.emplace_back(form);
        row.source = source;
        row.destination = Prefix::host(destination);
        row.port = for_family(port, destination);
      }
    }
  }
  return rows_.size() - before;
}

std::vector<Permission> PermissionBuilder::take() {
  for (auto& found : {shadowed(rows_, lines_), unreachable(config_, rows_, lines_)})
    diagnostics_.insert(diagnostics_.end(), found.begin(), found.end());
  number_rows(rows_);
  return std::move(rows_);
}

void PermissionBuilder::warn(const config::Position& at, std::string key_path, std::string message, std::string hint) {
  diagnostics_.push_back({.severity = config::Severity::kWarning,
                          .at = at,
                          .key_path = std::move(key_path),
                          .message = std::move(message),
                          .hint = std::move(hint),
                          .also = {}});
}

std::string PermissionBuilder::place(const std::string& key_path, const config::Position& at) const {
  const std::string file = at.file < config_.files.size() ? config_.files[at.file] : "?";
  return key_path + " (" + file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ")";
}

}  // namespace policy
