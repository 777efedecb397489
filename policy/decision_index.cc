#include "policy/decision_index.h"

#include <algorithm>
#include <functional>

namespace policy {
namespace {

// A prefix around `address` is sorted before it or begins with it; those that lie side by side end the search.
bool any_contains(const std::vector<Prefix>& sorted, const IpAddress& address) {
  for (std::uint8_t length = 0; length <= address.bits(); ++length)
    if (std::binary_search(sorted.begin(), sorted.end(), Prefix::masked(address, length))) return true;
  return false;
}

}  // namespace

std::size_t DecisionIndex::PairHash::operator()(const Pair& pair) const noexcept {
  const config::value::AddressHash hash;
  const std::size_t ends = hash(pair.source.address()) * 1'000'003 ^ hash(pair.destination.address());
  return (ends * 1'000'003) ^ (std::size_t{pair.source.length()} << 8) ^ pair.destination.length();
}

DecisionIndex::DecisionIndex(const Plan& plan) {
  for (const Permission& row : plan.permissions) {
    rows_[{row.source, row.destination}].push_back(&row);
    lengths_.push_back({row.source.address().family(), row.source.length(), row.destination.length()});
    if (row.kind == PermissionKind::kService) service_side_.push_back(row.destination);
    if (row.kind == PermissionKind::kInside) service_side_.push_back(row.source);
  }
  std::ranges::sort(lengths_);
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
  std::ranges::sort(service_side_);
  service_side_.erase(std::unique(service_side_.begin(), service_side_.end()), service_side_.end());
  for (const FacilityPlan& facility : plan.facilities) {
    by_name_.emplace(facility.name.text, &facility);
    for (const NetworkMap& network : facility.networks) networks_.push_back({network.seen, &facility});
  }
  std::ranges::sort(networks_, {}, &Network::seen);
}

std::vector<const Permission*> DecisionIndex::rows_at(const IpAddress& source, const IpAddress& destination) const {
  std::vector<const Permission*> found;
  if (source.family() != destination.family()) return found;
  for (const Lengths& lengths : lengths_) {
    if (lengths.family != source.family()) continue;
    const auto at =
        rows_.find({Prefix::masked(source, lengths.source), Prefix::masked(destination, lengths.destination)});
    if (at != rows_.end()) found.insert(found.end(), at->second.begin(), at->second.end());
  }
  std::ranges::sort(found, std::less<>());  // of one vector: in its order
  return found;
}

Decision DecisionIndex::decide(const Packet& packet, WallTime now) const {
  if (const auto found = decide_by(rows_at(packet.source, packet.destination), packet, now)) return *found;
  return {without_row(packet), nullptr};
}

const FacilityPlan* DecisionIndex::facility_at(const IpAddress& seen) const {
  const auto after =
      std::ranges::upper_bound(networks_, seen, {}, [](const Network& each) { return each.seen.address(); });
  if (after == networks_.begin()) return nullptr;
  const Network& network = *std::prev(after);
  return network.seen.contains(seen) ? network.facility : nullptr;
}

const FacilityPlan* DecisionIndex::facility_named(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

bool DecisionIndex::is_service_side(const IpAddress& address) const {
  return any_contains(service_side_, address);
}

Reason DecisionIndex::without_row(const Packet& packet) const {
  const bool from_facility = facility_at(packet.source) != nullptr;
  const bool to_facility = facility_at(packet.destination) != nullptr;
  if (from_facility && to_facility) return Reason::kBetweenFacilities;
  if (!from_facility && !is_service_side(packet.source)) return Reason::kUnknownSource;
  if (!to_facility && !is_service_side(packet.destination)) return Reason::kUnknownDestination;
  return Reason::kNotPermitted;
}

}  // namespace policy
