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

// Carrying out one action may give new ones; they come after those that are there already.
void Accessd::perform(core::Actions actions) {
  for (auto& each : actions) to_do_.push_back(std::move(each));
  if (std::exchange(performing_, true)) return;
  while (!to_do_.empty()) {
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

void Accessd::act(const action::ApplyToNetd& wanted) {
  send(ProcessRole::kNetd, MessageType::kApplyPlan, wanted.message);
}

void Accessd::act(const action::RequestDescriptors&) {
  send(ProcessRole::kNetd, MessageType::kOpenDescriptors, core::OpenDescriptors{});
}

void Accessd::act(const action::ConfigureTunneld& wanted) {
  core::ConfigureTunnels message{wanted.generation,
                                 wanted.plan,
                                 {},
                                 wanted.public_key,
                                 timestamp_floor_,
                                 os::wall_now(),
                                 wanted.signature_schemes,
                                 certificates_.read(wanted.plan, config_directory()),
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
  const LastGood kept{wanted.generation, wanted.plan, wanted.keys};
  const auto& folder = child_.arguments().state_directory;
  auto done = keep_last_good(folder, kept);
  constexpr int kMostSteps = 16;  // 1 MiB; the rest of the reserve is for records
  for (int i = 0; i < kMostSteps && !done && done.error().number == ENOSPC && recorder_.make_room(); ++i)
    done = keep_last_good(folder, kept);
  if (!done) recorder_.tell(telemetry::Alarm{"last-good: " + done.error().to_string()});
}

void Accessd::act(const action::UseLastGood&) {
  auto kept = history_.good_plan();
  const std::string what = kept ? "the configuration on disk is bad: the last good one is used"
                                : "the configuration on disk is bad and none was kept: the gateway stays closed";
  act(action::RaiseAlarm{what});
  if (!kept) return;
  give(candidate_of(*std::move(kept), os::wall_now()), {0, core::ChangeReason::kLastGood, "start", what});
}

void Accessd::act(const action::PlanChanged&) {
  const auto* plan = controller_.running_plan();
  if (plan == nullptr) return;
  if (const auto config = controller_.running_config()) recorder_.set_limits(config->gateway.records, now_);
  std::vector<audit::Record> records;
  flows_.set_plan(*plan, records);
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

void Accessd::act(const action::RecompileRunning&) {
  const auto* plan = controller_.running_whole();
  if (plan == nullptr) return;
  const auto wall = os::wall_now();
  const auto config = controller_.running_config();
  auto candidate = config ? core::judge_again(*config, *plan, config_directory(), wall)
                          : core::without_ended(*plan, controller_.running_keys(), wall);
  core::Actions actions;
  controller_.on_candidate(std::move(candidate), {0, core::ChangeReason::kExpiry, "end date", ""}, now_, actions);
  perform(std::move(actions));
}

void Accessd::act(const action::CloseKernel&) {
  send(ProcessRole::kNetd, core::MessageType::kCloseAll, core::CloseAll{});
}

void Accessd::act(const action::RaiseAlarm& wanted) {
  recorder_.tell(telemetry::Alarm{wanted.what});
  record({"alarm", {{"what", wanted.what}}}, Weight::kDurable);
}

}  // namespace gateway::daemon
