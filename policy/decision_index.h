// decide() for many packets: the same answer, row for row, without walking all rows for each. For what asks millions of
// times (a replay of records); a single question is decide()'s.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "policy/decide.h"

namespace policy {

class DecisionIndex {
 public:
  // `plan` must outlive the index: decisions point into it.
  explicit DecisionIndex(const Plan& plan);

  // decide(plan, packet, now). Cost: one look-up for each pair of prefix lengths that the rows have.
  [[nodiscard]] Decision decide(const Packet& packet, WallTime now) const;
  // The facility whose seen networks hold the address, or null: facility_of(plan, address).
  [[nodiscard]] const FacilityPlan* facility_at(const IpAddress& seen) const;
  [[nodiscard]] const FacilityPlan* facility_named(const std::string& name) const;

 private:
  struct Pair {
    Prefix source, destination;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  struct PairHash {
    std::size_t operator()(const Pair& pair) const noexcept;
  };
  struct Lengths {
    config::value::Family family = config::value::Family::kV4;
    std::uint8_t source = 0, destination = 0;
    friend auto operator<=>(const Lengths&, const Lengths&) = default;
  };
  struct Network {
    Prefix seen;
    const FacilityPlan* facility = nullptr;
  };
  [[nodiscard]] std::vector<const Permission*> rows_at(const IpAddress& source, const IpAddress& destination) const;
  [[nodiscard]] bool is_service_side(const IpAddress& address) const;
  [[nodiscard]] Reason without_row(const Packet& packet) const;

  std::vector<Lengths> lengths_;  // each pair of the rows once
  std::unordered_map<Pair, std::vector<const Permission*>, PairHash> rows_;
  std::vector<Network> networks_;     // by seen prefix; they do not overlap
  std::vector<Prefix> service_side_;  // sorted, each once
  std::unordered_map<std::string, const FacilityPlan*> by_name_;
};

}  // namespace policy
