#include "gateway/core/controller.h"

#include <algorithm>
#include <map>

namespace gateway::core {

const char* to_string(ChangeReason reason) {
  switch (reason) {
    case ChangeReason::kStart:
      return "start";
    case ChangeReason::kRequest:
      return "request";
    case ChangeReason::kExpiry:
      return "expiry";
    case ChangeReason::kLastGood:
      return "last-good";
    case ChangeReason::kRejoin:
      return "rejoin";
    case ChangeReason::kKept:
      return "kept";
    case ChangeReason::kRollback:
      return "rollback";
  }
  return "unknown";
}

namespace {

// The content, where the name is the same: it changes who is let in, and an auditor asks when (P7).
void note_changed_files(const Credentials& before, const Credentials& after, std::vector<std::string>& lines) {
  const std::map<std::string, std::string> old(before.begin(), before.end());
  for (const auto& [name, digest] : after)
    if (const auto known = old.find(name); known != old.end() && known->second != digest)
      lines.push_back("~ file " + name + ": " + known->second + " is now " + digest);
}

void note_changed_keys(std::span<const KeyMark> before, std::span<const KeyMark> after,
                       std::vector<std::string>& lines) {
  std::map<std::string_view, std::uint64_t> old;
  for (const KeyMark& mark : before) old.emplace(mark.name, mark.mark);
  for (const KeyMark& now : after)
    if (const auto known = old.find(now.name); known != old.end() && known->second != now.mark)
      lines.push_back("~ key " + now.name + ": another key");
}

}  // namespace

std::vector<std::string> Controller::difference_to(const Candidate& candidate) const {
  const auto& running = policy::or_none(running_ ? running_->plan.get() : nullptr);
  auto lines = isolation_.orders.empty() ? describe_difference(running, candidate.plan)
                                         : describe_difference(running, policy::isolate(candidate.plan, isolation_));
  shorten_lines(lines);
  if (running_) note_changed_files(running_->credentials, candidate.credentials, lines);
  return lines;
}

void Controller::on_nothing_to_run(Actions& out) {
  start_expected_ = false;
  if (target() == nullptr && process(ProcessRole::kNetd).present) out.push_back(action::CloseKernel{});
}

void Controller::on_candidate(Candidate candidate, ChangeRequest request, Instant now, Actions& out) {
  if (request.reason == ChangeReason::kExpiry) recompiling_ = false;
  if (!candidate.errors.empty()) return refuse(candidate, request, out);
  // What is taken back while an end date is being proved must not come again with it: it is asked for anew.
  if (request.reason == ChangeReason::kExpiry && (rolling_back() || !is_of_running(candidate))) return;
  if (pending_ && retry_at_) give_up("replaced by a newer change: " + last_error_, out);
  // One after the other, also behind a cut and what it overtook; but a cut that fails must not keep a mended
  // configuration out.
  if (waiting_.size() < kMostWaiting || request.reason == ChangeReason::kRollback) {
    waiting_.push_back({std::move(candidate), std::move(request)});
    if (!cutting_ || retry_at_) next_waiting(now, out);
    return;
  }
  candidate.errors.push_back("too many changes are waiting; try again when they are done");
  refuse(candidate, request, out);
}

void Controller::refuse(const Candidate& candidate, const ChangeRequest& request, Actions& out) {
  Target about;
  about.generation = running_generation();
  about.request = request;
  about.warnings = candidate.warnings;
  append(ChangeRecord::Step::kRefused, about, candidate.errors, 0, out);
  last_error_ = candidate.errors.front();
  ChangeOutcome outcome{false, running_generation(), candidate.errors, candidate.warnings, {}};
  if (request.id != 0) out.push_back(action::AnswerChange{request.id, std::move(outcome)});
  if (request.reason == ChangeReason::kStart && !running_ && !pending_) out.push_back(action::UseLastGood{});
}

void Controller::begin(Waiting waiting, Instant now, Actions& out) {
  const bool rejoins = waiting.request.reason == ChangeReason::kRejoin;
  if (rejoins && !running_) {  // what it waited for came to nothing, so there is nothing that it could open
    refuse_rejoin(waiting.request.id, "no configuration runs; ask again when one does ('sekisho status')", out);
    return next_waiting(now, out);
  }
  Candidate candidate = rejoins && running_ ? candidate_of(*running_) : std::move(waiting.candidate);
  if (waiting.request.reason == ChangeReason::kExpiry && !is_of_running(candidate)) return next_waiting(now, out);
  Target next;
  next.generation = last_generation_ = Generation{last_generation_.number + 1};
  next.lifts = std::move(waiting.lifts);
  next.whole = std::make_shared<const policy::Plan>(std::move(candidate.plan));
  isolate(next);
  next.digest = digest(*next.whole);
  next.difference = describe_difference(policy::or_none(running_ ? running_->plan.get() : nullptr), *next.plan);
  shorten_lines(next.difference);
  if (running_) note_changed_files(running_->credentials, candidate.credentials, next.difference);
  // An end date that has come reads no files: they are those of before.
  next.credentials =
      candidate.credentials.empty() && running_ ? running_->credentials : std::move(candidate.credentials);
  next.config = std::move(candidate.config);
  next.keys = std::move(candidate.keys);
  next.sources = std::move(candidate.sources);
  next.made_of = std::move(candidate.made_of);
  next.next_change = candidate.next_change;
  if (!rejoins) next.warnings = std::move(candidate.warnings);
  for (auto& each : policy::isolation_notes(isolation_without(next.lifts), *next.whole))
    if (std::ranges::find(next.warnings, each) == next.warnings.end()) next.warnings.push_back(std::move(each));
  next.request = std::move(waiting.request);
  const auto reason = next.request.reason;
  const bool same_source = reason == ChangeReason::kExpiry || reason == ChangeReason::kRejoin;
  next.from_last_good = reason == ChangeReason::kLastGood || (same_source && from_last_good());
  pending_ = std::move(next);
  state_ = Step::kRecord;
  reply_by_.reset(), retry_at_.reset();
  for (auto& each : processes_) each.asked = false;
  advance(now, out);
}

bool Controller::is_of_running(const Candidate& candidate) const {
  return running_ && candidate.made_of == running_->whole;
}

void Controller::record(Target& wanted, Actions& out) {
  if (wanted.record_asked) return;
  wanted.record_asked = true;
  append(ChangeRecord::Step::kApplying, wanted, {}, ++ticket_, out);
}

void Controller::append(ChangeRecord::Step step, const Target& about, std::vector<std::string> errors,
                        std::uint64_t ticket, Actions& out) {
  ChangeRecord record{step,         about.generation, about.request,     running_digest(),
                      about.digest, about.difference, std::move(errors), about.warnings};
  std::optional<action::Kept> kept;
  if (step == ChangeRecord::Step::kApplying) kept = action::Kept{about.whole, about.keys, about.sources};
  out.push_back(action::AppendRecord{std::move(record), ticket, std::move(kept)});
}

void Controller::on_recorded(std::uint64_t ticket, bool durable, Instant now, Actions& out) {
  if (ticket == 0 || ticket != ticket_ || !pending_ || pending_->recorded) return;
  // P7: no access before its record. An ended permission is taken away all the same.
  if (!durable && pending_->request.reason != ChangeReason::kExpiry) {
    pending_->record_asked = false;
    return fail("the record of the change could not be made durable; nothing was changed", now, out);
  }
  if (!durable) out.push_back(action::RaiseAlarm{"the end of a permission could not be recorded"});
  pending_->recorded = true;
  advance(now, out);
}

void Controller::on_greeted(ProcessRole role, Instant now, Actions& out) {
  process(role) = Process{true, false, {}};
  if (role == ProcessRole::kTunneld) tunneld_has_descriptors_ = false;
  if (role == ProcessRole::kNetd) descriptors_asked_ = false, cut_in_kernel_ = {};
  // A netd that outlived accessd has what ran before, and nobody may run that any more (P5).
  if (role == ProcessRole::kNetd && target() == nullptr && !start_expected_) out.push_back(action::CloseKernel{});
  advance(now, out);
}

void Controller::on_lost(ProcessRole role, Instant now, Actions& out) {
  process(role) = Process{};
  if (role == ProcessRole::kKeyd) stale_key_replies_ = 0;
  if (role == ProcessRole::kTunneld) tunneld_has_descriptors_ = false;
  if (role == ProcessRole::kNetd) descriptors_asked_ = false;
  advance(now, out);
}

// Sends the first thing that is missing and stops there; called whenever anything changed.
void Controller::advance(Instant now, Actions& out) {
  Target* wanted = target();
  if (wanted == nullptr || retry_at_) return;
  if (cutting_ && !wanted->recorded) cut_in_kernel(*wanted, out);
  if (!wanted->recorded) return record(*wanted, out);
  if (cutting_ && (!pending_ || !running_)) push_cut(*wanted, now, out);  // a change has its own order, keys first
  const bool done = keys_there(*wanted, now, out) && netd_there(*wanted, now, out) &&
                    descriptors_there(*wanted, now, out) && tunneld_there(*wanted, now, out);
  if (cutting_) look_at_cut(out);
  if (done)
    settle(now, out);
  else if (!cutting_)
    next_waiting(now, out);  // what a cut overtook
}

void Controller::asked(ProcessRole role, Step step, Instant now) {
  process(role).asked = true;
  process(role).has = {};  // until it confirms, it may hold either
  state_ = step;
  reply_by_ = now + kReplyTime;
}

bool Controller::keys_there(const Target& wanted, Instant now, Actions& out) {
  auto& keyd = process(ProcessRole::kKeyd);
  if (keyd.present && keyd.has == wanted.generation) return true;
  if (!keyd.present) state_ = Step::kKeys;
  if (!keyd.present || keyd.asked) return false;
  asked(ProcessRole::kKeyd, Step::kKeys, now);
  out.push_back(action::ConfigureKeyd{{wanted.keys}});
  return false;
}

bool Controller::netd_there(const Target& wanted, Instant now, Actions& out) {
  auto& netd = process(ProcessRole::kNetd);
  if (netd.present && netd.has == wanted.generation) return true;
  if (!netd.present) state_ = Step::kNetd;
  if (!netd.present || netd.asked) return false;
  asked(ProcessRole::kNetd, Step::kNetd, now);
  out.push_back(action::ApplyToNetd{wanted.generation, wanted.plan});
  return false;
}

// The shell keeps the descriptors, so a restarted netd or tunneld does not need new ones.
bool Controller::descriptors_there(const Target& wanted, Instant now, Actions& out) {
  if (bound_ == sockets_of(*wanted.plan)) return true;
  if (descriptors_asked_) return false;
  descriptors_asked_ = true;
  state_ = Step::kDescriptors;
  reply_by_ = now + kReplyTime;
  out.push_back(action::RequestDescriptors{});
  return false;
}

bool Controller::tunneld_there(const Target& wanted, Instant now, Actions& out) {
  auto& tunneld = process(ProcessRole::kTunneld);
  if (tunneld.present && tunneld.has == wanted.generation && tunneld_has_descriptors_) return true;
  if (!tunneld.present) state_ = Step::kTunneld;
  if (!tunneld.present || tunneld.asked) return false;
  asked(ProcessRole::kTunneld, Step::kTunneld, now);
  out.push_back(action::ConfigureTunneld{wanted.generation, wanted.plan, key_facts_.public_key,
                                         key_facts_.signature_schemes, key_facts_.marks, !tunneld_has_descriptors_});
  return false;
}

void Controller::on_keys_configured(const KeysConfigured& reply, Instant now, Actions& out) {
  if (stale_key_replies_ > 0) return void(--stale_key_replies_);
  auto& keyd = process(ProcessRole::kKeyd);
  const Target* wanted = target();
  if (!keyd.asked || wanted == nullptr) return;
  keyd.asked = false;
  std::vector<KeyMark> marks;
  for (const auto& wanted_key : wanted->keys) {
    const auto found = std::ranges::find(reply.keys, wanted_key.name, &KeyOutcome::name);
    if (found == reply.keys.end()) return fail("key " + wanted_key.name + ": keyd did not answer for it", now, out);
    if (!found->good)
      return fail(
          "key " + wanted_key.name + ": " + found->error + " ('sekisho check' names the place in the configuration)",
          now, out);
    if (wanted_key.name == wanted->plan->gateway_key) key_facts_.public_key = found->public_key;
    if (wanted_key.name == wanted->plan->signing_key) key_facts_.signature_schemes = found->signature_schemes;
    if (found->mark != 0) marks.push_back({found->name, found->mark});
  }
  if (pending_ && running_) note_changed_keys(key_facts_.marks, marks, pending_->difference);
  key_facts_.marks = std::move(marks);
  keyd.has = wanted->generation;
  advance(now, out);
}

void Controller::on_plan_applied(const PlanApplied& reply, Instant now, Actions& out) {
  auto& netd = process(ProcessRole::kNetd);
  const Target* wanted = target();
  if (!netd.asked || wanted == nullptr || reply.generation != wanted->generation) return;
  netd.asked = false;
  if (!reply.good) return fail("netd: " + reply.error, now, out);
  netd.has = reply.generation;
  advance(now, out);
}

void Controller::on_descriptors(const Descriptors& reply, Instant now, Actions& out) {
  const bool expected = std::exchange(descriptors_asked_, false);
  const Target* wanted = target();
  if (wanted == nullptr) return;
  if (!reply.good) {
    if (expected) fail("netd: " + reply.error, now, out);
    return;
  }
  bound_ = reply.sockets;
  std::ranges::sort(bound_);
  if (expected && bound_ != sockets_of(*wanted->plan))
    return fail("netd bound other sockets than the plan names", now, out);
  tunneld_has_descriptors_ = false;
  process(ProcessRole::kTunneld).asked = false;
  advance(now, out);
}

void Controller::on_tunnels_configured(const TunnelsConfigured& reply, Instant now, Actions& out) {
  auto& tunneld = process(ProcessRole::kTunneld);
  const Target* wanted = target();
  if (!tunneld.asked || wanted == nullptr || reply.generation != wanted->generation) return;
  tunneld.asked = false;
  if (!reply.good) return fail("tunneld: " + reply.error, now, out);
  tunneld_has_descriptors_ = true;
  tunneld.has = reply.generation;
  advance(now, out);
}

void Controller::settle(Instant now, Actions& out) {
  state_ = Step::kSettled;
  reply_by_.reset();
  if (pending_) adopt_pending(out);
  if (!std::exchange(announced_, true))
    out.push_back(action::AnnounceReady{"generation " + std::to_string(running_->generation.number)});
  next_waiting(now, out);
}

void Controller::adopt_pending(Actions& out) {
  append(ChangeRecord::Step::kApplied, *pending_, {}, 0, out);
  running_ = std::move(*pending_);
  pending_.reset();
  last_error_.clear();
  running_key_facts_ = key_facts_;
  lift(*running_, out);
  running_->lifts.clear();
  learn_facilities(out);
  out.push_back(action::PlanChanged{});
  // Always, also when only the generation is new: no generation comes twice.
  out.push_back(*running_good());
  if (running_->request.id == 0 || running_->request.reason == ChangeReason::kRejoin) return;
  ChangeOutcome outcome{true, running_->generation, {}, running_->warnings, running_->difference};
  out.push_back(action::AnswerChange{running_->request.id, std::move(outcome)});
}

// A change that cannot be completed is given up and what ran before is put back by the usual steps (the generations
// differ). The very first one, an ended permission and a rollback are tried again instead: nothing else may run.
void Controller::fail(std::string error, Instant now, Actions& out) {
  const bool news = error != last_error_;
  last_error_ = error;
  reply_by_.reset();
  for (auto& each : processes_) each.asked = false;
  descriptors_asked_ = false;
  const bool must = pending_ && (pending_->request.reason == ChangeReason::kExpiry ||
                                 pending_->request.reason == ChangeReason::kRollback);
  if (!pending_ || !running_ || must) {
    if (news) out.push_back(action::RaiseAlarm{error});  // it is tried again every two seconds
    if (pending_) answer_failed(error, out);
    retry_at_ = now + kRetryTime;
    return;
  }
  give_up(error, out);
  advance(now, out);
  next_waiting(now, out);
}

void Controller::give_up(const std::string& error, Actions& out) {
  append(ChangeRecord::Step::kFailed, *pending_, {error}, 0, out);
  answer_failed(error, out);
  pending_.reset();
  retry_at_.reset();
}

// The person is told at once, also when the change is tried again.
void Controller::answer_failed(const std::string& error, Actions& out) {
  const std::uint64_t id = std::exchange(pending_->request.id, 0);
  if (id == 0) return;
  if (pending_->request.reason == ChangeReason::kRejoin) return refuse_rejoin(id, error, out);
  ChangeOutcome outcome{false, running_generation(), {error}, pending_->warnings, pending_->difference};
  out.push_back(action::AnswerChange{id, std::move(outcome)});
}

bool Controller::rolling_back() const {
  const auto takes_back = [](const ChangeRequest& request) { return request.reason == ChangeReason::kRollback; };
  return (pending_ && takes_back(pending_->request)) ||
         std::ranges::any_of(waiting_, [&](const Waiting& each) { return takes_back(each.request); });
}

void Controller::next_waiting(Instant now, Actions& out) {
  if (pending_ || waiting_.empty()) return;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  begin(std::move(next), now, out);
}

// Not while the same waits behind a cut: it would be asked for in every turn.
bool Controller::may_recompile() const {
  return !pending_ && running_ && running_->next_change && waiting_.empty() && !recompiling_ &&
         (!cutting_ || retry_at_);
}

void Controller::on_deadline(WallTime wall, Instant now, Actions& out) {
  if (cut_by_ && *cut_by_ <= now) tell_late_cut(out);
  if (reply_by_ && *reply_by_ <= now) return fail("a process did not answer within 30 s", now, out);
  if (retry_at_ && *retry_at_ <= now) {
    retry_at_.reset();
    advance(now, out);
  }
  if (!may_recompile() || wall < *running_->next_change) return;
  recompiling_ = true;
  out.push_back(action::RecompileRunning{});
}

std::optional<Instant> Controller::next_deadline(WallTime wall, Instant now) const {
  std::optional<Instant> first = reply_by_;
  const auto take = [&first](Instant at) { first = first ? std::min(*first, at) : at; };
  if (retry_at_) take(*retry_at_);
  if (cut_by_) take(*cut_by_);
  if (may_recompile()) {
    const Duration left = *running_->next_change - wall;
    take(now + std::clamp(left, Duration::zero(), Duration(std::chrono::seconds(60))));
  }
  return first;
}

}  // namespace gateway::core
