// Who may reach whom, as a table: what a plan opens between every two facilities and between facilities and services,
// by the line of the configuration that says so. Only what is open is listed; everything else is closed. By addresses,
// not by what a line is called: where two services share a host, both have what is open there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/gateway_config.h"
#include "policy/plan.h"

namespace policy {

struct MatrixEnd {
  std::string name;   // "hakodate", "karte"
  std::string title;  // "函館総合病院"; empty: none
  friend auto operator<=>(const MatrixEnd&, const MatrixEnd&) = default;
};

// One line of the configuration, and all it opens from one end to another.
struct Opening {
  PermissionKind kind = PermissionKind::kService;
  std::size_t from = 0, to = 0;  // kService: facility, service; kExchange: two facilities; kInside: service, facility
  std::string name, title;       // of the service or offer: "karte", "hakodate/images"
  std::vector<Prefix> sources;   // seen addresses; each once, sorted, as are all lists here
  std::vector<Prefix> destinations;                     // seen addresses
  std::vector<Prefix> sources_real, destinations_real;  // what the facility itself calls them, one for each of those
  std::vector<ServicePort> ports;                       // echo is kIcmp for both families
  std::vector<RuleId> rules;
  std::string origin;  // "exchanges[0] (sekisho.json:40:3)"
  std::optional<WallTime> until;
};

struct Matrix {
  WallTime at;
  std::vector<MatrixEnd> facilities, services;       // by name; what Opening::from and ::to count in
  std::vector<Opening> openings;                     // by kind, from, to, origin
  std::size_t all_facilities = 0, all_services = 0;  // of the configuration, also when only some are asked for
};

// Of one name each, as in the configuration: only what begins at `from`, only what ends at `to`.
struct MatrixQuestion {
  std::optional<std::string> from, to;
};

// `plan`: compiled from `config`. Rows that have ended by `at` open nothing. The ends that a name of the question
// leaves out are not in the result. A name that is neither a facility's nor a service's selects nothing: see
// unknown_ends. 10,000 facilities with five services each take well under a second.
[[nodiscard]] Matrix matrix(const config::GatewayConfig& config, const Plan& plan, const MatrixQuestion& question,
                            WallTime at);

// A sentence for each name of the question that is nobody's, with what may have been meant.
[[nodiscard]] std::vector<std::string> unknown_ends(const config::GatewayConfig& config,
                                                    const MatrixQuestion& question);

}  // namespace policy
