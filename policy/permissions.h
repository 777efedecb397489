// The rows of the plan, each made from one line of the configuration. Used by compile only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/gateway_config.h"
#include "policy/plan.h"
#include "policy/redundant.h"

namespace policy {

// Collects rows and what is to be said about them; names are found by binary search (the configuration is sorted).
class PermissionBuilder {
 public:
  PermissionBuilder(const config::GatewayConfig& config, WallTime now);

  void add_services();
  void add_exchanges();
  void add_inside();
  // One row for each meaning, numbered and in the plan's order. Adds to the diagnostics: only now all lines are known.
  [[nodiscard]] std::vector<Permission> take();

  [[nodiscard]] const std::vector<config::Diagnostic>& diagnostics() const { return diagnostics_; }
  [[nodiscard]] std::optional<WallTime> next_change() const { return next_change_; }

 private:
  void add_facility_service(const config::Facility& facility, std::size_t index);
  void add_exchange(const config::Exchange& exchange, std::size_t index);
  // A line of the configuration and every pairing of one family; how many there were.
  std::size_t add_line(const config::Position& at, const std::string& key_path, Permission form,
                       const std::vector<Prefix>& sources, const std::vector<IpAddress>& destinations,
                       const std::vector<ServicePort>& ports);
  std::size_t add_pairs(const Permission& form, const std::vector<Prefix>& sources,
                        const std::vector<IpAddress>& destinations, const std::vector<ServicePort>& ports);
  void warn(const config::Position& at, std::string key_path, std::string message, std::string hint);
  [[nodiscard]] std::string place(const std::string& key_path, const config::Position& at) const;

  const config::GatewayConfig& config_;
  WallTime now_;
  std::vector<Permission> rows_;
  std::vector<PermissionLine> lines_;  // what made them
  std::vector<config::Diagnostic> diagnostics_;
  std::optional<WallTime> next_change_;
};

[[nodiscard]] const config::Facility* find_facility(const config::GatewayConfig& config, const FacilityName& name);
[[nodiscard]] const config::Service* find_service(const config::GatewayConfig& config, const config::ServiceName& name);
[[nodiscard]] const config::Offer* find_offer(const config::Facility& facility, const config::OfferName& name);

[[nodiscard]] std::vector<Prefix> seen_networks(const config::Facility& facility);
// A real address of the facility as everybody else sees it; empty when no network of it holds the address.
[[nodiscard]] std::optional<IpAddress> seen_address(const config::Facility& facility, const IpAddress& real);
[[nodiscard]] std::vector<IpAddress> seen_addresses(const config::Facility& facility, const config::Offer& offer);

}  // namespace policy
