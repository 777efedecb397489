// Trials, rollbacks and the history of changes: when each step of Changes is made, and what is answered. A change that
// waits for a person's word holds the lock: nobody else's is applied until it is confirmed or taken back.
#include <cerrno>

#include "config/text_forms.h"
#include "gateway/daemon/accessd.h"
#include "gateway/daemon/change_views.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

using core::ChangeReason;
using core::ChangeRecord;

constexpr auto kTrialLook = std::chrono::seconds(5);       // how often the facilities of a trial are looked at
constexpr auto kRollBackAgain = std::chrono::seconds(10);  // there was nothing to go back to
constexpr auto kSaveAgain = std::chrono::seconds(5);       // the disk would not take it
constexpr std::uint32_t kDownLimit = 3;                    // unless its author said another number

std::string text_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
}

std::string named(core::Generation generation) {
  return "generation " + std::to_string(generation.number);
}

std::string moment(config::value::WallTime at) {
  return audit::to_rfc3339(at, os::record_time().offset_minutes);
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text + (names.size() > kShown ? " and " + std::to_string(names.size() - kShown) + " more" : "");
}

std::uint64_t number_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_number_unsigned() ? json[key].get<std::uint64_t>() : 0;
}

core::Duration trial_time(const Json& json) {
  if (!json.contains("confirm_seconds")) return core::ChangeHistory::kCanaryTime;
  return std::chrono::seconds(std::min<std::uint64_t>(number_of(json, "confirm_seconds"), 1'000'000));
}

// Into what would come back, and not into the files that were there some time: those may be edited already.
config::value::Result<std::shared_ptr<const CanaryAsked>, std::string> canary_of(const Json& json, KeptChange base,
                                                                                 const policy::Plan& running) {
  const auto name = TRY(config::NameText::parse(text_of(json, "canary")));
  if (base.files.empty())
    return std::unexpected("the files of " + named(base.generation) +
                           " were not kept, so nothing can be put into them: apply once without --canary");
  for (const auto& facility : running.facilities)
    if (facility.isolated && facility.name.text == name.text)
      return std::unexpected("facility " + name.text + " is isolated: nothing of it could be seen while it is tried");
  return std::make_shared<const CanaryAsked>(CanaryAsked{{name.text}, std::move(base.files)});
}

// Of a change, by name of the facility when it is a canary.
audit::Record with_canary(audit::Record record, const core::ChangeEntry* entry) {
  if (entry != nullptr) add_canary(record.fields, *entry);
  return record;
}

}  // namespace

// A trial that may not go on is taken back first; then what is due runs: the trial, what it was rolled back to, or what
// stands on disk.
void Accessd::start_running() {
  const auto wall = os::wall_now();
  if (!history_.damage().empty()) act(core::action::RaiseAlarm{"history: " + history_.damage()});
  const auto tried = history_.history().trial();
  if (const auto why = history_.end_at_start(now_, wall)) {
    save_changes();
    record(with_canary(
               {"config.rolled-back",
                {{"generation", tried->generation.number}, {"to", tried->base.number}, {"by", "start"}, {"why", *why}}},
               history_.history().entry(tried->generation)),
           Weight::kDurable);
    recorder_.tell(telemetry::Alarm{named(tried->generation) + " is rolled back: " + *why});
  }
  controller_.expect_start();
  judge({Judging::Purpose::kStart, {0, ChangeReason::kStart, "start", ""}});
}

// Empty: nobody's change is in the way. `again`: of somebody who wants the files on disk whatever was taken back.
std::string Accessd::lock_holder(bool again) const {
  const auto& history = history_.history();
  if (history.waits()) {
    const auto& trial = *history.trial();
    const auto* tried = history.entry(trial.generation);
    return named(trial.generation) + (tried->canary.empty() ? "" : ", a canary of " + tried->canary + ",") + " of " +
           tried->author + ", applied " + moment(tried->at) + ", waits for confirmation until " + moment(trial.until) +
           ": 'sekisho confirm' keeps it, 'sekisho rollback' takes it back; nothing else is applied before";
  }
  if (controller_.rolling_back() && !again)
    return "a change is being taken back" +
           (controller_.last_error().empty() ? std::string()
                                             : ", which does not succeed yet: " + controller_.last_error()) +
           "; nothing else is applied before, unless 'sekisho apply --again' says so, or 'sekisho rollback N' names "
           "another generation";
  const auto& wish = history_.wish();
  if (!wish) return whose_change();
  return "a change of " + wish->actor + ", begun " + moment(wish->at) +
         ", is being applied and will wait for confirmation; nothing else is applied before";
}

void Accessd::answer_apply(const os::ControlSocket::Request& request, const Json& json) {
  const bool again = json.contains("again") && json["again"] == true;
  if (const auto holder = lock_holder(again); !holder.empty())
    return control_.send(request.client, error_line("locked", holder), child_.loop());
  if (json.contains("confirm_seconds") || json.contains("canary")) return answer_trial(request, json, again);
  const auto id = next_change_++;
  changes_[id] = request.client;
  control_.keep(request.client, true);
  judge({Judging::Purpose::kChange, {id, ChangeReason::kRequest, request.actor, text_of(json, "comment")}, 0, again});
}

void Accessd::answer_trial(const os::ControlSocket::Request& request, const Json& json, bool again) {
  const auto refuse = [&](const std::string& code, const std::string& sentence) {
    control_.send(request.client, error_line(code, sentence), child_.loop());
  };
  using History = core::ChangeHistory;
  const auto time = trial_time(json);
  if (time < History::kLeastTime || time > History::kMostTime)
    return refuse("form", "\"confirm_seconds\" must be between 5 and 86400");
  if (!controller_.settled())
    return refuse("busy", "another change is being applied, or a process is missing; 'sekisho status' says which");
  auto base = history_.plan_of(history_.history().confirmed());
  if (!base)
    return refuse("refused", "there would be nothing to go back to: " + base.error() +
                                 "; apply once without --confirm, which keeps what then runs");
  Changes::Wish wish{next_change_++, request.actor, text_of(json, "comment"), os::wall_now(), time, kDownLimit, {},
                     false,          again};
  if (json.contains("down_limit"))
    wish.down_limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(number_of(json, "down_limit"), 1'000'000));
  if (json.contains("canary")) {
    auto canary = canary_of(json, *std::move(base), policy::or_none(controller_.running_plan()));
    if (!canary) return refuse("refused", canary.error());
    wish.canary = *std::move(canary);
  }
  const auto id = wish.id;
  history_.wish() = std::move(wish);
  history_.history().ask(request.actor);
  if (!save_changes()) {
    history_.history().unask();
    history_.wish().reset();
    return refuse("refused",
                  "the history of changes cannot be written; nothing was changed. 'sekisho status' says why");
  }
  changes_[id] = request.client;
  control_.keep(request.client, true);
  ask_status();  // who is up before; begin_trial goes on
}

void Accessd::begin_trial() {
  auto& wish = history_.wish();
  if (!wish || std::exchange(wish->given, true)) return;
  for (const auto& [facility, status] : tunnels_)
    if (status.up && (!wish->canary || wish->canary->facility.text == facility)) wish->up.push_back(facility);
  // Where fewer were up, all of them down is as bad.
  if (wish->down_limit != 0 && !wish->up.empty())
    wish->down_limit = std::min(wish->down_limit, static_cast<std::uint32_t>(wish->up.size()));
  const std::string canary = wish->canary ? wish->canary->facility.text : "";
  Judging wanted{Judging::Purpose::kChange,
                 {wish->id, ChangeReason::kRequest, wish->actor, wish->comment, true, canary},
                 0,
                 wish->again};
  wanted.canary = wish->canary;
  judge(std::move(wanted));
}

// While a change is being proved the signal waits: the files may have been written after they were read for that.
void Accessd::reload_by_signal() {
  const auto holder = changing() && !history_.wish() ? std::string() : lock_holder();
  const auto id = next_change_++;
  if (!holder.empty()) {
    act(core::action::RaiseAlarm{"reload refused: " + holder});
    if (controller_.running_plan() == nullptr) return;  // its start is announced by itself
    return act(core::action::AnnounceReady{"reload refused: " + holder});
  }
  changes_[id] = kSupervisorAsks;
  judge({Judging::Purpose::kChange, {id, ChangeReason::kRequest, "signal", ""}});
}

// Before the record that a change is about to be applied.
bool Accessd::keep_change(const core::action::AppendRecord& wanted) {
  if (!wanted.kept) return true;
  std::optional<os::OsError> error;
  bool good = history_.on_applying(wanted.record, *wanted.kept, os::wall_now(), error);
  constexpr int kMostSteps = 16;  // 1 MiB; the rest of the reserve is for records
  for (int i = 0; i < kMostSteps && error && error->number == ENOSPC && recorder_.make_room(); ++i) {
    error.reset();
    good = history_.on_applying(wanted.record, *wanted.kept, os::wall_now(), error);
  }
  if (error) act(core::action::RaiseAlarm{"the change cannot be kept to go back to: " + error->to_string()});
  return good;
}

void Accessd::note_outcome(const ChangeRecord& record) {
  const auto wall = os::wall_now();
  bool changed = false;
  if (record.step == ChangeRecord::Step::kApplied) changed = history_.on_applied(record, now_, wall);
  if (record.step == ChangeRecord::Step::kFailed) changed = history_.on_failed(record, wall);
  if (record.step == ChangeRecord::Step::kRefused && history_.wish() && history_.wish()->id == record.request.id) {
    history_.wish().reset();
    history_.history().unask();
    changed = true;
  }
  if (changed) save_changes();
  if (history_.history().waits()) trial_look_at_ = now_ + kTrialLook;
}

bool Accessd::save_changes() {
  auto saved = history_.save();
  constexpr int kMostSteps = 16;
  for (int i = 0; i < kMostSteps && !saved && saved.error().number == ENOSPC && recorder_.make_room(); ++i)
    saved = history_.save();
  if (!saved && !save_changes_at_) act(core::action::RaiseAlarm{"history: " + saved.error().to_string()});
  save_changes_at_ = saved ? std::nullopt : std::optional<Instant>(now_ + kSaveAgain);
  return saved.has_value();
}

void Accessd::answer_confirm(const os::ControlSocket::Request& request) {
  const auto before = history_.history();
  const auto refuse = [&](const std::string& sentence) {
    control_.send(request.client, error_line("refused", sentence), child_.loop());
  };
  if (history_.history().overdue(now_)) look_at_changes();
  const auto confirmed = history_.history().confirm(request.actor, now_, os::wall_now());
  if (!confirmed) return refuse(confirmed.error());
  if (!save_changes()) {
    history_.history() = before;
    return refuse(
        "the confirmation could not be written; the change is rolled back at its time. 'sekisho status' says why");
  }
  const auto generation = history_.history().confirmed();
  const auto* entry = history_.history().confirmed_entry();
  record(with_canary({"config.confirmed", {{"generation", generation.number}, {"by", request.actor}}}, entry),
         Weight::kDurable);
  if (auto good = controller_.running_good()) act(*good);
  Json view = Json::object();
  view["generation"] = generation.number;
  if (entry != nullptr) add_canary(view, *entry);
  control_.send(request.client, answer_line(std::move(view)), child_.loop());
}

void Accessd::answer_rollback(const os::ControlSocket::Request& request, const Json& json) {
  const auto refuse = [&](const std::string& sentence) {
    control_.send(request.client, error_line("refused", sentence), child_.loop());
  };
  std::optional<std::uint64_t> wanted;
  if (json.contains("generation") && json["generation"].is_number_unsigned())
    wanted = json["generation"].get<std::uint64_t>();
  if (history_.wish() || changing()) return refuse(lock_holder());
  const auto target = history_.history().target(wanted);
  if (!target) return refuse(target.error());
  if (const auto kept = history_.plan_of(*target); !kept) return refuse(kept.error());
  // A change that is under way would be adopted after this was decided, and the history would name it.
  if (!history_.history().trial() && !controller_.settled() && !controller_.rolling_back())
    return refuse("another change is being applied, or a process is missing; 'sekisho status' says which");
  const auto id = next_change_++;
  changes_[id] = request.client;
  control_.keep(request.client, true);
  roll_back(*target, request.actor, text_of(json, "comment"), id);
}

// Also when the history cannot be written: what runs is the old plan, and a start judges the trial again.
void Accessd::roll_back(core::Generation to, const std::string& by, const std::string& why, std::uint64_t request) {
  auto kept = history_.plan_of(to);
  if (!kept) {
    act(core::action::RaiseAlarm{"cannot roll back to " + named(to) + ": " + kept.error() + "; tried again"});
    roll_back_at_ = now_ + kRollBackAgain;
    return;
  }
  roll_back_at_.reset();
  const auto from = controller_.running_generation();
  history_.history().roll_back(to, by, why, os::wall_now());
  save_changes();
  const auto taken_back = history_.history().held().value_or(from);
  record(with_canary(
             {"config.rolled-back", {{"generation", taken_back.number}, {"to", to.number}, {"by", by}, {"why", why}}},
             history_.history().entry(taken_back)),
         Weight::kDurable);
  recorder_.tell(telemetry::Alarm{named(taken_back) + " is rolled back by " + by + (why.empty() ? "" : ": " + why)});
  give(candidate_of(*std::move(kept), os::wall_now()), {request, ChangeReason::kRollback, by, why});
}

std::vector<std::string> Accessd::down_in_trial() const {
  std::vector<core::TunnelStatus> seen;
  for (const auto& [facility, status] : tunnels_) seen.push_back(status);
  return history_.history().lost(seen, now_);
}

void Accessd::look_at_changes() {
  if (save_changes_at_ && *save_changes_at_ <= now_) save_changes();
  const auto& history = history_.history();
  if (!history.waits()) {
    trial_look_at_.reset(), roll_back_at_.reset();
    return;
  }
  if (roll_back_at_ && *roll_back_at_ > now_) return;
  const auto trial = *history.trial();
  if (history.overdue(now_)) return roll_back(trial.base, "timer", "not confirmed in time", 0);
  if (trial.down_limit == 0 || !trial_look_at_ || *trial_look_at_ > now_) return;
  trial_look_at_ = now_ + kTrialLook;
  const auto down = down_in_trial();
  if (down.size() >= trial.down_limit)
    return roll_back(trial.base, "facilities",
                     std::to_string(down.size()) + " of " + std::to_string(trial.up.size()) +
                         " facilities that were up before are down: " + some_of(down),
                     0);
  if (!status_by_) ask_status();
}

std::optional<config::value::Instant> Accessd::next_changes_deadline() const {
  const auto& history = history_.history();
  if (!history.waits()) return save_changes_at_;
  auto first = std::min(history.trial()->deadline, save_changes_at_.value_or(Instant::max()));
  if (trial_look_at_ && history.trial()->down_limit != 0) first = std::min(first, *trial_look_at_);
  return roll_back_at_ ? std::max(first, *roll_back_at_) : first;
}

void Accessd::answer_history(std::uint64_t client) {
  control_.send(client, answer_line(history_view(history_.history(), os::record_time())), child_.loop());
}

}  // namespace gateway::daemon
