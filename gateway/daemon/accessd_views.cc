#include "gateway/daemon/accessd_views.h"

#include "config/moment.h"

namespace gateway::daemon {
namespace {

using core::ProcessRole;

Json networks_of(const policy::FacilityPlan& facility) {
  Json networks = Json::array();
  for (const auto& network : facility.networks)
    networks.push_back({{"real", network.real.to_string()}, {"seen_as", network.seen.to_string()}});
  return networks;
}

const core::TunnelStatus* status_of(const Tunnels& tunnels, const std::string& facility) {
  const auto found = tunnels.find(facility);
  return found == tunnels.end() ? nullptr : &found->second;
}

const char* table_name(policy::RouteTable table) {
  switch (table) {
    case policy::RouteTable::kFromTunnels:
      return "from-tunnels";
    case policy::RouteTable::kToFacilities:
      return "to-facilities";
    case policy::RouteTable::kExchange:
      return "exchange";
    case policy::RouteTable::kOwnToServices:
      return "own-to-services";
  }
  return "unknown";
}

const char* step_name(core::ChangeRecord::Step step) {
  switch (step) {
    case core::ChangeRecord::Step::kApplying:
      return "config.applying";
    case core::ChangeRecord::Step::kApplied:
      return "config.applied";
    case core::ChangeRecord::Step::kRefused:
      return "config.refused";
    case core::ChangeRecord::Step::kFailed:
      return "config.failed";
  }
  return "config.unknown";
}

const char* protocol_of(const policy::FacilityPlan& facility) {
  return facility.ike ? "ikev2" : "wireguard";
}

// KEY as a time, and KEY_seconds_ago.
void add_moment(Json& to, const std::string& key, std::optional<config::value::Instant> at,
                const audit::RecordTime& now) {
  if (!at) return;
  const auto ago = now.boot - *at;
  to[key] = audit::to_rfc3339(now.wall - ago, now.offset_minutes);
  to[key + "_seconds_ago"] = std::chrono::duration_cast<std::chrono::seconds>(ago).count();
}

Json tunnel_of(const policy::FacilityPlan& facility, const core::TunnelStatus& status, const audit::RecordTime& now) {
  Json tunnel{
      {"facility", facility.name.text}, {"protocol", protocol_of(facility)}, {"state", status.up ? "up" : "down"}};
  tunnel["remote"] = status.remote ? Json(status.remote->to_string()) : Json();
  add_moment(tunnel, "since", status.since, now);
  add_moment(tunnel, "last_heard", status.last_heard, now);
  add_moment(tunnel, "last_handshake", status.last_handshake, now);
  tunnel["handshakes"] = status.handshakes;
  tunnel["bytes_received"] = status.received_bytes, tunnel["packets_received"] = status.received_packets;
  tunnel["bytes_sent"] = status.sent_bytes, tunnel["packets_sent"] = status.sent_packets;
  tunnel["outer_bytes_received"] = status.outer_received, tunnel["outer_bytes_sent"] = status.outer_sent;
  if (!status.negotiated.empty()) tunnel["negotiated"] = status.negotiated;
  if (!status.problem.empty()) {
    tunnel["problem"] = status.problem;
    if (status.problem_since)
      tunnel["problem_since"] = audit::to_rfc3339(now.wall - (now.boot - *status.problem_since), now.offset_minutes);
  }
  tunnel["refused_in"] = status.guard_refused_in, tunnel["refused_out"] = status.guard_refused_out;
  return tunnel;
}

void add_certificate(Json& to, std::optional<config::value::WallTime> end, const audit::RecordTime& now) {
  if (!end) return;
  to["certificate_expires"] = audit::to_rfc3339(*end, now.offset_minutes);
  to["certificate_days_left"] = audit::days_left(*end, now.wall);
}

Json flow_of(const audit::Flow& flow, const audit::RecordTime& now) {
  Json fields = audit::to_fields(flow);
  fields["began"] = audit::to_rfc3339(flow.began, now.offset_minutes);
  fields["age_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(now.wall - flow.began).count();
  fields["state"] = flow.cut ? "cut" : flow.closing_since ? "closing" : "open";
  return fields;
}

}  // namespace

std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string answer_line(Json result) {
  return one_line({{"version", kControlVersion}, {"ok", true}, {"result", std::move(result)}});
}

std::string error_line(const std::string& code, const std::string& message, const std::vector<std::string>& errors,
                       const std::vector<std::string>& warnings) {
  const Json error{{"code", code}, {"message", message}, {"errors", errors}, {"warnings", warnings}};
  return one_line({{"version", kControlVersion}, {"ok", false}, {"error", error}});
}

Json facilities_view(const policy::Plan& plan, const Tunnels& tunnels) {
  std::map<std::string, std::pair<Json, Json>> names;  // facility -> what it may open, what may be opened to it
  for (const auto& permission : plan.permissions) {
    const auto add = [&permission](Json& list) {
      if (!list.is_array()) list = Json::array();
      if (std::find(list.begin(), list.end(), Json(permission.name)) == list.end()) list.push_back(permission.name);
    };
    if (!permission.from_facility.text.empty()) add(names[permission.from_facility.text].first);
    if (!permission.to_facility.text.empty()) add(names[permission.to_facility.text].second);
  }
  Json list = Json::array();
  for (const auto& facility : plan.facilities) {
    const auto* status = status_of(tunnels, facility.name.text);
    auto& [opens, opened] = names[facility.name.text];
    list.push_back({{"facility", facility.name.text},
                    {"title", facility.title},
                    {"networks", networks_of(facility)},
                    {"may_open", opens.is_null() ? Json::array() : opens},
                    {"opened_to_others", opened.is_null() ? Json::array() : opened},
                    {"tunnel", status == nullptr ? "unknown"
                               : status->up      ? "up"
                                                 : "down"}});
  }
  return {{"facilities", std::move(list)}};
}

Json tunnels_view(const policy::Plan& plan, const Tunnels& tunnels, const audit::CertificateEnds& ends,
                  const audit::RecordTime& now) {
  Json list = Json::array();
  for (const auto& facility : plan.facilities) {
    const auto* status = status_of(tunnels, facility.name.text);
    if (status != nullptr)
      list.push_back(tunnel_of(facility, *status, now));
    else
      list.push_back({{"facility", facility.name.text}, {"protocol", protocol_of(facility)}, {"state", "unknown"}});
    add_certificate(list.back(), ends.end_of(facility.name.text), now);
  }
  Json gateway = Json::object();
  add_certificate(gateway, ends.end_of(""), now);
  return {{"tunnels", std::move(list)}, {"gateway", std::move(gateway)}};
}

Json down_view(const policy::Plan& plan, const Tunnels& tunnels, const audit::RecordTime& now, std::size_t most) {
  Json list = Json::array();
  for (const auto& facility : plan.facilities) {
    const auto* status = status_of(tunnels, facility.name.text);
    if ((status != nullptr && status->up) || list.size() == most) continue;
    Json down{{"facility", facility.name.text}};
    if (status != nullptr) add_moment(down, "since", status->since, now);
    if (status != nullptr) add_moment(down, "last_heard", status->last_heard, now);
    list.push_back(std::move(down));
  }
  return list;
}

Json routes_view(const policy::Plan& plan) {
  Json routes = Json::array(), rules = Json::array();
  for (const auto& route : plan.routes)
    routes.push_back({{"table", table_name(route.table)},
                      {"number", static_cast<std::uint32_t>(route.table)},
                      {"destination", route.destination.to_string()},
                      {"interface", route.interface.empty() ? "unreachable" : route.interface},
                      {"via", route.via ? Json(route.via->to_string()) : Json()},
                      {"mtu", route.mtu != 0 ? Json(route.mtu) : Json()}});
  for (const auto& rule : plan.rules)
    rules.push_back({{"priority", rule.priority},
                     {"incoming_interface", rule.incoming_interface},
                     {"mark", rule.mark},
                     {"table", rule.prohibit ? "prohibit" : table_name(rule.table)}});
  return {{"routes", std::move(routes)}, {"rules", std::move(rules)}};
}

std::string flows_answer(const audit::FlowTable& flows, const audit::RecordTime& now, const Json& request,
                         std::size_t most) {
  Json list = Json::array();
  std::size_t left_out = 0;
  const auto tell = [&](const audit::Flow& flow) {
    list.size() < most ? list.push_back(flow_of(flow, now)) : void(++left_out);
  };
  const auto& open = flows.flows();
  if (!request.contains("began_before")) {
    for (auto it = open.rbegin(); it != open.rend(); ++it) tell(it->second);
  } else {
    const auto text = request["began_before"].is_string() ? request["began_before"].get<std::string>() : "";
    const auto before = config::Moment::parse(text);
    if (!before) return error_line("form", "began_before: " + before.error());
    const bool later = request.contains("after") && request["after"].is_number_unsigned();
    // Numbers are in the order in which flows were seen, not begun: what was open at the start came in any order.
    for (auto it = open.upper_bound(later ? request["after"].get<std::uint64_t>() : 0); it != open.end(); ++it)
      if (it->second.began < before->at) tell(it->second);
  }
  return answer_line({{"flows", std::move(list)}, {"open", flows.size()}, {"left_out", left_out}});
}

Json controller_view(const core::Controller& controller, const audit::RecordTime& now) {
  const auto* plan = controller.running_plan();
  Json view{{"gateway", plan == nullptr ? "" : plan->gateway_name},
            {"state", controller.settled() ? "running"
                      : plan == nullptr    ? "closed"
                                           : "changing"}};
  view["generation"] = controller.running_generation().number;
  view["digest"] = controller.running_digest();
  view["from_last_good"] = controller.from_last_good();
  view["last_error"] = controller.last_error();
  if (const auto next = controller.next_change()) view["next_change"] = audit::to_rfc3339(*next, now.offset_minutes);
  for (const auto role : {ProcessRole::kNetd, ProcessRole::kTunneld, ProcessRole::kKeyd})
    view["processes"][core::name_of(role)] = controller.present(role);
  return view;
}

audit::Record to_record(const core::ChangeRecord& change) {
  audit::Record record{step_name(change.step), {}};
  auto& fields = record.fields;
  fields["generation"] = change.generation.number;
  fields["reason"] = core::to_string(change.request.reason);
  fields["actor"] = change.request.actor;
  fields["comment"] = change.request.comment;
  if (!change.request.canary.empty()) fields["canary"] = change.request.canary;
  fields["digest_before"] = change.digest_before;
  fields["digest_after"] = change.digest_after;
  fields["difference"] = change.difference;
  fields["errors"] = change.errors;
  fields["warnings"] = change.warnings;
  return record;
}

}  // namespace gateway::daemon
