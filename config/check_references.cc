// Names that must lead somewhere.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "config/check.h"

namespace config {
namespace {

template <class Named, class Name>
const Named* find_named(const std::vector<Named>& sorted, const Name& name) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), name,
                                   [](const Named& n, const Name& key) { return n.name < key; });
  return at != sorted.end() && at->name == name ? &*at : nullptr;
}

template <class Named>
std::string suggestion(std::string_view text, const std::vector<Named>& named, const Report& report) {
  if (report.full()) return {};
  std::vector<std::string_view> names;
  for (const auto& one : named) names.push_back(one.name.text);
  return did_you_mean(text, names);
}

template <class Named>
void sort_named(std::vector<Named>& named, std::string_view what, Report& report) {
  std::sort(named.begin(), named.end(), [](const Named& a, const Named& b) {
    return std::tie(a.name, a.at.file, a.at.line, a.at.column) < std::tie(b.name, b.at.file, b.at.line, b.at.column);
  });
  for (std::size_t i = 1; i < named.size(); ++i)
    if (named[i].name == named[i - 1].name)
      report.error(named[i].at, fmt::format("a second {} with the name {}", what, quoted(named[i].name.text)),
                   "each name stands once in all files", {named[i - 1].at});
  // One mistake, one error: the second one would also clash with the first in all its prefixes and keys.
  const auto same_name = [](const Named& a, const Named& b) { return a.name == b.name; };
  named.erase(std::unique(named.begin(), named.end(), same_name), named.end());
}

void check_may_use(const Facility& facility, const GatewayConfig& config, Report& report) {
  std::map<ServiceName, Position> first;
  for (std::size_t i = 0; i < facility.may_use.size(); ++i) {
    const auto& name = facility.may_use[i];
    const auto& at = facility.may_use_at[i];
    if (find_named(config.services, name) == nullptr)
      report.error(at, fmt::format("there is no service {}", quoted(name.text)),
                   suggestion(name.text, config.services, report));
    const auto [known, is_new] = first.emplace(name, at);
    if (!is_new)
      report.error(at, fmt::format("{} stands twice in this list", quoted(name.text)), "keep one of the two",
                   {known->second});
  }
}

const Facility* check_facility(const FacilityName& name, const Position& at, const GatewayConfig& config,
                               Report& report) {
  if (name.text.empty()) return nullptr;  // reported when it was bound
  const auto* facility = find_named(config.facilities, name);
  if (facility == nullptr)
    report.error(at, fmt::format("there is no facility {}", quoted(name.text)),
                 suggestion(name.text, config.facilities, report));
  return facility;
}

void check_offer(const OfferName& name, const Facility* facility, const Position& at, Report& report) {
  if (facility == nullptr || name.text.empty()) return;
  if (find_named(facility->offers, name) != nullptr) return;
  auto hint = suggestion(name.text, facility->offers, report);
  if (hint.empty() && facility->offers.empty()) hint = "it offers nothing; see \"offers\" of that facility";
  report.error(at, fmt::format("facility {} has no offer {}", quoted(facility->name.text), quoted(name.text)),
               std::move(hint), {facility->at});
}

void check_exchange(const Exchange& exchange, const GatewayConfig& config, WallTime now, Report& report) {
  const auto place = [&](std::string_view key) { return report.below(exchange.at, {key}); };
  check_facility(exchange.from, place("from"), config, report);
  const auto* to = check_facility(exchange.to, place("to"), config, report);
  check_offer(exchange.offer, to, place("offer"), report);
  if (!exchange.from.text.empty() && exchange.from == exchange.to)
    report.error(place("to"), "an exchange of a facility with itself", "\"from\" and \"to\" are two facilities",
                 {place("from")});
  if (exchange.until <= now) {
    std::vector<Position> sides;
    if (to != nullptr) sides.push_back(to->at);
    report.error(
        place("until"),
        fmt::format("this exchange from {} to {} has ended", quoted(exchange.from.text), quoted(exchange.to.text)),
        "have it approved again with a new date, or remove it", std::move(sides));
  }
}

void check_repeated_exchanges(const GatewayConfig& config, Report& report) {
  std::map<std::tuple<FacilityName, FacilityName, OfferName>, Position> first;
  for (const auto& exchange : config.exchanges) {
    const auto [known, is_new] = first.emplace(std::tuple(exchange.from, exchange.to, exchange.offer), exchange.at);
    if (!is_new && !exchange.offer.text.empty())
      report.error(exchange.at, "the same exchange stands twice", "keep one of the two", {known->second});
  }
}

void check_inside_may_reach(const InsideMayReach& row, const GatewayConfig& config, Report& report) {
  const auto place = [&](std::string_view key) { return report.below(row.at, {key}); };
  if (!row.service.text.empty() && find_named(config.services, row.service) == nullptr)
    report.error(place("service"), fmt::format("there is no service {}", quoted(row.service.text)),
                 suggestion(row.service.text, config.services, report));
  const auto* facility = check_facility(row.facility, place("facility"), config, report);
  check_offer(row.offer, facility, place("offer"), report);
}

void check_test_from(const PolicyTest& test, const GatewayConfig& config, Report& report) {
  if (test.from.empty()) return;
  constexpr std::string_view kInside = "inside:";
  const auto at = report.below(test.at, {"from"});
  if (!test.from.starts_with(kInside)) {
    check_facility({test.from}, at, config, report);
    return;
  }
  const auto service = test.from.substr(kInside.size());
  if (find_named(config.services, ServiceName{service}) == nullptr)
    report.error(at, fmt::format("there is no service {}", quoted(service)),
                 suggestion(service, config.services, report));
}

void check_test_to(const PolicyTest& test, const GatewayConfig& config, Report& report) {
  if (test.to.empty()) return;
  const auto at = report.below(test.at, {"to"});
  const bool service = find_named(config.services, ServiceName{test.to}) != nullptr;
  const bool facility = find_named(config.facilities, FacilityName{test.to}) != nullptr;
  const bool outside = test.to == "outside";
  if (!service && !facility && !outside) {
    auto hint = suggestion(test.to, config.services, report);
    if (hint.empty()) hint = suggestion(test.to, config.facilities, report);
    report.error(at, fmt::format("{} is neither a service nor a facility nor \"outside\"", quoted(test.to)),
                 std::move(hint));
  }
  if (!test.address && !service && (facility || outside))
    report.error(test.at, "the key \"address\" is missing", "which host there is meant?");
}

// One name for two things would make `explain` and tests ambiguous.
void check_distinct(const GatewayConfig& config, Report& report) {
  for (const auto& facility : config.facilities)
    if (const auto* service = find_named(config.services, ServiceName{facility.name.text}))
      report.error(facility.at, fmt::format("a facility and a service are both called {}", quoted(facility.name.text)),
                   {}, {service->at});
  const auto reserved = [&](const auto& thing) {
    if (thing.name.text == "inside" || thing.name.text == "outside")
      report.error(thing.at, fmt::format("the name {} is reserved", quoted(thing.name.text)));
  };
  for (const auto& facility : config.facilities) reserved(facility);
  for (const auto& service : config.services) reserved(service);
}

}  // namespace

void sort_and_check_repeated(GatewayConfig& config, Report& report) {
  sort_named(config.services, "service", report);
  sort_named(config.facilities, "facility", report);
  const auto by_name = [](const Offer& a, const Offer& b) { return a.name < b.name; };
  for (auto& facility : config.facilities) std::sort(facility.offers.begin(), facility.offers.end(), by_name);
}

void check_references(const GatewayConfig& config, WallTime now, Report& report) {
  check_distinct(config, report);
  for (const auto& facility : config.facilities) check_may_use(facility, config, report);
  for (const auto& exchange : config.exchanges) check_exchange(exchange, config, now, report);
  check_repeated_exchanges(config, report);
  for (const auto& row : config.inside_may_reach) check_inside_may_reach(row, config, report);
  for (const auto& test : config.tests) {
    check_test_from(test, config, report);
    check_test_to(test, config, report);
  }
}

}  // namespace config
