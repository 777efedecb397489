#include "policy/matrix.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "config/report.h"
#include "policy/permissions.h"
#include "policy/translations.h"

namespace policy {
namespace {

using config::value::IpProtocol;

// Echo has two protocol numbers and one name.
ServicePort for_people(ServicePort port) {
  if (port.protocol == IpProtocol::kIcmpV6) port.protocol = IpProtocol::kIcmp;
  return port;
}

// What both open; empty when nothing.
std::optional<ServicePort> common(const ServicePort& a, const ServicePort& b) {
  if (a.protocol != b.protocol) return std::nullopt;
  const ServicePort both{a.protocol, std::max(a.first, b.first), std::min(a.last, b.last)};
  return both.first <= both.last ? std::optional(both) : std::nullopt;
}

class MatrixBuilder {
 public:
  MatrixBuilder(const config::GatewayConfig& config, const Plan& plan, WallTime at)
      : config_(config), plan_(plan), translations_(plan) {
    out_.at = at;
    for (const config::Service& service : config.services)
      for (const IpAddress& address : service.addresses) services_at_[address].insert(index_of(service));
  }

  Matrix build() {
    for (const config::Facility& facility : config_.facilities)
      out_.facilities.push_back({facility.name.text, facility.title});
    for (const config::Service& service : config_.services) out_.services.push_back({service.name.text, service.title});
    out_.all_facilities = out_.facilities.size();
    out_.all_services = out_.services.size();
    for (const Permission& row : plan_.permissions)
      if (!row.until || out_.at < *row.until) add(row);
    for (auto& [key, parts] : parts_) out_.openings.push_back(opening(parts));
    return std::move(out_);
  }

 private:
  using Key = std::tuple<PermissionKind, std::size_t, std::size_t, std::string, std::optional<WallTime>>;
  struct Parts {
    Opening form;
    std::set<Prefix> sources, destinations;
    std::set<ServicePort> ports;
    std::set<RuleId> rules;
  };

  std::size_t index_of(const config::Service& service) const {
    return static_cast<std::size_t>(&service - config_.services.data());
  }

  std::optional<std::size_t> facility_index(const FacilityName& name) const {
    const auto* found = find_facility(config_, name);
    if (found == nullptr) return std::nullopt;
    return static_cast<std::size_t>(found - config_.facilities.data());
  }

  void add(const Permission& row) {
    const auto from = facility_index(row.from_facility), to = facility_index(row.to_facility);
    switch (row.kind) {
      case PermissionKind::kService:
        if (!from) return;
        for (const std::size_t service : services_at(row.destination)) add_to_service(row, *from, service);
        return;
      case PermissionKind::kExchange:
        if (from && to) put(row, *from, *to, for_people(row.port));
        return;
      case PermissionKind::kInside:
        if (!to) return;
        for (const std::size_t service : services_at(row.source)) put(row, service, *to, for_people(row.port));
        return;
    }
  }

  const std::set<std::size_t>& services_at(const Prefix& host) const {
    static const std::set<std::size_t> kNone;
    const auto found = services_at_.find(host.address());
    return found == services_at_.end() ? kNone : found->second;
  }

  // A service is its addresses and its ports: of a shared host, each has what is open on its own.
  void add_to_service(const Permission& row, std::size_t from, std::size_t service) {
    for (const ServicePort& port : config_.services[service].ports)
      if (const auto open = common(for_people(row.port), port)) put(row, from, service, *open);
  }

  void put(const Permission& row, std::size_t from, std::size_t to, const ServicePort& port) {
    Parts& parts = parts_[{row.kind, from, to, row.origin, row.until}];
    parts.form.kind = row.kind, parts.form.from = from, parts.form.to = to;
    parts.form.name = row.name, parts.form.title = title_of(row);
    parts.form.origin = row.origin, parts.form.until = row.until;
    parts.sources.insert(row.source);
    parts.destinations.insert(row.destination);
    parts.ports.insert(port);
    parts.rules.insert(row.rule);
  }

  std::string title_of(const Permission& row) const {
    if (row.kind == PermissionKind::kService) {
      const auto* service = find_service(config_, {row.name});
      return service == nullptr ? "" : service->title;
    }
    const auto* facility = find_facility(config_, row.to_facility);
    if (facility == nullptr) return "";
    const auto slash = row.name.find('/');  // "hakodate/images"
    const auto* offer = slash == std::string::npos ? nullptr : find_offer(*facility, {row.name.substr(slash + 1)});
    return offer == nullptr ? "" : offer->title;
  }

  Opening opening(const Parts& parts) const {
    Opening out = parts.form;
    for (const Prefix& seen : parts.sources) out.sources_real.push_back(translations_.real(seen));
    for (const Prefix& seen : parts.destinations) out.destinations_real.push_back(translations_.real(seen));
    out.sources.assign(parts.sources.begin(), parts.sources.end());
    out.destinations.assign(parts.destinations.begin(), parts.destinations.end());
    out.ports.assign(parts.ports.begin(), parts.ports.end());
    out.rules.assign(parts.rules.begin(), parts.rules.end());
    return out;
  }

  const config::GatewayConfig& config_;
  const Plan& plan_;
  Translations translations_;
  Matrix out_;
  std::map<IpAddress, std::set<std::size_t>> services_at_;
  std::map<Key, Parts> parts_;
};

const std::string& from_name(const Matrix& all, const Opening& opening) {
  return (opening.kind == PermissionKind::kInside ? all.services : all.facilities)[opening.from].name;
}

const std::string& to_name(const Matrix& all, const Opening& opening) {
  return (opening.kind == PermissionKind::kService ? all.services : all.facilities)[opening.to].name;
}

// Keeps some of `ends`; the new place of each, or nothing.
std::vector<std::optional<std::size_t>> keep(std::vector<MatrixEnd>& ends, const std::set<std::string>& names) {
  std::vector<std::optional<std::size_t>> places;
  std::vector<MatrixEnd> kept;
  for (MatrixEnd& end : ends) {
    const bool wanted = names.contains(end.name);
    places.push_back(wanted ? std::optional(kept.size()) : std::nullopt);
    if (wanted) kept.push_back(std::move(end));
  }
  ends = std::move(kept);
  return places;
}

// The ends that were asked for, and those that something open joins with them.
Matrix selected(Matrix all, const MatrixQuestion& question) {
  std::set<std::string> names;
  for (const auto& name : {question.from, question.to})
    if (name) names.insert(*name);
  std::erase_if(all.openings, [&](const Opening& opening) {
    return (question.from && from_name(all, opening) != *question.from) ||
           (question.to && to_name(all, opening) != *question.to);
  });
  for (const Opening& opening : all.openings) names.insert({from_name(all, opening), to_name(all, opening)});
  const auto facilities = keep(all.facilities, names), services = keep(all.services, names);
  for (Opening& opening : all.openings) {
    opening.from = *(opening.kind == PermissionKind::kInside ? services : facilities)[opening.from];
    opening.to = *(opening.kind == PermissionKind::kService ? services : facilities)[opening.to];
  }
  return all;
}

}  // namespace

Matrix matrix(const config::GatewayConfig& config, const Plan& plan, const MatrixQuestion& question, WallTime at) {
  Matrix all = MatrixBuilder(config, plan, at).build();
  return question.from || question.to ? selected(std::move(all), question) : all;
}

std::vector<std::string> unknown_ends(const config::GatewayConfig& config, const MatrixQuestion& question) {
  std::vector<std::string_view> names;
  for (const auto& facility : config.facilities) names.push_back(facility.name.text);
  for (const auto& service : config.services) names.push_back(service.name.text);
  std::vector<std::string> out;
  for (const auto& name : {question.from, question.to}) {
    if (!name || std::ranges::find(names, *name) != names.end()) continue;
    const std::string hint = config::did_you_mean(*name, names);
    out.push_back("no facility and no service is called " + config::quoted(*name) + (hint.empty() ? "" : "; " + hint));
  }
  return out;
}

}  // namespace policy
