// What a change does to each facility, in words for the person who is about to apply it; and whether a candidate brings
// in again what was rolled back. Pure; two plans in, text out.
#pragma once

#include <string>
#include <vector>

#include "policy/plan.h"

namespace gateway::core {

struct ChangeEffect {
  std::string facility;            // empty: the gateway and what begins inside
  std::string title;               // for people; of the plan after when both have it
  std::vector<std::string> lines;  // "may newly open karte 10.80.0.10 tcp/443", without end
};

// Of the facilities the change touches, by name; the gateway first. Empty when nothing is different.
[[nodiscard]] std::vector<ChangeEffect> effects(const policy::Plan& before, const policy::Plan& after);

// The lines of describe_difference(running, rolled_back) that also lead from `running` to `candidate`: what applying
// the candidate would bring in again. A line that the candidate has otherwise (another key, other networks) is not
// among them.
[[nodiscard]] std::vector<std::string> brought_again(const policy::Plan& running, const policy::Plan& rolled_back,
                                                     const policy::Plan& candidate);

}  // namespace gateway::core
