// What is really installed (docs/decisions/0014): asked of netd and tunneld, handed to whoever asks on the control
// socket, and proved beside the loop after each apply, after each change that netd sees, and on a timer.
#include <algorithm>
#include <set>

#include "gateway/daemon/accessd.h"
#include "gateway/os/clock.h"
#include "gateway/os/memory_file.h"

namespace gateway::daemon {
namespace {

using config::value::Instant;
using core::MessageType;
using core::ProcessRole;

constexpr auto kAnswerTime = std::chrono::seconds(30);
constexpr auto kAgain = std::chrono::seconds(2);          // after a repair, or a change that came in between
constexpr auto kLeastBetween = std::chrono::seconds(10);  // two checks that the kernel's events ask for
constexpr int kShareOfTime = 10;                          // a check that takes long is made less often

// The same rule has another one when the table was replaced.
std::string without_handles(std::string sentence) {
  constexpr std::string_view kMark = " (handle ";
  for (auto at = sentence.find(kMark); at != std::string::npos; at = sentence.find(kMark, at))
    sentence.erase(at, std::min(sentence.find(')', at), sentence.size() - 1) - at + 1);
  return sentence;
}

}  // namespace

void Accessd::answer_live(std::uint64_t client) {
  if (controller_.running_plan() == nullptr || !controller_.settled())
    return control_.send(
        client,
        error_line("busy", controller_.running_plan() == nullptr ? "nothing is installed: no plan runs"
                                                                 : "a change is under way; ask again when it is done"),
        child_.loop());
  live_.clients.push_back(client);
  control_.keep(client, true);
  ask_installed();
}

void Accessd::want_live_check(config::value::Duration within) {
  const Instant at = std::max(now_ + within, live_.earliest);
  if (!live_.check_at || at < *live_.check_at) live_.check_at = at;
}

std::optional<Instant> Accessd::next_live_deadline() const {
  std::optional<Instant> first = live_.asked_by;
  const bool waits = live_check_.under_way() || live_.asked_by;
  if (!waits && live_.check_at && (!first || *live_.check_at < *first)) first = live_.check_at;
  return first;
}

void Accessd::look_at_live() {
  if (live_.asked_by && *live_.asked_by <= now_) refuse_live("netd or tunneld did not answer within 30 s");
  if (!live_.check_at || *live_.check_at > now_ || live_check_.under_way() || live_.asked_by) return;
  if (!controller_.settled()) {
    live_.check_at = now_ + kAgain;
    return;
  }
  live_.check_at = now_ + std::chrono::seconds(controller_.running_plan()->live.every_seconds);
  live_.check = true;
  ask_installed();
}

// Who asks while a question is out wants what is there now, so it is asked anew.
void Accessd::ask_installed() {
  live_.kernel.reset(), live_.tunnels.reset();
  live_.generation = controller_.running_generation().number;
  live_.asked_by = now_ + kAnswerTime;
  ++live_.id;
  send(ProcessRole::kNetd, MessageType::kReadKernel, core::ReadKernel{live_.id});
  send(ProcessRole::kTunneld, MessageType::kReadTunnels, core::ReadTunnels{live_.id});
}

void Accessd::on_kernel_state(core::KernelState state) {
  if (!live_.asked_by || state.id != live_.id) return;
  live_.kernel = std::move(state);
  on_installed();
}

void Accessd::on_tunnel_state(core::TunnelState state) {
  if (!live_.asked_by || state.id != live_.id) return;
  live_.tunnels = std::move(state);
  on_installed();
}

void Accessd::on_installed() {
  if (!live_.kernel || !live_.tunnels) return;
  live_.asked_by.reset();
  const auto* plan = controller_.running_plan();
  if (plan == nullptr || !controller_.settled() || controller_.running_generation().number != live_.generation)
    return refuse_live("a change came in between; ask again");
  if (live_.kernel->closed) return refuse_live("netd has closed the kernel: nothing is forwarded");
  core::LiveState state{live_.generation, os::wall_now(), *plan, *std::move(live_.kernel), *std::move(live_.tunnels)};
  live_.kernel.reset(), live_.tunnels.reset();
  hand_over(state);
  if (std::exchange(live_.check, false)) live_check_.begin(std::move(state));
}

void Accessd::hand_over(const core::LiveState& state) {
  if (live_.clients.empty()) return;
  const auto octets = core::encode(state);
  const auto file = os::memory_file("sekisho-installed", octets);
  for (const auto client : std::exchange(live_.clients, {})) {
    control_.keep(client, false);
    if (!file) {
      control_.send(client, error_line("failed", file.error().to_string()), child_.loop());
      continue;
    }
    control_.send_with(client, answer_line({{"generation", state.generation}, {"octets", octets.size()}}), *file,
                       child_.loop());
  }
}

void Accessd::refuse_live(const std::string& why) {
  live_.asked_by.reset();
  live_.kernel.reset(), live_.tunnels.reset();
  for (const auto client : std::exchange(live_.clients, {})) {
    control_.keep(client, false);
    control_.send(client, error_line("failed", why), child_.loop());
  }
  if (!std::exchange(live_.check, false)) return;
  want_live_check(kAgain);
  if (!controller_.settled()) return;  // a change is no reason for alarm
  if (live_.report.not_read.empty()) act(core::action::RaiseAlarm{"what is installed could not be checked: " + why});
  live_.report.not_read = why;
}

void Accessd::take_live_verdict() {
  auto done = live_check_.take();
  if (!done) return;
  live_.earliest = now_ + std::max<config::value::Duration>(kLeastBetween, kShareOfTime * done->took);
  tell_differences(*done);
  live_.report = {now_, std::move(done), ""};
  const auto& verdict = live_.report.done->verdict;
  const auto* plan = controller_.running_plan();
  if (verdict.good() || plan == nullptr) {
    live_.repaired = false;
    return;
  }
  const bool ours = !verdict.proof || std::ranges::any_of(verdict.differences, &core::LiveDifference::ours);
  if (!ours || !plan->live.repair || std::exchange(live_.repaired, true)) return;
  send(ProcessRole::kNetd, MessageType::kRepairKernel, core::RepairKernel{});
  live_.check_at = now_ + kAgain;
}

// Once when it comes, once when it is gone.
void Accessd::tell_differences(const LiveCheck::Done& done) {
  std::set<std::string> before, after;
  if (live_.report.done)
    for (const auto& each : live_findings(live_.report.done->verdict)) before.insert(without_handles(each));
  for (const auto& each : live_findings(done.verdict)) after.insert(without_handles(each));
  std::set<std::string> told;
  for (const auto& difference : done.verdict.differences) {
    const auto sentence = without_handles(core::to_sentence(difference));
    told.insert(sentence);
    if (before.contains(sentence)) continue;
    record({"live.difference", to_json(difference, done.writers)}, Weight::kDurable);
    recorder_.tell(telemetry::Alarm{"installed differs: " + sentence});
  }
  for (const auto& each : after) {
    if (told.contains(each) || before.contains(each)) continue;
    record({"live.breach", {{"what", each}}}, Weight::kDurable);
    recorder_.tell(telemetry::Alarm{"installed differs: " + each});
  }
  for (const auto& each : before)
    if (!after.contains(each)) record({"live.restored", {{"what", each}}}, Weight::kDurable);
}

}  // namespace gateway::daemon
