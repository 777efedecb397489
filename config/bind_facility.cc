// One entry of "facilities", without its tunnel (bind_tunnel.cc).
#include <fmt/format.h>

#include "config/bind.h"
#include "config/limits.h"
#include "config/object_reader.h"
#include "config/text_forms.h"

namespace config {
namespace {

std::string bind_name(const Member& member, Report& report) {
  auto name = NameText::parse(member.key);
  if (!name) report.error(member.at, std::move(name).error());
  return member.key;
}

// "10.1.0.0/24" or { "real": ..., "seen_as": ... }.
std::optional<Network> bind_network(const Node& node, Report& report) {
  if (node.kind == Kind::kString) {
    const auto plain = parse_text<FacilityNetwork>(node, report);
    if (!plain) return std::nullopt;
    return Network{plain->prefix, plain->prefix, node.at};
  }
  if (node.kind != Kind::kObject) {
    report.error(node.at, fmt::format("expected a string or an object, found {}", with_article(node.kind)),
                 "\"10.1.0.0/24\" or { \"real\": \"192.168.1.0/24\", \"seen_as\": \"100.64.1.0/24\" }");
    return std::nullopt;
  }
  ObjectReader reader(node, keys::kNetwork, report);
  const auto real = reader.parsed<FacilityNetwork>("real", Presence::kRequired);
  const auto seen = reader.parsed<FacilityNetwork>("seen_as", Presence::kRequired);
  if (!real || !seen) return std::nullopt;
  const bool alike = real->prefix.length() == seen->prefix.length() &&
                     real->prefix.address().family() == seen->prefix.address().family();
  if (alike) return Network{real->prefix, seen->prefix, node.at};
  report.error(report.below(node.at, {"seen_as"}),
               fmt::format("{} cannot stand for {}: each address has exactly one counterpart", seen->prefix.to_string(),
                           real->prefix.to_string()),
               "both have the same address family and the same length");
  return std::nullopt;
}

void bind_networks(ObjectReader& reader, Facility& facility, Report& report) {
  const Node* list = reader.value("networks", Kind::kArray, Presence::kRequired);
  if (list == nullptr) return;
  if (list->items.empty()) report.error(list->at, "this list is empty", "a facility has at least one network");
  if (list->items.size() > kMaxNetworks) {
    report.error(list->at,
                 fmt::format("{} networks are too many; at most {} are allowed", list->items.size(), kMaxNetworks));
    return;
  }
  for (const auto& item : list->items)
    if (const auto network = bind_network(item, report)) facility.networks.push_back(*network);
}

void bind_may_use(ObjectReader& reader, Facility& facility, Report& report) {
  const Node* list = reader.value("may_use", Kind::kArray, Presence::kOptional);
  if (list == nullptr) return;
  if (list->items.size() > kMaxMayUse) {
    report.error(list->at,
                 fmt::format("{} services are too many; at most {} are allowed", list->items.size(), kMaxMayUse));
    return;
  }
  for (const auto& item : list->items) {
    const auto name = parse_text<NameText>(item, report);
    if (!name) continue;
    facility.may_use.push_back({name->text});
    facility.may_use_at.push_back(item.at);
  }
}

Offer bind_offer(const Member& member, Report& report) {
  ObjectReader reader(member.value, keys::kOffer, report);
  Offer offer;
  offer.at = member.at;
  offer.name.text = bind_name(member, report);
  offer.title = reader.text("title", Presence::kOptional);
  for (const auto& host : reader.parsed_list<HostAddress>("addresses", kMaxAddresses, Presence::kRequired))
    offer.addresses.push_back(host.address);
  offer.ports = reader.parsed_list<ServicePort>("ports", kMaxPorts, Presence::kRequired);
  return offer;
}

void bind_offers(ObjectReader& reader, Facility& facility, Report& report) {
  const Node* offers = reader.value("offers", Kind::kObject, Presence::kOptional);
  if (offers == nullptr) return;
  if (offers->members.size() > kMaxOffers) {
    report.error(offers->at,
                 fmt::format("{} offers are too many; at most {} are allowed", offers->members.size(), kMaxOffers));
    return;
  }
  for (const auto& offer : offers->members) facility.offers.push_back(bind_offer(offer, report));
}

}  // namespace

Facility bind_facility(const Member& member, Report& report) {
  ObjectReader reader(member.value, keys::kFacility, report);
  Facility facility;
  facility.at = member.at;
  facility.name.text = bind_name(member, report);
  facility.title = reader.text("title", Presence::kOptional);
  const auto role = reader.choice("role", {"disclosing", "viewing"}, Presence::kRequired);
  facility.role = role == 0 ? Role::kDisclosing : Role::kViewing;
  facility.software_client = reader.boolean("software_client", Presence::kOptional).value_or(false);
  bind_networks(reader, facility, report);
  bind_may_use(reader, facility, report);
  bind_offers(reader, facility, report);
  if (const Node* tunnel = reader.value("tunnel", Presence::kRequired)) facility.tunnel = bind_tunnel(*tunnel, report);
  return facility;
}

}  // namespace config
