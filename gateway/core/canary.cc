#include "gateway/core/canary.h"

#include <algorithm>
#include <iterator>

namespace gateway::core {
namespace {

using config::value::FacilityName;
using config::value::WallTime;

// What is left when the facility and all that follows from it is taken out. Routes follow from facilities and services,
// and the proof holds them against both.
policy::Plan without(policy::Plan plan, const FacilityName& facility, WallTime now) {
  std::erase_if(plan.facilities, [&](const policy::FacilityPlan& each) { return each.name == facility; });
  std::erase_if(plan.permissions, [&](const policy::Permission& each) {
    return each.from_facility == facility || each.to_facility == facility || (each.until && *each.until <= now);
  });
  plan.wireguard_port = 0;
  plan.gateway_key.clear();
  plan.ikev2 = false;
  plan.routes.clear();
  plan.rules.clear();
  return plan;
}

std::vector<std::string> below(std::string first, const std::vector<std::string>& lines) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> text{std::move(first)};
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) text.push_back("  " + lines[i]);
  if (lines.size() > kShown) text.push_back("  and " + std::to_string(lines.size() - kShown) + " lines more");
  return text;
}

std::string what_is_left(const FacilityName& facility, std::size_t lines) {
  const std::string first = "canary: of the candidate only facility " + facility.text + " is in force; ";
  if (lines == 0) return first + "nothing else is different in it";
  return first + "what else is different in it (" + std::to_string(lines) +
         " lines, 'sekisho diff' names them) waits for an 'apply' of its own";
}

}  // namespace

std::vector<std::string> beyond_canary(const policy::Plan& before, const policy::Plan& after,
                                       const FacilityName& facility, WallTime now) {
  return describe_difference(without(before, facility, now), without(after, facility, now));
}

Unproved judged_canary(Unproved mixed, const Unproved& whole, const policy::Plan& running, const FacilityName& facility,
                       WallTime now) {
  const std::string& name = facility.text;
  if (!whole.needs_proof()) return refused(whole.candidate().errors);
  if (!mixed.needs_proof()) {
    const std::string what = "facility " + name +
                             " of the candidate does not fit into what runs, so it cannot be tried alone: apply what "
                             "it needs first, or the whole (places are those of the configuration that would run):";
    std::vector<std::string> errors{what};
    std::ranges::copy(mixed.candidate().errors, std::back_inserter(errors));
    return refused(std::move(errors));
  }
  const policy::Plan& plan = mixed.candidate().plan;
  if (const auto lines = beyond_canary(running, plan, facility, now); !lines.empty())
    return refused(below("what facility " + name +
                             " needs of the candidate changes others too, so it cannot be tried alone: take this out "
                             "of the candidate, or apply it first, as a change of its own:",
                         lines));
  if (describe_difference(running, plan).empty())
    return refused({"facility " + name + " is in the candidate as it runs: there is nothing to be tried"});
  mixed.note(what_is_left(facility, describe_difference(plan, whole.candidate().plan).size()));
  return mixed;
}

}  // namespace gateway::core
