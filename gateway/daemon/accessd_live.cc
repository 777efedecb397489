// What is really installed (docs/decisions/0014): asked of netd and tunneld, handed to whoever asks on the control
// socket, and proved beside the loop after each apply, after each change that netd sees, and on a timer.
#include <algorithm>

#include "gateway/daemon/accessd.h"
#include "gateway/os/clock.h"
#include "gateway/os/memory_file.h"

namespace gateway::daemon {
namespace {

using config::value::Instant;
using core::MessageType;
using core::ProcessRole;

constexpr auto kAnswerTime = std::chrono::seconds(90);    // longer than netd's reader may take
constexpr auto kAgain = std::chrono::seconds(2);          // after a repair, or a change that came in between
constexpr auto kLeastBetween = std::chrono::seconds(10);  // two checks that the kernel's events ask for
constexpr config::value::Duration kAfterFailure = std::chrono::seconds(60);
constexpr int kShareOfTime = 10;  // a check that takes long is made less often

}  // namespace

void Accessd::answer_live(std::uint64_t client) {
  if (controller_.running_plan() == nullptr || !controller_.settled())
    return control_.send(
        client,
        error_line("busy", controller_.running_plan() == nullptr ? "nothing is installed: no plan runs"
                                                                 : "a change is under way; ask again when it is done"),
        child_.loop());
  control_.keep(client, true);
  // Who asks while a question is out wants what is there now, so it is asked anew, behind that one: whoever asks again
  // and again must not keep the others from an answer.
  if (live_.asked_by) return live_.next_clients.push_back(client);
  live_.clients.push_back(client);
  ask_installed();
}

void Accessd::ask_for_the_next() {
  if (live_.next_clients.empty() || live_.asked_by) return;
  live_.clients = std::exchange(live_.next_clients, {});
  (void)is_check_due();
  ask_installed();
}

void Accessd::want_live_check(config::value::Duration within) {
  const Instant at = std::max(now_ + within, live_.earliest);
  if (!live_.check_at || at < *live_.check_at) live_.check_at = at;
}

std::optional<Instant> Accessd::next_live_deadline() const {
  if (live_.asked_by) return live_.asked_by;
  return live_check_.under_way() ? live_check_.deadline() : live_.check_at;
}

void Accessd::look_at_live() {
  if (live_.asked_by && *live_.asked_by <= now_) refuse_live("netd or tunneld did not answer within 90 s");
  if (!live_.asked_by && is_check_due()) ask_installed();
}

// Then what is asked for now is for it.
bool Accessd::is_check_due() {
  if (!live_.check_at || *live_.check_at > now_ || live_check_.under_way()) return false;
  if (!controller_.settled()) {
    live_.check_at = now_ + kAgain;
    return false;
  }
  live_.check_at = now_ + std::chrono::seconds(controller_.running_plan()->live.every_seconds);
  return live_.check = true;
}

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
  for (const std::string& error : {live_.kernel->error, live_.tunnels->error})
    if (!error.empty()) return refuse_live("it could not be read: " + error);
  if (live_.kernel->closed) return refuse_live("netd has closed the kernel: nothing is forwarded");
  core::LiveState state{live_.generation, os::wall_now(), *plan, *std::move(live_.kernel), *std::move(live_.tunnels)};
  live_.kernel.reset(), live_.tunnels.reset();
  hand_over(state);
  if (std::exchange(live_.check, false)) check_live(state);
  ask_for_the_next();
}

// Not while a thread reads files: the child would have the locks that it holds (forked_worker.h).
void Accessd::check_live(const core::LiveState& state) {
  if (live_check_.under_way()) return;
  if (reader_.running()) return want_live_check(kAgain);
  auto started = live_check_.start(state, now_);
  if (started) started = child_.loop().watch(live_check_.descriptor(), kLiveToken);
  if (started) return;
  live_check_ = {};
  note_not_checked(started.error().to_string());
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
  if (std::exchange(live_.check, false)) note_not_checked(why);
  ask_for_the_next();
}

// What was found before stays: nothing says that it is gone.
void Accessd::note_not_checked(const std::string& why) {
  want_live_check(kAgain);
  if (!controller_.settled()) return;  // a change is no reason for alarm
  if (live_.report.not_read.empty()) {
    const std::string what = "what is installed could not be checked: " + why;
    record({"live.unchecked", {{"why", why}}}, Weight::kDurable);
    act(core::action::RaiseAlarm{what});
  }
  live_.report.not_read = why;
}

void Accessd::take_live_verdict() {
  if (!live_check_.under_way()) return;
  const int descriptor = live_check_.descriptor();
  auto done = live_check_.take(now_);
  if (!done) return;
  child_.loop().forget(descriptor);
  const auto rest =
      *done ? std::max<config::value::Duration>(kLeastBetween, kShareOfTime * (*done)->took) : kAfterFailure;
  live_.earliest = now_ + rest;
  if (!*done) return note_not_checked(done->error());
  // Of what ran when it began: another plan runs now, and this says nothing of that.
  if ((*done)->generation != controller_.running_generation().number) return want_live_check(kAgain);
  if ((*done)->verdict.nothing_read()) {
    note_not_checked((*done)->verdict.not_proved);
    return repair_once();
  }
  tell_differences(**done);
  live_.report = {now_, **std::move(done), ""};
  const auto& verdict = live_.report.done->verdict;
  // What others leave there for ever must not be the end of repairing ours.
  const bool ours = std::ranges::any_of(verdict.differences, &core::LiveDifference::ours);
  if (verdict.proof && !ours) live_.repaired = false;
  if (!verdict.proof || ours) repair_once();
}

// What of ours differs, or cannot even be read; then a second look.
void Accessd::repair_once() {
  const auto* plan = controller_.running_plan();
  if (plan == nullptr || !plan->live.repair || std::exchange(live_.repaired, true)) return;
  send(ProcessRole::kNetd, MessageType::kRepairKernel, core::RepairKernel{});
  live_.check_at = now_ + kAgain;
}

// Once when it comes, once when it is gone.
void Accessd::tell_differences(const LiveCheck::Done& done) {
  const auto news = news_of(live_.report.done ? &live_.report.done->verdict : nullptr, done.verdict);
  for (const auto* difference : news.differences) {
    record({"live.difference", to_json(*difference, done.writers)}, Weight::kDurable);
    recorder_.tell(telemetry::Alarm{"installed differs: " + without_handles(core::to_sentence(*difference))});
  }
  for (const auto& each : news.breaches) {
    record({"live.breach", {{"what", each}}}, Weight::kDurable);
    recorder_.tell(telemetry::Alarm{"installed differs: " + each});
  }
  for (const auto& each : news.restored) record({"live.restored", {{"what", each}}}, Weight::kDurable);
}

}  // namespace gateway::daemon
