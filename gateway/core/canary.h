// A canary: of a candidate one facility alone is tried, in the configuration that runs (config/canary.h makes it). Here
// the two plans are held against each other, by other means than the texts were put together: whatever the mixture
// changes beyond that facility is named, and then it is no canary. Pure.
#pragma once

#include <string>
#include <vector>

#include "config/value/ids.h"
#include "gateway/core/candidate.h"

namespace gateway::core {

// Lines of describe_difference: what `after` has otherwise than `before` and is not of `facility`. Its own are its
// networks and tunnel, each permission in which it is one of the two ends, and which listeners the gateway needs.
// Permissions that have ended by `now` are in neither.
[[nodiscard]] std::vector<std::string> beyond_canary(const policy::Plan& before, const policy::Plan& after,
                                                     const config::value::FacilityName& facility,
                                                     config::value::WallTime now);

// `mixed`, judged as any configuration but for the proof, as a canary in the place of `running`. It is refused when it
// cannot run, changes something beyond the facility, or nothing at all. `whole` is the candidate itself, which must be
// good too: the answer's warnings say how much of it is left for the next change.
[[nodiscard]] Unproved judged_canary(Unproved mixed, const Unproved& whole, const policy::Plan& running,
                                     const config::value::FacilityName& facility, config::value::WallTime now);

}  // namespace gateway::core
