#include "policy/translations.h"

#include <algorithm>

namespace policy {
namespace {

std::string text_of(const Prefix& prefix) {
  return prefix.is_host() ? prefix.address().to_string() : prefix.to_string();
}

}  // namespace

Translations::Translations(const Plan& plan) {
  for (const FacilityPlan& facility : plan.facilities)
    for (const NetworkMap& network : facility.networks)
      if (network.real != network.seen) maps_.push_back(network);
  std::ranges::sort(maps_, {}, &NetworkMap::seen);
}

const NetworkMap* Translations::map_of(const IpAddress& seen) const {
  const auto after =
      std::ranges::upper_bound(maps_, seen, {}, [](const NetworkMap& map) { return map.seen.address(); });
  if (after == maps_.begin()) return nullptr;
  const NetworkMap& map = *std::prev(after);
  return map.seen.contains(seen) ? &map : nullptr;
}

IpAddress Translations::real(const IpAddress& seen) const {
  const auto* map = map_of(seen);
  return map == nullptr ? seen : config::value::translate(seen, map->seen, map->real);
}

Prefix Translations::real(const Prefix& seen) const {
  const auto* map = map_of(seen.address());
  if (map == nullptr || !map->seen.contains(seen)) return seen;
  return Prefix::masked(config::value::translate(seen.address(), map->seen, map->real), seen.length());
}

std::string Translations::text(const Prefix& seen) const {
  return both_text(seen, real(seen));
}

std::string both_text(const Prefix& seen, const Prefix& real) {
  return seen == real ? text_of(seen) : text_of(seen) + " (" + text_of(real) + ")";
}

IpAddress real_address(const Plan& plan, const IpAddress& seen) {
  for (const FacilityPlan& facility : plan.facilities)
    for (const NetworkMap& network : facility.networks)
      if (network.seen.contains(seen)) return config::value::translate(seen, network.seen, network.real);
  return seen;
}

std::optional<IpAddress> seen_address(const FacilityPlan& facility, const IpAddress& real) {
  for (const NetworkMap& network : facility.networks)
    if (network.real.contains(real)) return config::value::translate(real, network.real, network.seen);
  return std::nullopt;
}

}  // namespace policy
