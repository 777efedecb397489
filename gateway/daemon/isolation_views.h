// Isolation as people and records see it: requests and answers of the control socket, what `status` and `show` say of
// a facility, and the lines of the record (docs/operations/running.md, records.md). Pure.
#pragma once

#include <string>

#include "config/value/result.h"
#include "gateway/core/isolation_order.h"
#include "gateway/daemon/accessd_views.h"

namespace gateway::daemon {

// {"facility":NAME} or {"all":true}, and "reason" if there is one; id, actor and time are the caller's. The error: a
// sentence.
[[nodiscard]] config::value::Result<core::IsolationRequest, std::string> isolation_request_of(const Json& json);

// The answer's line. `durable`: the orders are kept as they are; `took`: from the request to its effect.
[[nodiscard]] std::string isolation_answer(const core::IsolationOutcome& outcome, bool durable,
                                           config::value::Duration took, const audit::RecordTime& now);

// {"stopped","in_force","durable","error","orders":[…],"facilities":[…]}; `error`: why it is not durable.
[[nodiscard]] Json isolation_view(const core::Controller& controller, const std::string& error,
                                  const audit::RecordTime& now);

// To each object of `list` whose "facility" is isolated: "isolated", the orders that hold it; `state` (the name of the
// field) becomes "isolated".
void mark_isolated(Json& list, const char* state, const policy::Plan& plan, const policy::Isolation& isolation,
                   const audit::RecordTime& now);

// "hakodate is isolated since 2026-…, by uid 0 (root), pid 812: virus at the site"
[[nodiscard]] std::string isolation_sentence(const std::string& facility, const policy::IsolationOrder& order,
                                             const audit::RecordTime& now);

[[nodiscard]] audit::Record to_record(const core::IsolationRecord& record, const audit::RecordTime& now);

}  // namespace gateway::daemon
