// One facility of a candidate, put into the configuration that runs. What comes out is text, of the files that what
// runs was made of: so it is read, checked, compiled, tested, proved and kept as any other configuration, and a mixture
// that would not be a legal one is refused where every configuration is. Pure.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "config/value/result.h"

namespace config {

// `running` and `candidate` are the files of either, the main file first, as load() takes them; both were accepted
// once. Out of the candidate come: the facility (or that it is gone), the exchanges, lines of inside_may_reach and
// policy tests in which it is a party, and each service that those lines use. All else is of `running`, without
// exchanges that have ended by `now`. A file of which nothing is taken stays octet by octet; what is put in stands in
// the main file, which is written anew, without its comments.
//
// Whether a service that others use too is another one afterwards is not judged here: the plans are compared
// (gateway/core/canary.h). The error is a sentence for a person: there is no such facility, or the candidate's
// "gateway" is another one, which holds for every facility.
[[nodiscard]] value::Result<std::vector<SourceFile>, std::string> canary(const std::vector<SourceFile>& running,
                                                                         const std::vector<SourceFile>& candidate,
                                                                         const FacilityName& facility, WallTime now);

}  // namespace config
