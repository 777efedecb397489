#include "gateway/daemon/accessd.h"

#include <algorithm>
#include <iterator>

#include "gateway/daemon/isolation_file.h"
#include "gateway/daemon/last_good.h"
#include "gateway/os/boot_id.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

using config::value::Instant;

constexpr auto kSummaryTime = std::chrono::seconds(60);

void take_earlier(std::optional<Instant>& first, std::optional<Instant> other) {
  if (other && (!first || *other < *first)) first = other;
}

}  // namespace

os::OsResult<Accessd> Accessd::create(os::SupervisedChild child) {
  const auto path = child.arguments().runtime_directory + "/control.sock";
  auto control = TRY(os::ControlSocket::create(path, kControlToken, child.loop()));
  Changes changes(child.arguments().state_directory, os::boot_id().value_or(""));
  changes.history().note(read_last_generation(child.arguments().state_directory));
  auto isolation = read_isolation(child.arguments().state_directory);
  return Accessd(std::move(child), std::move(control), std::move(changes), std::move(isolation));
}

Accessd::Accessd(os::SupervisedChild child, os::ControlSocket control, Changes changes,
                 os::OsResult<policy::Isolation> isolation)
    : child_(std::move(child)),
      recorder_(child_.arguments().state_directory),
      control_(std::move(control)),
      history_(std::move(changes)),
      controller_(history_.history().highest(),
                  isolation ? *isolation : everything_isolated(isolation.error().to_string(), os::wall_now())),
      isolation_unreadable_(isolation ? "" : isolation.error().to_string()),
      now_(os::boot_now()),
      started_(now_) {
  summary_at_ = now_ + kSummaryTime;
}

void Accessd::start() {
  recorder_.tell(telemetry::ProcessStarted{"accessd"});
  record({"start", {{"config", child_.arguments().config_file}}}, Weight::kDurable);
  if (const auto floor = read_timestamp_floor(child_.arguments().state_directory)) {
    timestamp_floor_ = floor_at_start_ = *floor;
  } else {  // the wall clock is used alone; the file is written anew with the first call
    timestamp_warning_ = floor.error().to_string();
    act(core::action::RaiseAlarm{timestamp_warning_});
  }
  read_kept_uses();
  if (!isolation_unreadable_.empty())
    act(core::action::RaiseAlarm{"the isolation that was kept cannot be read, so everything is isolated: " +
                                 isolation_unreadable_});
  start_running();
}

void Accessd::stop() {
  keep_uses_when_due(true);
  record_all(refusals_.summaries());
  recorder_.write_summaries(Weight::kBatched, now_);
  recorder_.write_summaries(Weight::kDurable, now_);  // what the full disk refused: out of the reserve
  record({"stop", {{"open_flows", flows_.size()}}}, Weight::kDurable);
}

int Accessd::run() {
  start();
  for (;;) {
    auto turn = child_.turn(next_deadline());
    now_ = os::boot_now();
    on_turn(turn);
    if (turn.stop) break;
    on_deadlines();
    tell_watchers();
  }
  stop();
  return 0;
}

// Orders to cut go before everything else that has come, above all before what has to be written to a disk for it.
void Accessd::on_turn(os::SupervisedChild::Turn& turn) {
  auto requests = std::exchange(early_, {});
  auto lost = std::exchange(early_lost_, {});
  for (const auto& ready : turn.other)
    if (ready.token >= kControlToken) control_.on_ready(ready, now_, child_.loop(), requests, lost);
  take_orders_to_cut(requests);
  for (const auto role : turn.lost_channels) on_lost(role);
  for (const auto role : turn.fresh_channels) {
    recorder_.tell(telemetry::ProcessGreeted{core::name_of(role)});
    record({"process.started", {{"process", core::name_of(role)}}}, Weight::kBatched);
    core::Actions actions;
    controller_.on_greeted(role, now_, actions);
    perform(std::move(actions));
  }
  for (auto& [from, message] : turn.messages) on_message(from, message);
  if (turn.reload) reload_by_signal();
  for (const auto& ready : turn.other) {
    if (ready.token == kConntrackToken) read_kernel_events(conntrack_, true);
    if (ready.token == kNflogToken) read_kernel_events(nflog_, false);
    if (ready.token == kReaderToken) look_at_reading();
  }
  look_at_proof();
  take_live_verdict();
  for (const auto& request : requests) on_request(request);
  forget_clients(lost);
}

void Accessd::on_lost(core::ProcessRole role) {
  recorder_.tell(telemetry::ProcessLost{core::name_of(role)});
  record({"process.lost", {{"process", core::name_of(role)}}}, Weight::kDurable);
  if (role == core::ProcessRole::kTunneld) tunnels_.clear();
  core::Actions actions;
  controller_.on_lost(role, now_, actions);
  perform(std::move(actions));
}

void Accessd::on_deadlines() {
  core::Actions actions;
  controller_.on_deadline(os::wall_now(), now_, actions);
  perform(std::move(actions));
  keep_isolation_again();
  recorder_.on_deadline(now_);
  std::vector<std::uint64_t> lost;
  control_.on_deadline(now_, child_.loop(), lost);
  forget_clients(lost);
  if (status_by_ && *status_by_ <= now_) answer_waiting();
  look_at_changes();
  look_at_live();
  if (summary_at_ > now_) return;
  summary_at_ = now_ + kSummaryTime;
  record_all(refusals_.summaries());
  recorder_.write_summaries(Weight::kBatched, now_);
  recorder_.look_at_space(now_);
  keep_uses_when_due(false);
  ask_status();
}

std::optional<Instant> Accessd::next_deadline() const {
  std::optional<Instant> first = summary_at_;
  take_earlier(first, controller_.next_deadline(os::wall_now(), now_));
  take_earlier(first, recorder_.next_deadline());
  take_earlier(first, control_.next_deadline());
  take_earlier(first, status_by_);
  take_earlier(first, keep_isolation_at_);
  take_earlier(first, next_changes_deadline());
  take_earlier(first, prover_.deadline());
  if (!early_.empty() || !early_lost_.empty()) first = now_;  // to be answered in the next turn
  take_earlier(first, next_live_deadline());
  return first;
}

void Accessd::record(const audit::Record& record, Weight weight) {
  recorder_.write(record, weight, now_);
}

void Accessd::record_all(const std::vector<audit::Record>& records) {
  for (const auto& each : records) {
    if (each.kind.starts_with("flow.")) recorder_.write_detail(each, now_);
    // Samples: their packets are in the totals.
    else if (each.kind != "refused" || recorder_.room() != Recorder::Room::kNone)
      record(each, Weight::kBatched);
  }
}

std::string Accessd::config_directory() const {
  const auto& path = child_.arguments().config_file;
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string Accessd::state_file(const std::string& name) const {
  return child_.arguments().state_directory + "/" + name;
}

}  // namespace gateway::daemon
