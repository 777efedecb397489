// Order of the start: closed table, device, parameters, routes, rules, forwarding. Order of the stop: the reverse.
#include "gateway/daemon/netd_kernel.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "firewall/compile.h"
#include "firewall/elements.h"
#include "gateway/daemon/netd_sysctls.h"
#include "gateway/os/conntrack_forget.h"
#include "gateway/os/record_sockets.h"
#include "gateway/os/routing_foreign.h"
#include "policy/isolation.h"
#include "policy/verify.h"

namespace gateway::daemon {
namespace {

using os::OsError;
using os::OsResult;

// Seen networks of the facilities that `now` isolates and `before` did not.
std::vector<config::value::Prefix> newly_isolated(const std::optional<policy::Plan>& before, const policy::Plan& now) {
  std::set<policy::FacilityName> known;
  if (before)
    for (const auto& facility : before->facilities)
      if (facility.isolated) known.insert(facility.name);
  std::vector<config::value::Prefix> networks;
  for (const auto& facility : now.facilities)
    if (facility.isolated && !known.contains(facility.name))
      for (const auto& network : facility.networks) networks.push_back(network.seen);
  return networks;
}

core::KernelDrift failed_repair(const OsError& error) {
  return {"repair failed: " + error.to_string(), false, 0, {}};
}

}  // namespace

firewall::RuleSet NetdKernel::rules_wanted_now() const {
  if (plan_ && !closed_) return firewall::compile(*plan_);
  return firewall::closed_rule_set(plan_ ? plan_->outside_interface : "");
}

OsResult<NetdKernel> NetdKernel::open(NetdRules::Differences read) {
  auto watch = TRY(os::KernelWatch::open());
  auto rules = TRY(NetdRules::open(std::move(read)));
  auto routing = TRY(os::Routing::open());
  NetdKernel kernel(std::move(rules), std::move(routing), std::move(watch));
  if (TRY(kernel.rules_.empty()))
    if (auto closed = kernel.close_all(); !closed) return std::unexpected(closed.error());
  return kernel;
}

// Device, parameters and routes: nothing of this lets a packet pass.
OsResult<void> NetdKernel::prepare(const policy::Plan& plan) {
  (void)TRY(descriptors_.ensure_tun());
  widen_fragment_queues();
  reserve_ports(plan);
  if (auto set = prepare_interfaces(plan); !set) return set;
  if (auto up = os::set_link(policy::kTunnelInterface, plan.tunnel_mtu, true); !up) return up;
  if (auto routed = routing_.apply(os::wanted_routing(plan)); !routed) return std::unexpected(routed.error());
  remove_foreign_rules(untold_, plan);
  return {};
}

void NetdKernel::remove_foreign_rules(std::vector<core::KernelDrift>& drifts, const policy::Plan& plan) {
  const auto foreign = os::remove_diverting_rules(os::wanted_routing(plan));
  if (!foreign) return drifts.push_back(failed_repair(foreign.error()));
  for (const auto& rule : *foreign) drifts.push_back({rule.text, rule.removed, 0, {}});
}

OsResult<void> unbroken(const policy::Plan& plan) {
  const auto findings = policy::verify(plan);
  if (findings.empty()) return {};
  return std::unexpected(os::OsError{0, "the plan breaks " + findings[0].promise + ": " + findings[0].what});
}

OsResult<void> NetdKernel::apply(policy::Plan plan) {
  auto done = prepare(plan);
  if (done) done = install(firewall::compile(plan));
  if (!done) {
    if (plan_ && !closed_) stay_isolated_as(plan);
    return done;
  }
  forget_cut_flows(plan);
  plan_ = std::move(plan);
  closed_ = false;
  left_.clear();
  if (auto accounted = os::enable_conntrack_accounting(); !accounted) return accounted;
  return switch_forwarding(forwards());
}

// A difference to what was installed would leave what a stranger changed meanwhile, or fail on it.
OsResult<void> NetdKernel::install(firewall::RuleSet wanted) {
  if (std::exchange(rules_left_, false)) rules_.distrust();
  const auto elements = std::max(NetdRules::elements_of(wanted), rules_.elements());
  return unheard(elements, [&] { return rules_.install(std::move(wanted)); });
}

// The new plan cannot be had, so the old one goes on; but what the new one isolates is cut in the old one too.
void NetdKernel::stay_isolated_as(const policy::Plan& plan) {
  if (auto done = isolate_in_force(plan); !done)
    untold_.push_back({"isolation failed: " + done.error().to_string(), false, 0, {}});
}

// Everything of it is tried, also behind a failure; the first is told.
OsResult<void> NetdKernel::isolate_in_force(const policy::Plan& as) {
  OsResult<void> first;
  const auto note = [&first](const auto& done) {
    if (!done && first) first = std::unexpected(done.error());
  };
  // Also of who is isolated already, where a stranger's row may let it through.
  if (auto cut = policy::isolate_as(*plan_, as); rules_left_ || rules_.uncertain() || cut != *plan_) {
    const auto done = install(firewall::compile(cut));
    if (!done) rules_.distrust();  // so that it is tried each second
    note(done);
    forget_cut_flows(cut);
    plan_ = std::move(cut);
    note(switch_forwarding(forwards()));
  }
  note(routing_.apply(os::wanted_routing(*plan_)));
  return first;
}

OsResult<void> NetdKernel::cut(const core::CutFacilities& order) {
  if (!plan_ || closed_) return close_all();
  policy::Plan marks;
  for (const auto& facility : plan_->facilities) {
    const bool named = order.all || std::ranges::find(order.facilities, facility.name) != order.facilities.end();
    if (!named) continue;
    marks.facilities.emplace_back().name = facility.name;
    marks.facilities.back().isolated = true;
  }
  return isolate_in_force(marks) ? OsResult<void>() : close_all();
}

// The emergency stop is that nothing is forwarded any more. plan_ says so too, so that no repair opens it again.
bool NetdKernel::cut_at_once(const core::CutFacilities& order) {
  if (!plan_ || closed_ || !NetdRules::is_long(rules_.elements())) return false;
  // By another name it may be here already: then the plan says whom it holds.
  for (const auto& name : order.facilities)
    if (std::ranges::find(plan_->facilities, name, &policy::FacilityPlan::name) == plan_->facilities.end())
      return false;
  policy::Plan marks;
  for (const auto& facility : plan_->facilities) {
    const bool named = order.all || std::ranges::find(order.facilities, facility.name) != order.facilities.end();
    if (!named || facility.isolated) continue;
    marks.facilities.emplace_back().name = facility.name;
    marks.facilities.back().isolated = true;
    marks.facilities.back().networks = facility.networks;
  }
  if (!order.all && !rules_.take_away(firewall::elements_of_parties(*plan_, order.facilities))) return false;
  forget_cut_flows(marks);
  plan_ = policy::isolate_as(*std::exchange(plan_, std::nullopt), marks);
  if (order.all) return switch_forwarding(false).has_value();
  return !rules_left_;  // what a stranger did, and was left, may let it through
}

// The rules have stopped the packets already.
void NetdKernel::forget_cut_flows(const policy::Plan& plan) {
  if (const auto forgotten = os::forget_flows(newly_isolated(plan_, plan)); !forgotten)
    untold_.push_back(
        {"flows of an isolated facility stay in connection tracking: " + forgotten.error().to_string(), false, 0, {}});
}

// Nothing is forwarded while everything is isolated: the rules refuse it, and the kernel does not even try.
bool NetdKernel::forwards() const {
  return !closed_ && !(plan_ && policy::all_isolated(*plan_));
}

// The kernel puts some of the parameters back to its defaults when forwarding changes.
OsResult<void> NetdKernel::switch_forwarding(bool on) {
  auto switched = set_forwarding(on, plan_ ? plan_->outside_interface : "");
  if (switched && plan_) switched = set_interface_forwarding(on, *plan_);
  const auto prepared = plan_ ? prepare_interfaces(*plan_) : OsResult<void>{};
  return switched ? prepared : switched;
}

OsResult<void> NetdKernel::close_all() {
  closed_ = true;
  auto first = switch_forwarding(false);
  const auto closed = install(rules_wanted_now());
  if (!closed) rules_.distrust();  // so that it is tried each second
  if (!closed && first) first = closed;
  closed_ = true;
  if (!plan_) return first;
  if (auto routed = routing_.apply(os::closed_routing(*plan_)); !routed && first)
    first = std::unexpected(routed.error());
  return first;
}

NetdKernel::Repairs NetdKernel::repair() {
  Repairs repairs;
  const auto changes = watch_.drain();
  note_writers(changes);
  if (changes.elsewhere) {
    const auto& by = changes.writers.empty() ? changes.routing_by : changes.writers.back().by;
    repairs.touched = core::KernelTouched{by};
  }
  if (!plan_ && !closed_ && changes.rules && close_if_empty(repairs)) return repairs;
  if (!repairs_wanted()) {
    if (changes.rules) tell_rules(changes, repairs);
    if (changes.routing) tell_routing(changes, repairs);
    return repairs;
  }
  // Without a writer the kernel only said that events were lost: then what the listing shows decides.
  if (changes.rules) repair_rules(changes.rules_by.pid != 0, changes.rules_by, repairs);
  if (changes.routing && plan_) repair_routing(changes.routing_by, repairs);
  return repairs;
}

NetdKernel::Repairs NetdKernel::repair_all() {
  Repairs repairs = check_parameters();
  repair_rules(true, {}, repairs);
  if (plan_) repair_routing({}, repairs);
  return repairs;
}

void NetdKernel::repair_rules(bool surely, const core::KernelWriter& by, Repairs& repairs) {
  const auto wrong = unheard(rules_.elements(), [&] { return rules_.repair(surely); });
  if (!wrong) return repairs.drifts.push_back(failed_repair(wrong.error()));
  for (const auto& what : *wrong) repairs.drifts.push_back({what, true, by.pid, by.program});
}

void NetdKernel::repair_routing(const core::KernelWriter& by, Repairs& repairs) {
  const auto renewed = descriptors_.ensure_tun();
  if (!renewed) return repairs.drifts.push_back(failed_repair(renewed.error()));
  if (*renewed)
    repairs.drifts.push_back(
        {std::string("interface ") + policy::kTunnelInterface + " missing", true, by.pid, by.program});
  repairs.tun_renewed = *renewed;
  if (auto set = prepare_interfaces(*plan_); !set) repairs.drifts.push_back(failed_repair(set.error()));
  if (auto up = os::set_link(policy::kTunnelInterface, plan_->tunnel_mtu, true); !up)
    repairs.drifts.push_back(failed_repair(up.error()));
  const auto change = routing_.apply(closed_ ? os::closed_routing(*plan_) : os::wanted_routing(*plan_));
  if (!change) return repairs.drifts.push_back(failed_repair(change.error()));
  for (const auto& what : change->repaired) repairs.drifts.push_back({what, true, by.pid, by.program});
  remove_foreign_rules(repairs.drifts, *plan_);
}

core::KernelRefusals NetdKernel::refusals() {
  core::KernelRefusals out;
  if (const auto counters = rules_.refusals())
    for (const auto& counter : *counters) out.totals.push_back({counter.name, counter.packets});
  return out;
}

// Before the first plan what a dead netd left holds; when somebody takes it away, nothing would.
bool NetdKernel::close_if_empty(Repairs& repairs) {
  const auto empty = rules_.empty();
  if (empty && !*empty) return false;
  const auto closed = close_all();
  repairs.drifts.push_back({"table inet sekisho was emptied before there was a plan", closed.has_value(), 0, {}});
  return true;
}

void NetdKernel::retry_rules(Repairs& repairs) {
  hear_again();
  rules_.confirm();
  if (rules_.unread() != unread_told_ && !rules_.unread().empty())
    repairs.drifts.push_back({"table inet sekisho cannot be read back: " + rules_.unread(), false, 0, {}});
  unread_told_ = rules_.unread();
  if (!rules_.uncertain()) return;
  const auto done = install(rules_wanted_now());
  const std::string error = done ? "" : done.error().to_string();
  if (done) repairs.drifts.push_back({"table inet sekisho was not as installed, and is again", true, 0, {}});
  if (!done && error != retry_error_) repairs.drifts.push_back(failed_repair(done.error()));
  retry_error_ = error;
}

NetdKernel::Repairs NetdKernel::check_parameters() {
  Repairs repairs;
  repairs.drifts = std::exchange(untold_, {});
  retry_rules(repairs);
  if (!plan_) return repairs;
  const auto wrong = wrong_sysctls(*plan_, forwards());
  if (!repairs_wanted()) return tell_once("parameters", wrong, {}, repairs), repairs;
  if (wrong.empty()) return repairs;
  const auto set = switch_forwarding(forwards());
  for (const auto& what : wrong) repairs.drifts.push_back({what, set.has_value(), 0, {}});
  return repairs;
}

}  // namespace gateway::daemon
