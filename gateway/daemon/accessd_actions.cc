// Carries out what the controller decides: one core::action after the other becomes messages, records and files.
#include <cerrno>

#include "gateway/daemon/accessd.h"
#include "gateway/daemon/change_views.h"
#include "gateway/daemon/last_good.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {

using core::MessageType;
using core::ProcessRole;
namespace action = core::action;

namespace {

// Nobody who is to be cut off may go on while the history is being written.
bool writes_history(const core::Action& each) {
  return std::holds_alternative<action::AppendRecord>(each) || std::holds_alternative<action::KeepLastGood>(each);
}

}  // namespace

// Carrying out one action may give new ones; they come after those that are there already, but those of an order to cut
// before them.
void Accessd::perform(core::Actions actions) {
  const auto before = cutting_first_ ? to_do_.begin() + first_ : to_do_.end();
  to_do_.insert(before, std::make_move_iterator(actions.begin()), std::make_move_iterator(actions.end()));
  if (cutting_first_) first_ += static_cast<std::ptrdiff_t>(actions.size());
  if (std::exchange(performing_, true)) return;
  while (!to_do_.empty()) {
    if (writes_history(to_do_.front())) cut_first();
    const auto next = std::move(to_do_.front());
    to_do_.pop_front();
    perform_one(next);
  }
  performing_ = false;
}

void Accessd::perform_one(const core::Action& each) {
  std::visit([this](const auto& wanted) { act(wanted); }, each);
}

template <class T>
void Accessd::send(ProcessRole to, MessageType type, const T& message, std::span<const int> descriptors) {
  auto& channel = child_.peer(to);
  if (!channel.open()) return;  // its loss is told in the next turn
  if (auto sent = channel.send(type, message, descriptors); !sent)
    recorder_.tell(telemetry::Alarm{"to " + core::name_of(to) + ": " + sent.error().to_string()});
}
template void Accessd::send(ProcessRole, MessageType, const core::TimestampFloor&, std::span<const int>);
template void Accessd::send(ProcessRole, MessageType, const core::StatusQuery&, std::span<const int>);
template void Accessd::send(ProcessRole, MessageType, const core::ReadKernel&, std::span<const int>);
template void Accessd::send(ProcessRole, MessageType, const core::ReadTunnels&, std::span<const int>);
template void Accessd::send(ProcessRole, MessageType, const core::RepairKernel&, std::span<const int>);

void Accessd::act(const action::ConfigureKeyd& wanted) {
  send(ProcessRole::kKeyd, MessageType::kConfigureKeys, wanted.message);
}

// An order to cut may have overtaken it, and nobody is given an older plan than the one he has.
void Accessd::act(const action::ApplyToNetd& wanted) {
  if (!controller_.wants(wanted.generation)) return;
  send(ProcessRole::kNetd, MessageType::kApplyPlan, core::ApplyPlanOf{wanted.generation, *wanted.plan});
}

void Accessd::act(const action::RequestDescriptors&) {
  send(ProcessRole::kNetd, MessageType::kOpenDescriptors, core::OpenDescriptors{});
}

void Accessd::act(const action::ConfigureTunneld& wanted) {
  if (!controller_.wants(wanted.generation)) return;
  core::ConfigureTunnelsOf message{wanted.generation,
                                   *wanted.plan,
                                   {},
                                   wanted.public_key,
                                   timestamp_floor_,
                                   os::wall_now(),
                                   wanted.signature_schemes,
                                   certificates_.read(*wanted.plan, config_directory()),
                                   wanted.key_marks};
  std::vector<int> descriptors;
  if (wanted.with_descriptors) {
    message.sockets = devices_.sockets;
    descriptors.push_back(devices_.tun.number());
    for (const auto& udp : devices_.udp) descriptors.push_back(udp.number());
  }
  send(ProcessRole::kTunneld, MessageType::kConfigureTunnels, message, descriptors);
}

void Accessd::act(const action::AppendRecord& wanted) {
  if (wanted.ticket != 0 && !controller_.waits_for(wanted.ticket)) return;  // overtaken by an order to cut
  const bool kept = keep_change(wanted);
  const bool durable = recorder_.write(to_record(wanted.record), Weight::kDurable, now_) && kept;
  note_outcome(wanted.record);
  core::Actions actions;
  controller_.on_recorded(wanted.ticket, durable, now_, actions);
  perform(std::move(actions));
}

void Accessd::act(const action::AnswerChange& wanted) {
  const auto found = changes_.find(wanted.request);
  if (found == changes_.end()) return;
  const auto& outcome = wanted.outcome;
  if (found->second == kSupervisorAsks) return answer_supervisor(found, outcome);
  const auto message = outcome.errors.empty() ? "the change was refused" : outcome.errors.front();
  control_.send(found->second,
                outcome.good ? answer_line(outcome_view(outcome, history_.history(), os::record_time()))
                             : error_line("refused", message, outcome.errors, outcome.warnings),
                child_.loop());
  control_.keep(found->second, false);
  changes_.erase(found);
}

// Not before the first plan runs: that is announced by itself, and is no reload.
void Accessd::answer_supervisor(std::map<std::uint64_t, std::uint64_t>::iterator change,
                                const core::ChangeOutcome& outcome) {
  changes_.erase(change);
  if (controller_.running_plan() == nullptr) return;
  act(action::AnnounceReady{outcome.good ? "generation " + std::to_string(outcome.generation.number)
                                         : "reload refused, generation " + std::to_string(outcome.generation.number) +
                                               " stays: " + (outcome.errors.empty() ? "" : outcome.errors.front())});
}

void Accessd::act(const action::KeepLastGood& wanted) {
  if (history_.history().trial() || controller_.rolling_back()) {  // not good before somebody says so, or ever
    history_.history().note(wanted.generation);
    save_changes();
    return;
  }
  auto done = history_.keep_good(wanted);
  constexpr int kMostSteps = 16;  // 1 MiB; the rest of the reserve is for records
  for (int i = 0; i < kMostSteps && !done && done.error().number == ENOSPC && recorder_.make_room(); ++i)
    done = history_.keep_good(wanted);
  if (!done) recorder_.tell(telemetry::Alarm{"last-good: " + done.error().to_string()});
}

void Accessd::act(const action::UseLastGood&) {
  auto kept = history_.good_plan();
  const std::string what = kept ? "the configuration on disk is bad: the last good one is used"
                                : "the configuration on disk is bad and none was kept: the gateway stays closed";
  act(action::RaiseAlarm{what});
  if (!kept) return stay_closed();
  give(candidate_of(*std::move(kept), os::wall_now()), {0, core::ChangeReason::kLastGood, "start", what});
}

void Accessd::act(const action::PlanChanged&) {
  const auto* plan = controller_.running_plan();
  if (plan == nullptr) return;
  if (const auto config = controller_.running_config()) recorder_.set_limits(config->gateway.records, now_);
  std::vector<audit::Record> records;
  flows_.set_plan(*plan, records);
  watch_rules();
  record_all(records);
  look_at_certificates();
  live_.repaired = false;
  want_live_check(std::chrono::seconds(1));
  recorder_.tell(telemetry::ConfigurationChanged{controller_.running_generation().number, "applied", ""});
}

void Accessd::act(const action::AnnounceReady& wanted) {
  if (auto told = child_.ready(wanted.status); !told)
    recorder_.tell(telemetry::Alarm{"supervisor: " + told.error().to_string()});
}

void Accessd::act(const action::CutInKernel& wanted) {
  send(ProcessRole::kNetd, core::MessageType::kCutFacilities, wanted.message);
}

void Accessd::act(const action::CloseKernel&) {
  send(ProcessRole::kNetd, core::MessageType::kCloseAll, core::CloseAll{});
}

void Accessd::act(const action::RaiseAlarm& wanted) {
  recorder_.tell(telemetry::Alarm{wanted.what});
  record({"alarm", {{"what", wanted.what}}}, Weight::kDurable);
}

}  // namespace gateway::daemon
