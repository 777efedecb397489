// Isolation in the controller: an order to cut overtakes everything; an order to rejoin is a change in its turn.
#include <algorithm>
#include <iterator>

#include "config/report.h"
#include "gateway/core/controller.h"

namespace gateway::core {
namespace {

using config::value::FacilityName;
using policy::IsolationOrder;

bool among(const std::vector<std::uint64_t>& numbers, const IsolationOrder& order) {
  return std::ranges::find(numbers, order.number) != numbers.end();
}

std::string named(const FacilityName& facility) {
  return facility.text.empty() ? "everything" : facility.text;
}

std::string not_isolated(const FacilityName& facility, bool stopped) {
  if (facility.text.empty()) return "there is no emergency stop to end ('sekisho status' names what is isolated)";
  return facility.text + " is not isolated" +
         (stopped ? " by itself: the emergency stop closes it, which 'sekisho rejoin --all' ends" : "");
}

}  // namespace

bool Controller::is_known(const FacilityName& name) const {
  if (!running_ && !pending_ && waiting_.empty()) return true;  // kept for when a configuration comes
  const auto in = [&name](const policy::Plan& plan) {
    return std::ranges::find(plan.facilities, name, &policy::FacilityPlan::name) != plan.facilities.end();
  };
  return (running_ && in(*running_->whole)) || (pending_ && in(*pending_->whole)) ||
         std::ranges::any_of(waiting_, [&](const Waiting& each) { return in(each.candidate.plan); });
}

std::vector<std::string_view> Controller::facility_names() const {
  std::vector<std::string_view> names;
  for (const Target* each : {running_ ? &*running_ : nullptr, pending_ ? &*pending_ : nullptr})
    if (each != nullptr)
      for (const auto& facility : each->whole->facilities) names.push_back(facility.name.text);
  return names;
}

policy::Isolation Controller::isolation_without(std::span<const std::uint64_t> lifts) const {
  policy::Isolation left = isolation_;
  std::erase_if(left.orders,
                [&](const IsolationOrder& order) { return std::ranges::find(lifts, order.number) != lifts.end(); });
  return left;
}

// By changes that are under way or wait: such an order does not stand any more for whoever asks to cut.
std::vector<std::uint64_t> Controller::being_lifted() const {
  std::vector<std::uint64_t> numbers;
  if (pending_) numbers = pending_->lifts;
  for (const Waiting& each : waiting_) numbers.insert(numbers.end(), each.lifts.begin(), each.lifts.end());
  return numbers;
}

void Controller::on_isolate(IsolationRequest request, Instant now, Actions& out) {
  if (!request.facility.text.empty() && !is_known(request.facility)) {
    IsolationOutcome outcome;
    outcome.generation = running_generation();
    const auto near = config::did_you_mean(request.facility.text, facility_names());
    outcome.errors = {"no facility '" + request.facility.text + "' is configured; nothing was cut" +
                      (near.empty() ? "" : ", " + near)};
    out.push_back(
        action::AppendIsolationRecord{{IsolationRecord::Step::kRefused,
                                       {0, request.facility, request.at, request.actor, request.reason, {}, {}},
                                       request.actor,
                                       request.reason,
                                       running_generation(),
                                       outcome.errors}});
    return out.push_back(action::AnswerIsolation{request.id, std::move(outcome)});
  }
  const auto lifting = being_lifted();
  const auto standing = std::ranges::find_if(isolation_.orders, [&](const IsolationOrder& order) {
    return order.facility == request.facility && !among(lifting, order);
  });
  if (standing != isolation_.orders.end()) {
    cut_waiters_.push_back({request.id, *standing, true});
    if (!cutting_) return answer_cut({}, out);
    if (!cut_by_) cut_by_ = now + kCutTime;
    return;
  }
  give_order(request, out);
  cut(now, out);
}

// Known by all it has now, and by what it would have after a change that is under way.
void Controller::give_order(const IsolationRequest& request, Actions& out) {
  IsolationOrder order{++isolation_.last, request.facility, request.at, request.actor, request.reason, {}, {}};
  isolation_.orders.push_back(order);
  if (running_) (void)policy::learn(isolation_, *running_->whole);
  if (pending_) (void)policy::learn(isolation_, *pending_->whole);
  for (const Waiting& each : waiting_) (void)policy::learn(isolation_, each.candidate.plan);
  order = isolation_.orders.back();
  out.push_back(action::KeepIsolation{isolation_});
  out.push_back(action::AppendIsolationRecord{
      {IsolationRecord::Step::kOrdered, order, request.actor, request.reason, running_generation(), {}}});
  cut_waiters_.push_back({request.id, std::move(order), false});
}

Candidate Controller::candidate_of(const Target& target) const {
  Candidate candidate;
  candidate.config = target.config;
  candidate.plan = *target.whole;
  candidate.keys = target.keys;
  candidate.sources = target.sources;
  candidate.made_of = target.made_of;
  candidate.next_change = target.next_change;
  candidate.credentials = target.credentials;
  candidate.warnings = target.warnings;
  return candidate;
}

// The change that is under way is put back into the queue, the first of it. Whatever it has told a process already is
// overtaken by what runs, under a new generation.
void Controller::interrupt(Actions& out) {
  const bool once = pending_->request.once;
  const std::string why = std::string("an isolation came first; ") +
                          (once ? "nothing was changed, apply it again" : "the change begins again after it");
  append(ChangeRecord::Step::kFailed, *pending_, {why}, 0, out);
  auto& keyd = process(ProcessRole::kKeyd);
  if (std::exchange(keyd.asked, false)) ++stale_key_replies_;
  if (keyd.has == pending_->generation) keyd.has = {};
  key_facts_ = running_key_facts_;
  const bool rejoins = pending_->request.reason == ChangeReason::kRejoin;
  if (once)
    answer_failed(why, out);
  else
    waiting_.push_front({rejoins ? Candidate{} : candidate_of(*pending_), pending_->request, pending_->lifts});
  pending_.reset();
}

void Controller::isolate(Target& wanted) const {
  const auto orders = isolation_without(wanted.lifts);
  wanted.plan = wanted.whole;  // 200,000 rows are not copied for nothing
  if (!orders.orders.empty())
    wanted.plan = std::make_shared<const policy::Plan>(policy::isolate(*wanted.whole, orders));
}

// The keys are those of before, so keyd is not asked: it must not be able to hold up a cut.
void Controller::renew(Target& wanted) {
  const Generation before = wanted.generation;
  wanted.generation = last_generation_ = Generation{last_generation_.number + 1};
  isolate(wanted);
  if (auto& keyd = process(ProcessRole::kKeyd); keyd.has == before) keyd.has = wanted.generation;
  for (const auto role : {ProcessRole::kNetd, ProcessRole::kTunneld})
    process(role).asked = false, process(role).has = {};
  reply_by_.reset(), retry_at_.reset();
  descriptors_asked_ = false;
}

void Controller::cut(Instant now, Actions& out) {
  Actions after;  // a record more would only hold it up
  if (pending_ && running_) interrupt(after);
  Target* wanted = target();
  if (wanted == nullptr) {  // the order is for when a configuration comes
    out.push_back(action::CloseKernel{});
    return answer_cut({}, out);
  }
  renew(*wanted);
  cutting_ = true;
  if (!cut_by_) cut_by_ = now + kCutTime;
  advance(now, out);
  std::ranges::move(after, std::back_inserter(out));
  if (pending_ && !running_) return;  // told when it runs
  out.push_back(action::PlanChanged{});
  out.push_back(*running_good());
}

// Both at once, and neither behind the keys: the order of a change is for what it opens.
void Controller::push_cut(const Target& wanted, Instant now, Actions& out) {
  if (wanted.whole->permissions.size() > kLongPlan) cut_in_kernel(wanted, out);  // seconds before the plan is there
  (void)netd_there(wanted, now, out);
  if (!bound_.empty()) (void)tunneld_there(wanted, now, out);  // else there is nothing to hand over yet
}

// After a start of accessd netd and tunneld go on with what ran before, and the plan that is to run may not be sent
// before its record is durable, which a full disk can put off for ever. The cut does not wait for that.
void Controller::cut_in_kernel(const Target& wanted, Actions& out) {
  if (!process(ProcessRole::kNetd).present || cut_in_kernel_ == wanted.generation) return;
  cut_in_kernel_ = wanted.generation;
  CutFacilities order{wanted.generation, policy::all_isolated(*wanted.plan), {}, wanted.recorded};
  for (const auto& facility : wanted.plan->facilities)
    if (facility.isolated && !order.all) order.facilities.push_back(facility.name);
  out.push_back(action::CutInKernel{std::move(order)});
}

// The kernel lets nothing of it pass any more; the rest follows with the plan.
void Controller::on_facilities_cut(const FacilitiesCut& reply, Actions& out) {
  const Target* wanted = target();
  if (!cutting_ || wanted == nullptr || reply.generation != wanted->generation) return;
  if (!reply.good) return out.push_back(action::RaiseAlarm{"an isolation failed in the kernel: " + reply.error});
  if (!wanted->recorded) cut_by_.reset();  // else the rest is late, too, when it is late
  const char* const rest =
      wanted->recorded ? "cut in the kernel; its tunnel and its routes end when all processes have the plan"
                       : "cut in the kernel; its tunnel ends when the start of the gateway can be put on record";
  for (CutWaiter& waiter : cut_waiters_) {
    IsolationOutcome outcome;
    outcome.good = true, outcome.already = waiter.already, outcome.generation = wanted->generation;
    outcome.orders = {waiter.order};
    outcome.notes = {rest};
    if (const auto id = std::exchange(waiter.request, 0); id != 0)
      out.push_back(action::AnswerIsolation{id, std::move(outcome)});
  }
}

// A tunneld that is not there carries no tunnel; what a netd left behind that is not there does go on.
void Controller::look_at_cut(Actions& out) {
  const Target* wanted = target();
  const auto& netd = process(ProcessRole::kNetd);
  const auto& tunneld = process(ProcessRole::kTunneld);
  if (wanted == nullptr || !netd.present || netd.has != wanted->generation) return;
  if (tunneld.present && tunneld.has != wanted->generation) return;
  cutting_ = false;
  for (const CutWaiter& waiter : cut_waiters_)
    if (!waiter.already)
      out.push_back(action::AppendIsolationRecord{{IsolationRecord::Step::kInForce,
                                                   waiter.order,
                                                   waiter.order.actor,
                                                   waiter.order.reason,
                                                   wanted->generation,
                                                   {}}});
  answer_cut({}, out);
}

// With errors the order stands, and whoever waits is told that it is not in force yet.
void Controller::answer_cut(std::vector<std::string> errors, Actions& out) {
  cut_by_.reset();
  const Target* wanted = target();
  for (CutWaiter& waiter : cut_waiters_) {
    const std::uint64_t id = std::exchange(waiter.request, 0);
    if (id == 0) continue;
    IsolationOutcome outcome;
    outcome.good = errors.empty(), outcome.already = waiter.already;
    outcome.generation = wanted == nullptr ? Generation{} : wanted->generation;
    outcome.orders = {waiter.order};
    outcome.errors = errors;
    if (wanted == nullptr)
      outcome.notes = {"no configuration runs: the kernel is closed, and the order is kept for when one does"};
    out.push_back(action::AnswerIsolation{id, std::move(outcome)});
  }
  if (errors.empty()) cut_waiters_.clear();
}

void Controller::tell_late_cut(Actions& out) {
  std::vector<std::string> errors;
  const Target* wanted = target();
  for (const auto role : {ProcessRole::kNetd, ProcessRole::kTunneld}) {
    const auto& each = process(role);
    if (!each.present && role == ProcessRole::kNetd) errors.push_back("netd is not there");
    if (each.present && (wanted == nullptr || each.has != wanted->generation))
      errors.push_back(name_of(role) + " has not confirmed it" + (last_error_.empty() ? "" : " (" + last_error_ + ")"));
  }
  std::string text = "an isolation is not in force yet, and is tried until it is";
  for (const auto& each : errors) text += ": " + each;
  out.push_back(action::RaiseAlarm{text});
  answer_cut({std::move(text)}, out);
}

// A facility's own orders, under whatever name it was when they were given; the emergency stop is lifted by itself, so
// that its end opens no facility that was cut for a reason of its own.
std::vector<IsolationOrder> Controller::orders_to_lift(const IsolationRequest& request) const {
  const policy::FacilityPlan* facility = nullptr;
  for (const Target* each : {running_ ? &*running_ : nullptr, pending_ ? &*pending_ : nullptr}) {
    if (each == nullptr || facility != nullptr) continue;
    const auto found = std::ranges::find(each->whole->facilities, request.facility, &policy::FacilityPlan::name);
    if (found != each->whole->facilities.end()) facility = &*found;
  }
  const auto lifting = being_lifted();
  std::vector<IsolationOrder> found;
  for (const IsolationOrder& order : isolation_.orders) {
    if (among(lifting, order) || order.of_all() != request.facility.text.empty()) continue;
    // One of another name only after a rename: while there is a facility of that name, the order is for that.
    const bool renamed = facility != nullptr && policy::holds(order, *facility) && !is_known(order.facility);
    if (order.facility == request.facility || renamed) found.push_back(order);
  }
  return found;
}

// What is left of an order that is for a facility of another name, which has had this one's networks or identity.
std::string Controller::held_by_another(const FacilityName& name) const {
  const Target* wanted = running_ ? &*running_ : pending_ ? &*pending_ : nullptr;
  if (wanted == nullptr) return "";
  const auto facility = std::ranges::find(wanted->whole->facilities, name, &policy::FacilityPlan::name);
  if (facility == wanted->whole->facilities.end()) return "";
  for (const IsolationOrder& order : isolation_.orders)
    if (!order.of_all() && order.facility != name && policy::holds(order, *facility))
      return "; it is held by the order for " + order.facility.text +
             ", which has had its networks or its identity: 'sekisho rejoin " + order.facility.text + "' ends that";
  return "";
}

void Controller::on_rejoin(IsolationRequest request, Instant now, Actions& out) {
  const auto orders = orders_to_lift(request);
  if (orders.empty()) {
    const bool stopped = std::ranges::any_of(isolation_.orders, &IsolationOrder::of_all);
    return refuse_rejoin(request.id, not_isolated(request.facility, stopped) + held_by_another(request.facility), out);
  }
  if (waiting_.size() >= kMostWaiting)
    return refuse_rejoin(request.id, "too many changes are waiting; try again when they are done", out);
  std::vector<std::uint64_t> numbers;
  for (const IsolationOrder& order : orders) numbers.push_back(order.number);
  ChangeRequest change{request.id, ChangeReason::kRejoin, request.actor, request.reason};
  if (!running_ && !pending_) {  // nothing to open
    Target none;
    none.lifts = std::move(numbers);
    none.request = std::move(change);
    return lift(none, out);
  }
  waiting_.push_back({{}, std::move(change), std::move(numbers)});
  if (!cutting_ || retry_at_) next_waiting(now, out);
}

void Controller::refuse_rejoin(std::uint64_t request, const std::string& error, Actions& out) {
  IsolationOutcome outcome;
  outcome.generation = running_generation();
  outcome.errors = {error};
  out.push_back(action::AnswerIsolation{request, std::move(outcome)});
}

// It runs: the orders end. Forgotten after the effect: whatever happens between leaves it cut.
void Controller::lift(const Target& done, Actions& out) {
  if (done.lifts.empty()) return;
  IsolationOutcome outcome;
  outcome.good = true, outcome.generation = done.generation;
  for (const IsolationOrder& order : isolation_.orders)
    if (among(done.lifts, order)) outcome.orders.push_back(order);
  isolation_ = isolation_without(done.lifts);
  out.push_back(action::KeepIsolation{isolation_});
  for (const IsolationOrder& order : outcome.orders) {
    out.push_back(action::AppendIsolationRecord{
        {IsolationRecord::Step::kLifted, order, done.request.actor, done.request.comment, done.generation, {}}});
    for (const IsolationOrder& left : isolation_.orders)
      if (left.of_all() || left.facility == order.facility || order.of_all())
        outcome.notes.push_back(named(left.facility) + " stays isolated, by the order of " + left.actor);
  }
  if (done.request.id != 0) out.push_back(action::AnswerIsolation{done.request.id, std::move(outcome)});
}

void Controller::learn_facilities(Actions& out) {
  if (policy::learn(isolation_, *running_->whole)) out.push_back(action::KeepIsolation{isolation_});
}

}  // namespace gateway::core
