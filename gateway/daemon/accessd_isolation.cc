// Isolation at the border of accessd: the requests of people, the file, the records and the answers. What is cut, and
// in which order, is the controller's (gateway/core/controller_isolation.cc).
#include <cerrno>

#include "gateway/daemon/accessd.h"
#include "gateway/daemon/isolation_file.h"
#include "gateway/daemon/isolation_views.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

constexpr auto kKeepAgain = std::chrono::seconds(5);

}  // namespace

void Accessd::answer_isolation_request(const os::ControlSocket::Request& request, const Json& json, bool cuts) {
  const auto asked = isolation_request_of(json);
  if (!asked) return control_.send(request.client, error_line("form", asked.error()), child_.loop());
  core::IsolationRequest wanted = *asked;
  wanted.id = next_change_++;
  wanted.actor = request.actor;
  wanted.at = os::wall_now();
  isolations_[wanted.id] = {request.client, now_};
  control_.keep(request.client, true);
  if (cuts) run_last_good_for_a_cut();
  core::Actions actions;
  const bool in_trial = cuts && history_.history().trial().has_value();
  if (cuts) history_.history().leave_out(wanted.facility.text);
  if (cuts)
    controller_.on_isolate(std::move(wanted), now_, actions);
  else
    controller_.on_rejoin(std::move(wanted), now_, actions);
  perform(std::move(actions));
  if (in_trial) save_changes();  // after the cut: a restart must not count the facility as lost either
}

void Accessd::take_orders_to_cut(std::vector<os::ControlSocket::Request>& requests) {
  std::erase_if(requests, [this](const os::ControlSocket::Request& request) {
    const auto json = Json::parse(request.line, nullptr, false);
    const bool cuts =
        json.is_object() && json.value("version", Json()) == kControlVersion && json.value("verb", Json()) == "isolate";
    if (cuts) answer_isolation_request(request, json, true);
    return cuts;
  });
}

// Between two actions: what has come since the turn began. Everything but an order to cut is answered in the next one.
void Accessd::cut_first() {
  if (cutting_first_) return;
  std::vector<os::ControlSocket::Request> requests;
  control_.read_now(now_, child_.loop(), requests, early_lost_);
  cutting_first_ = true, first_ = 0;
  take_orders_to_cut(requests);
  cutting_first_ = false;
  std::ranges::move(requests, std::back_inserter(early_));
}

// What cannot be kept is cut all the same: said at once, shown as long as it is so, and tried again. Always as the
// orders are now: this one may have been overtaken by another.
void Accessd::act(const core::action::KeepIsolation&) {
  const auto& folder = child_.arguments().state_directory;
  if (!isolation_unreadable_.empty() && !std::exchange(isolation_set_aside_, true)) set_isolation_aside(folder);
  auto kept = keep_isolation(folder, controller_.isolation());
  constexpr int kMostSteps = 16;
  for (int i = 0; i < kMostSteps && !kept && kept.error().number == ENOSPC && recorder_.make_room(); ++i)
    kept = keep_isolation(folder, controller_.isolation());
  const bool first = isolation_error_.empty();
  isolation_error_ = kept ? "" : kept.error().to_string();
  keep_isolation_at_ = kept ? std::nullopt : std::optional<Instant>(now_ + kKeepAgain);
  if (!kept && first)
    act(core::action::RaiseAlarm{"isolation is not durable, a restart would forget what changed: " + isolation_error_});
}

void Accessd::keep_isolation_again() {
  if (!keep_isolation_at_ || *keep_isolation_at_ > now_) return;
  act(core::action::KeepIsolation{controller_.isolation()});
}

void Accessd::act(const core::action::AppendIsolationRecord& wanted) {
  if (recorder_.write(to_record(wanted.record, os::record_time()), Weight::kDurable, now_)) return;
  recorder_.tell(telemetry::Alarm{"an isolation could not be recorded: " + recorder_.error()});
  isolation_unrecorded_ = recorder_.error();
}

void Accessd::act(const core::action::AnswerIsolation& wanted) {
  const auto found = isolations_.find(wanted.request);
  if (found == isolations_.end()) return;
  const auto [client, asked] = found->second;
  isolations_.erase(found);
  auto outcome = wanted.outcome;
  if (!isolation_error_.empty())
    outcome.notes.push_back("not durable, a restart would forget it: " + isolation_error_ +
                            "; it is tried again, 'sekisho status' says when it is");
  if (!isolation_unrecorded_.empty()) outcome.notes.push_back("not on record: " + isolation_unrecorded_);
  isolation_unrecorded_.clear();
  if (!isolation_unreadable_.empty())
    outcome.notes.push_back("the orders kept before this start could not be read (" + isolation_unreadable_ +
                            "): whoever was isolated by itself is so no longer when the emergency stop ends; " +
                            isolation_aside(child_.arguments().state_directory) + " is that file");
  control_.send(client, isolation_answer(outcome, isolation_error_.empty(), now_ - asked, os::record_time()),
                child_.loop());
  control_.keep(client, false);
}

}  // namespace gateway::daemon
