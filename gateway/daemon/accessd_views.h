// What accessd tells through the control socket, as JSON with stable names (docs/operations). Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "gateway/audit/certificate_ends.h"
#include "gateway/audit/flow_table.h"
#include "gateway/audit/refusals.h"
#include "gateway/core/controller.h"

namespace gateway::daemon {

using Json = nlohmann::ordered_json;

inline constexpr int kControlVersion = 1;

// {"version":1,"ok":true,"result":…} and {"version":1,"ok":false,"error":{…}} as one line.
[[nodiscard]] std::string answer_line(Json result);
[[nodiscard]] std::string error_line(const std::string& code, const std::string& message,
                                     const std::vector<std::string>& errors = {},
                                     const std::vector<std::string>& warnings = {});
[[nodiscard]] std::string one_line(const Json& json);

using Tunnels = std::map<std::string, core::TunnelStatus>;  // by facility

[[nodiscard]] Json facilities_view(const policy::Plan& plan, const Tunnels& tunnels);
// With the last known end of each certificate, the gateway's own included.
[[nodiscard]] Json tunnels_view(const policy::Plan& plan, const Tunnels& tunnels, const audit::CertificateEnds& ends,
                                const audit::RecordTime& now);
// The facilities whose tunnel is down, or of which tunneld has said nothing: since when, when last heard. The first
// `most`.
[[nodiscard]] Json down_view(const policy::Plan& plan, const Tunnels& tunnels, const audit::RecordTime& now,
                             std::size_t most);
[[nodiscard]] Json routes_view(const policy::Plan& plan);
// The answer to `request`, a line. The newest open flows, at most `most`. With "began_before", a time: of those that
// began before it, the first ones after the number "after" (0: from the beginning), in the order of their numbers.
// "left_out": of the flows that were meant, those beyond `most`.
[[nodiscard]] std::string flows_answer(const audit::FlowTable& flows, const audit::RecordTime& now, const Json& request,
                                       std::size_t most);
[[nodiscard]] Json controller_view(const core::Controller& controller, const audit::RecordTime& now);
[[nodiscard]] audit::Record to_record(const core::ChangeRecord& change);

}  // namespace gateway::daemon
