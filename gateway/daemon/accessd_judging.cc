// Candidates on their way to the controller: read and compiled in a thread beside accessd's loop, then proved in a
// child (prover.h), never both at once. One candidate at a time; what comes meanwhile waits, or is told whose change is
// under way.
#include "gateway/daemon/accessd.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/host_facts.h"

namespace gateway::daemon {
namespace {

constexpr std::size_t kMostToJudge = 16;

std::vector<std::string> still_there(config::value::Generation rolled_back, const std::vector<std::string>& lines) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> text{"the files on disk still have what was taken back as generation " +
                                std::to_string(rolled_back.number) +
                                "; take it out of them, or say 'sekisho apply --again' to bring it in all the same:"};
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) text.push_back("  " + lines[i]);
  if (lines.size() > kShown) text.push_back("  and " + std::to_string(lines.size() - kShown) + " lines more");
  return text;
}

}  // namespace

// Everything is given to it: it runs beside us.
Accessd::Reading Accessd::reading(const Judging& wanted) const {
  const auto wall = os::wall_now();
  const auto directory = config_directory();
  if (wanted.purpose == Judging::Purpose::kExpiry)  // the running configuration at this later time
    return [config = controller_.running_config(), plan = controller_.running_shared(), directory, wall] {
      return core::judge_again(*config, plan, directory, wall);
    };
  config::RunningOn running;
  if (const auto* plan = controller_.running_plan()) running = {plan->outside_interface, plan->inside_interface};
  return [file = child_.arguments().config_file, running, directory, wall, canary = wanted.canary,
          plan = controller_.running_shared()] {
    auto loaded = os::load_configuration(file, wall, os::KeyFiles::kLeave);
    if (!config::has_errors(loaded.diagnostics)) {
      auto absent = config::check_host(loaded.config, os::host_facts(), running);
      std::ranges::move(absent, std::back_inserter(loaded.diagnostics));
    }
    if (canary && plan) return judge_canary(*canary, loaded, file, *plan, wall);
    if (canary) return core::refused({"no configuration runs that one facility's part could be put into"});
    return core::judge(loaded, directory, wall);
  };
}

bool Accessd::by_signal(const Judging& each) const {
  const auto client = changes_.find(each.request.id);
  return each.purpose == Judging::Purpose::kChange && client != changes_.end() && client->second == kSupervisorAsks;
}

bool Accessd::changing() const {
  return std::ranges::any_of(to_judge_, [](const Judging& each) { return each.purpose == Judging::Purpose::kChange; });
}

// The change that is being judged; empty: none is.
std::string Accessd::whose_change() const {
  for (const Judging& each : to_judge_)
    if (each.purpose == Judging::Purpose::kChange)
      return "a change of " + each.request.actor + ", asked for " +
             audit::to_rfc3339(each.asked, os::record_time().offset_minutes) +
             (each.request.comment.empty() ? "" : " (" + each.request.comment + ")") +
             ", is being proved; nothing else is applied before: ask again when 'sekisho status' does not "
             "show it any "
             "more";
  return "";
}

// null: nothing is being judged.
Json Accessd::proving_view(const audit::RecordTime& now) const {
  if (to_judge_.empty()) return nullptr;
  using Purpose = Judging::Purpose;
  const Judging& each = to_judge_.front();
  const bool change = each.purpose == Purpose::kChange, diff = each.purpose == Purpose::kDiff;
  return {{"for", change                            ? "change"
                  : diff                            ? "diff"
                  : each.purpose == Purpose::kStart ? "start"
                                                    : "end date"},
          {"by", each.request.actor},
          {"comment", each.request.comment},
          {"since", audit::to_rfc3339(each.asked, now.offset_minutes)}};
}

void Accessd::judge(Judging wanted) {
  wanted.asked = os::wall_now();
  const auto same_signal = [&](const Judging& each) { return &each != &to_judge_.front() && by_signal(each); };
  if (by_signal(wanted) && std::ranges::any_of(to_judge_, same_signal)) return void(changes_.erase(wanted.request.id));
  if (to_judge_.size() >= kMostToJudge) return refuse_to_judge(wanted, "too many wait to be judged; ask again");
  to_judge_.push_back(std::move(wanted));
  if (to_judge_.size() == 1) begin_judging();
}

// Who asks is always answered; a second signal asks for what the first will bring.
void Accessd::refuse_to_judge(const Judging& wanted, const std::string& why) {
  if (wanted.purpose == Judging::Purpose::kDiff) {
    control_.keep(wanted.client, false);
    return control_.send(wanted.client, error_line("busy", why), child_.loop());
  }
  core::Candidate none;
  none.errors = {why};
  give(std::move(none), wanted.request);
}

void Accessd::begin_judging() {
  auto work = reading(to_judge_.front());
  auto started = os::SideThread::start([work, read = read_] { read->emplace(work()); });
  if (started) reader_ = std::move(*started);
  if (started && child_.loop().watch(reader_.descriptor(), kReaderToken)) return;
  reader_.join();
  if (!*read_) read_->emplace(work());  // no thread to be had: then at once
  on_read();
}

void Accessd::on_read() {
  judged_ = std::exchange(*read_, std::nullopt);
  const Judging& wanted = to_judge_.front();
  if (wanted.purpose == Judging::Purpose::kStart && !starts_from_disk()) return end_judging();
  const auto* plan = controller_.running_whole();
  if (wanted.purpose == Judging::Purpose::kChange && plan != nullptr && !wanted.again && judged_->needs_proof())
    if (const auto lines = history_.brought_again(*plan, judged_->candidate().plan); !lines.empty())
      judged_->refuse(still_there(*history_.history().held(), lines));
  if (!judged_->needs_proof()) return decide({});
  auto started = prover_.start(*judged_, now_);
  if (started) started = child_.loop().watch(prover_.descriptor(), kProverToken);
  if (started) return;
  prover_.stop();
  decide({"the plan was not proved, so it is not applied: " + started.error().to_string()});
}

// A start may have something else to run than the files on disk; then those are not even proved.
bool Accessd::starts_from_disk() {
  auto choice = history_.choose_start(judged_->candidate());
  if (!choice.why.empty()) act(core::action::RaiseAlarm{choice.why});
  if (!choice.closed && !choice.kept) return true;
  if (choice.closed) return stay_closed(), false;
  give(candidate_of(*std::move(choice.kept), os::wall_now()), {0, core::ChangeReason::kKept, "start", choice.why});
  return false;
}

void Accessd::stay_closed() {
  core::Actions actions;
  controller_.on_nothing_to_run(actions);
  perform(std::move(actions));
}

void Accessd::look_at_reading() {
  child_.loop().forget(reader_.descriptor());
  reader_.join();
  on_read();
}

void Accessd::look_at_proof() {
  if (!prover_.running()) return;
  const int descriptor = prover_.descriptor();
  auto breaches = prover_.answer(now_);
  if (!breaches) return;
  child_.loop().forget(descriptor);
  decide(*std::move(breaches));
}

void Accessd::decide(std::vector<std::string> breaches) {
  auto candidate = (*std::exchange(judged_, std::nullopt)).decided(std::move(breaches));
  const Judging wanted = to_judge_.front();
  if (wanted.purpose == Judging::Purpose::kDiff)
    answer_diff(wanted.client, candidate);
  else
    give(std::move(candidate), wanted.request);
  end_judging();
}

void Accessd::end_judging() {
  judged_.reset();
  to_judge_.pop_front();
  if (!to_judge_.empty()) begin_judging();
}

void Accessd::give(core::Candidate candidate, core::ChangeRequest request) {
  core::Actions actions;
  controller_.on_candidate(std::move(candidate), std::move(request), now_, actions);
  perform(std::move(actions));
}

// What an end date takes away waits for nobody's proof: fewer rows of a plan that was proved let nothing more pass.
void Accessd::act(const core::action::RecompileRunning&) {
  const auto* plan = controller_.running_whole();
  if (plan == nullptr) return;
  const core::ChangeRequest request{0, core::ChangeReason::kExpiry, "end date", ""};
  if (controller_.running_config() && to_judge_.empty()) return judge({Judging::Purpose::kExpiry, request});
  auto candidate = core::without_ended(*plan, controller_.running_keys(), os::wall_now());
  candidate.config = controller_.running_config();
  candidate.made_of = controller_.running_shared();
  give(std::move(candidate), request);
}

// Nothing runs yet in what accessd knows, though netd and tunneld may have gone on with what ran before; so that the
// one can be cut and the others are not, the last good plan is what runs from here, and the start goes on behind it.
void Accessd::run_last_good_for_a_cut() {
  const bool starting = !to_judge_.empty() && to_judge_.front().purpose == Judging::Purpose::kStart;
  if (!starting || controller_.has_target()) return;
  auto kept = history_.good_plan();
  if (!kept) return;
  const std::string why = "somebody is cut off before the start is through: the last good plan runs first";
  give(candidate_of(*std::move(kept), os::wall_now()), {0, core::ChangeReason::kKept, "start", why});
}

}  // namespace gateway::daemon
