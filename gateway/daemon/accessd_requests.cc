// Answers the requests of the control socket. Views are made in accessd_views; changes go through the controller.
#include "gateway/core/change_effect.h"
#include "gateway/daemon/accessd.h"
#include "gateway/daemon/change_views.h"
#include "gateway/daemon/explain_view.h"
#include "gateway/daemon/isolation_views.h"
#include "gateway/os/clock.h"
#include "gateway/os/host_facts.h"

namespace gateway::daemon {
namespace {

using core::ProcessRole;

constexpr auto kStatusTime = std::chrono::seconds(2);  // tunneld answers within, or is left out
constexpr std::size_t kMostDown = 1'000;               // named by `status`
constexpr std::size_t kMostFlows = 10'000;             // in one answer
constexpr std::size_t kMostEnds = 256;                 // explained in one answer

std::string text_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
}

bool is_flow(const std::string& kind) {
  return kind.starts_with("flow.") || kind.starts_with("refused");
}

}  // namespace

void Accessd::on_request(const os::ControlSocket::Request& request) {
  const auto json = Json::parse(request.line, nullptr, false);
  if (!json.is_object() || !json.contains("version") || json["version"] != kControlVersion)
    return control_.send(request.client, error_line("form", "expected one JSON object with \"version\": 1"),
                         child_.loop());
  const auto verb = text_of(json, "verb");
  if (verb == "reload" || verb == "apply") return answer_apply(request, json);
  if (verb == "confirm") return answer_confirm(request);
  if (verb == "rollback") return answer_rollback(request, json);
  if (verb == "history") return answer_history(request.client);
  if (verb == "isolate" || verb == "rejoin") return answer_isolation_request(request, json, verb == "isolate");
  if (verb == "diff") {
    control_.keep(request.client, true);
    return judge({Judging::Purpose::kDiff, {}, request.client});
  }
  if (verb == "explain") return answer_explain(request.client, json);
  if (verb == "installed") return answer_live(request.client);
  if (verb == "status" || verb == "show") return answer_show(request.client, json);
  control_.send(request.client, error_line("form", "unknown verb '" + verb + "'"), child_.loop());
}

void Accessd::answer_diff(std::uint64_t client, const core::Candidate& candidate) {
  control_.keep(client, false);
  if (!candidate.errors.empty())
    return control_.send(
        client, error_line("refused", "the configuration on disk has errors", candidate.errors, candidate.warnings),
        child_.loop());
  static const policy::Plan kNone;
  const auto* running = controller_.running_whole();
  const policy::Plan& before = running == nullptr ? kNone : *running;
  auto effects = core::effects(before, candidate.plan);
  Json view{{"difference", controller_.difference_to(candidate)}, {"warnings", candidate.warnings}};
  view["unchanged"] = unchanged_facilities(before, candidate.plan, effects);
  auto unused = unused_in(candidate);
  core::shorten_lines(unused);
  view["unused"] = std::move(unused);
  view["effects_left_out"] = shorten_effects(effects);
  view["effects"] = effects_view(effects);
  view["rolled_back"] = history_.brought_again(before, candidate.plan);
  control_.send(client, answer_line(std::move(view)), child_.loop());
}

// From memory: what runs, now. A plan that was kept without a configuration that still gives it has no names of
// services.
void Accessd::answer_explain(std::uint64_t client, const Json& json) {
  const auto refuse = [&](const std::string& code, const std::string& sentence) {
    control_.send(client, error_line(code, sentence), child_.loop());
  };
  const auto question = question_of(text_of(json, "from"), text_of(json, "to"));
  if (!question) return refuse("form", question.error());
  const auto* plan = controller_.running_plan();
  const auto config = controller_.running_config();
  if (plan == nullptr || !config) return refuse("refused", "no configuration runs that could be asked");
  Asked asked{*config, *plan, *plan, os::wall_now(), {}, {}};
  for (const auto& facility : plan->facilities)
    if (facility.isolated)
      for (const auto* order : policy::holding(controller_.isolation(), facility))
        asked.isolated.push_back(isolation_sentence(facility.name.text, *order, os::record_time()));
  auto found = explanation_view(asked, *question, kMostEnds);
  if (!found) return refuse("refused", found.error());
  (*found)["generation"] = controller_.running_generation().number;
  control_.send(client, answer_line(*std::move(found)), child_.loop());
}

void Accessd::answer_show(std::uint64_t client, const Json& json) {
  const auto what = text_of(json, "what");
  if (what == "flows" && json.contains("watch") && json["watch"] == true) {
    watchers_.insert(client);
    control_.keep(client, true);
  }
  if (what == "flows" || what == "routes" || what == "permissions") return answer_with_status({client, json});
  waiting_.push_back({client, json});
  control_.keep(client, true);
  ask_status();
}

void Accessd::ask_status() {
  if (!child_.peer(ProcessRole::kTunneld).open()) return answer_waiting();
  send(ProcessRole::kTunneld, core::MessageType::kStatusQuery, core::StatusQuery{++status_id_});
  if (!status_by_) status_by_ = now_ + kStatusTime;
}

void Accessd::answer_waiting() {
  status_by_.reset();
  for (const auto& waiter : std::exchange(waiting_, {})) answer_with_status(waiter);
  begin_trial();
}

void Accessd::answer_with_status(const StatusWaiter& waiter) {
  if (!watchers_.contains(waiter.client)) control_.keep(waiter.client, false);
  const policy::Plan& plan = policy::or_none(controller_.running_plan());
  const auto what = text_of(waiter.request, "what");
  const auto now = os::record_time();
  const auto marked = [&](Json view, const char* list, const char* state) {
    mark_isolated(view[list], state, plan, controller_.isolation(), now);
    return view;
  };
  std::string line;
  if (text_of(waiter.request, "verb") == "status")
    line = answer_line(status_view());
  else if (what == "facilities")
    line = answer_line(marked(facilities_view(plan, tunnels_), "facilities", "tunnel"));
  else if (what == "tunnels")
    line = answer_line(marked(tunnels_view(plan, tunnels_, certificate_ends_, now), "tunnels", "state"));
  else if (what == "routes")
    line = answer_line(routes_view(plan));
  else if (what == "flows")
    line = flows_answer(flows_, now, waiter.request, kMostFlows);
  else if (what == "permissions")
    line = permissions_answer(waiter.request);
  else
    line = error_line("form", "unknown object '" + what + "': facilities, tunnels, routes, flows or permissions");
  control_.send(waiter.client, line, child_.loop());
}

Json Accessd::status_view() const {
  const auto now = os::record_time();
  Json view = controller_view(controller_, now);
  const auto* plan = controller_.running_plan();
  const auto up = std::ranges::count_if(tunnels_, [](const auto& each) { return each.second.up; });
  view["facilities"] = {{"configured", plan == nullptr ? 0 : plan->facilities.size()}, {"up", up}};
  view["facilities"]["down"] =
      plan == nullptr ? Json::array() : down_view(policy::without_isolated(*plan), tunnels_, now, kMostDown);
  view["isolation"] = isolation_view(controller_, isolation_error_, now);
  view["flows"] = {{"open", flows_.size()},
                   {"begun", flows_.begun()},
                   {"ended", flows_.ended()},
                   {"dropped", flows_.dropped()},
                   {"events_lost", conntrack_lost_}};
  view["refused"] = Json::object();
  for (const auto& [reason, count] : refusals_.counts())
    if (count.total > 0) view["refused"][reason] = count.total;
  view["counters"] = Json::object();  // what tunneld moved and lost; refusals stand above
  for (const auto& counter : counters_)
    if (!counter.name.starts_with("guard-") && !counter.name.starts_with("tunnel-drop-"))
      view["counters"][counter.name] = counter.value;
  view["proving"] = proving_view(now);
  view["change"] = change_view(history_.history(), down_in_trial(), now_, now);
  view["warnings"] = Json::array();  // of this machine and of certificates, as it is now
  for (auto& each : change_warnings(history_)) view["warnings"].push_back(std::move(each));
  if (!timestamp_warning_.empty()) view["warnings"].push_back(timestamp_warning_);
  for (auto& each : certificate_ends_.warnings(now)) view["warnings"].push_back(std::move(each));
  if (const auto config = controller_.running_config())
    for (const auto& each : config::check_host(*config, os::host_facts()))
      view["warnings"].push_back(config::to_text(each, config->files));
  view["live"] = live_view(live_.report, now);
  for (auto& each : live_warnings(live_.report)) view["warnings"].push_back(std::move(each));
  view["records"] = {{"last_sequence", recorder_.last_sequence()},
                     {"failing", recorder_.failing()},
                     {"error", recorder_.error()},
                     {"room", room_name(recorder_.room())},
                     {"used", recorder_.space().used},
                     {"budget", std::uint64_t{recorder_.limits().budget_mib} << 20},
                     {"free", recorder_.space().free},
                     {"reserve", recorder_.space().reserve},
                     {"summed", recorder_.summed()},
                     {"lost", recorder_.lost()}};
  view["time"] = audit::to_rfc3339(now.wall, now.offset_minutes);
  return view;
}

void Accessd::tell_watchers() {
  const auto fresh = recorder_.take_fresh();
  if (watchers_.empty()) return;
  for (const auto& line : fresh)
    if (is_flow(line.kind))
      for (const auto client : watchers_) control_.send(client, line.text, child_.loop());
}

void Accessd::forget_clients(const std::vector<std::uint64_t>& lost) {
  for (const auto client : lost) {
    watchers_.erase(client);
    std::erase_if(waiting_, [client](const auto& waiter) { return waiter.client == client; });
    std::erase(live_.clients, client);
    std::erase(live_.next_clients, client);
    std::erase_if(changes_, [client](const auto& change) { return change.second == client; });
    std::erase_if(isolations_, [client](const auto& asked) { return asked.second.client == client; });
  }
}

}  // namespace gateway::daemon
