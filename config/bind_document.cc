// The top level: services, exchanges, what inside may reach, policy tests; and where each key may stand.
#include <algorithm>

#include <fmt/format.h>

#include "config/bind.h"
#include "config/limits.h"
#include "config/object_reader.h"
#include "config/text_forms.h"

namespace config {
namespace {

std::string bind_name(std::string_view text, const Position& at, Report& report) {
  auto name = NameText::parse(text);
  if (!name) report.error(at, std::move(name).error());
  return std::string(text);
}

std::string bind_reference(ObjectReader& reader, std::string_view key) {
  const auto name = reader.parsed<NameText>(key, Presence::kRequired);
  return name ? name->text : std::string();
}

Service bind_service(const Member& member, Report& report) {
  ObjectReader reader(member.value, keys::kService, report);
  Service service;
  service.at = member.at;
  service.name.text = bind_name(member.key, member.at, report);
  service.title = reader.text("title", Presence::kOptional);
  for (const auto& host : reader.parsed_list<HostAddress>("addresses", kMaxAddresses, Presence::kRequired))
    service.addresses.push_back(host.address);
  service.ports = reader.parsed_list<ServicePort>("ports", kMaxPorts, Presence::kRequired);
  return service;
}

Exchange bind_exchange(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kExchange, report);
  Exchange exchange;
  exchange.at = node.at;
  exchange.from.text = bind_reference(reader, "from");
  exchange.to.text = bind_reference(reader, "to");
  exchange.offer.text = bind_reference(reader, "offer");
  exchange.reason = reader.text("reason", Presence::kRequired);
  const auto until = reader.parsed<EndDate>("until", Presence::kRequired);
  exchange.until = until ? until->end : WallTime::max();
  return exchange;
}

InsideMayReach bind_inside_may_reach(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kInsideMayReach, report);
  InsideMayReach row;
  row.at = node.at;
  row.service.text = bind_reference(reader, "service");
  row.facility.text = bind_reference(reader, "facility");
  row.offer.text = bind_reference(reader, "offer");
  return row;
}

PolicyTest bind_test(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kTest, report);
  PolicyTest test;
  test.at = node.at;
  test.from = reader.text("from", Presence::kRequired);
  test.to = reader.text("to", Presence::kRequired);
  test.address = reader.parsed<IpAddress>("address", Presence::kOptional);
  if (const auto port = reader.parsed<ServicePort>("port", Presence::kRequired)) test.port = *port;
  const auto expect = reader.choice("expect", {"allow", "deny"}, Presence::kRequired);
  test.expect = expect == 0 ? Expectation::kAllow : Expectation::kDeny;
  return test;
}

void check_include(ObjectReader& reader, Report& report) {
  const Node* list = reader.value("include", Kind::kArray, Presence::kOptional);
  if (list == nullptr) return;
  if (list->items.size() > kMaxIncludes)
    report.error(list->at,
                 fmt::format("{} patterns are too many; at most {} are allowed", list->items.size(), kMaxIncludes));
  for (const auto& item : list->items) {
    if (item.kind != Kind::kString)
      report.error(item.at, fmt::format("expected a string, found {}", with_article(item.kind)));
    else if (!good_include_pattern(item.text))
      report.error(item.at, fmt::format("{} cannot be included", quoted(item.text)),
                   "a path below this file's directory, without \"..\", with * or ? in the last part only: "
                   "\"facilities.d/*.json\"");
  }
}

// Every entry of the object or array under `key` through `bind`, bounded.
template <class Out, class Bind>
void bind_each(ObjectReader& reader, std::string_view key, std::size_t most, std::vector<Out>& out, Report& report,
               Bind bind) {
  constexpr bool kNamed = std::is_invocable_v<Bind, const Member&, Report&>;
  const Node* node = reader.value(key, kNamed ? Kind::kObject : Kind::kArray, Presence::kOptional);
  if (node == nullptr) return;
  const auto count = out.size() + node->items.size() + node->members.size();
  if (count > most) {
    report.error(node->at, fmt::format("{} entries are too many; at most {} are allowed", count, most));
    return;
  }
  if constexpr (kNamed) {
    for (const auto& member : node->members) out.push_back(bind(member, report));
  } else {
    for (const auto& item : node->items) out.push_back(bind(item, report));
  }
}

void bind_main_only(ObjectReader& reader, FileRole role, GatewayConfig& config, Report& report) {
  if (role == FileRole::kMain) {
    if (const Node* gateway = reader.value("gateway", Presence::kRequired))
      config.gateway = bind_gateway(*gateway, report);
    check_include(reader, report);
    return;
  }
  for (const auto* key : {"gateway", "include"})
    if (const Node* node = reader.value(key, Presence::kOptional))
      report.error(node->at, fmt::format("\"{}\" may stand in the main file only", key));
}

}  // namespace

bool good_include_pattern(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > 255 || pattern[0] == '/' || pattern.find('\\') != std::string_view::npos)
    return false;
  const auto slash = pattern.rfind('/');
  const auto wildcard = pattern.find_first_of("*?[");
  if (slash != std::string_view::npos && wildcard < slash) return false;
  for (;;) {
    const auto end = pattern.find('/');
    const auto part = pattern.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == std::string_view::npos) return true;
    pattern.remove_prefix(end + 1);
  }
}

void bind_document(const Node& root, FileRole role, GatewayConfig& config, Report& report) {
  ObjectReader reader(root, keys::kMain, report);
  if (!reader.is_object()) return;
  (void)reader.text("$schema", Presence::kOptional);  // for editors only
  bind_main_only(reader, role, config, report);
  bind_each(reader, "services", kMaxServices, config.services, report, bind_service);
  bind_each(reader, "facilities", kMaxFacilities, config.facilities, report, bind_facility);
  bind_each(reader, "exchanges", kMaxExchanges, config.exchanges, report, bind_exchange);
  bind_each(reader, "inside_may_reach", kMaxInsideMayReach, config.inside_may_reach, report, bind_inside_may_reach);
  bind_each(reader, "tests", kMaxTests, config.tests, report, bind_test);
}

}  // namespace config
