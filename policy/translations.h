// The real addresses behind what everybody sees, for records and answers: whoever is told one is told both.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/plan.h"

namespace policy {

class Translations {
 public:
  Translations() = default;
  // The translated networks of the plan, which may go afterwards.
  explicit Translations(const Plan& plan);

  // The same when nothing is translated there.
  [[nodiscard]] IpAddress real(const IpAddress& seen) const;
  // Of a prefix inside one translated network; of any other the same.
  [[nodiscard]] Prefix real(const Prefix& seen) const;
  // "100.64.1.5 (192.168.1.5)", "100.64.1.0/24 (192.168.1.0/24)"; one alone when they are the same. A host without its
  // length.
  [[nodiscard]] std::string text(const Prefix& seen) const;

 private:
  [[nodiscard]] const NetworkMap* map_of(const IpAddress& seen) const;
  std::vector<NetworkMap> maps_;  // by seen; they do not overlap
};

// What the facility that has the address calls it; the same when nobody has it. For a single question.
[[nodiscard]] IpAddress real_address(const Plan& plan, const IpAddress& seen);
// As Translations::text, of a pair that is known.
[[nodiscard]] std::string both_text(const Prefix& seen, const Prefix& real);
// The address as everybody sees it, of a real one of that facility; empty when no network of it holds it.
[[nodiscard]] std::optional<IpAddress> seen_address(const FacilityPlan& facility, const IpAddress& real);

}  // namespace policy
