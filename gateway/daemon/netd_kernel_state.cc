// What netd tells of the kernel without changing it: all of it, for the live proof, and what differs where the plan
// says that it is to be left (docs/decisions/0014).
#include <algorithm>

#include "firewall/kernel_listing.h"
#include "gateway/daemon/netd_kernel.h"
#include "gateway/daemon/netd_sysctls.h"
#include "gateway/os/kernel_facts.h"
#include "gateway/os/tun_device.h"

namespace gateway::daemon {
namespace {

constexpr std::size_t kMostWriters = 32;  // tables of others may come and go
constexpr const char* kOwnTable = "sekisho";

}  // namespace

// Only what the child cannot ask itself is asked here: its descriptors are closed.
std::function<core::KernelState()> NetdKernel::state_reader() const {
  core::KernelState known;
  known.closed = closed_ || !plan_;
  if (descriptors_.tun() >= 0) known.tun_index = os::tun_index(descriptors_.tun());
  for (const auto& [table, writer] : writers_) known.writers.push_back({table, writer});
  std::vector<std::string> interfaces{policy::kTunnelInterface};
  if (plan_) interfaces.insert(interfaces.end(), {plan_->inside_interface, plan_->outside_interface});
  return [this, known, interfaces] {
    auto state = known;
    auto listed = NetdRules::listed();
    if (!listed) return state.error = listed.error().to_string(), state;
    state.ruleset = std::move(listed->rules), state.sets = std::move(listed->sets);
    auto legacy = os::legacy_tables();
    if (!legacy) return state.error = legacy.error().to_string(), state;
    for (const auto& [family, name] : *legacy) state.ruleset += firewall::legacy_table(family, name);
    if (auto read = os::read_kernel_facts(state, interfaces); !read)
      return state.error = read.error().to_string(), state;
    if (plan_) state.parameters = parameters(*plan_, forwards());
    return state;
  };
}

void NetdKernel::note_writers(const os::KernelChanges& changes) {
  for (const auto& [table, writer] : changes.writers) {
    if (writers_.size() >= kMostWriters && !writers_.contains(table)) {
      const auto first = writers_.begin();
      writers_.erase(first->first == kOwnTable ? std::next(first) : first);  // who wrote ours is always told
    }
    writers_[table] = writer;
  }
}

// Of a long table only that it was changed: what is different the live check tells, which lists it in a child.
void NetdKernel::tell_rules(const os::KernelChanges& changes, Repairs& repairs) {
  rules_left_ = true;
  auto wrong = rules_.quick_to_list() ? rules_.differences() : std::vector<std::string>();
  const core::KernelDrift touched{"table inet sekisho was changed", false, changes.rules_by.pid,
                                  changes.rules_by.program};
  if (!wrong) {
    repairs.drifts.push_back({"rules cannot be read: " + wrong.error().to_string(), false, 0, {}});
    if (changes.rules_by.pid != 0) repairs.drifts.push_back(touched);
    return;
  }
  const bool seen = !wrong->empty();
  tell_once("rules", *wrong, changes.rules_by, repairs);
  if (!seen && changes.rules_by.pid != 0) repairs.drifts.push_back(touched);  // every time: no listing tells them apart
}

void NetdKernel::tell_routing(const os::KernelChanges& changes, Repairs& repairs) {
  if (!plan_) return;
  auto wrong = routing_.differences(closed_ ? os::closed_routing(*plan_) : os::wanted_routing(*plan_));
  if (!wrong) return repairs.drifts.push_back({"routes cannot be read: " + wrong.error().to_string(), false, 0, {}});
  if (descriptors_.tun() >= 0 && !os::tun_attached(descriptors_.tun()))
    wrong->push_back(std::string("interface ") + policy::kTunnelInterface + " missing");
  tell_once("routing", *wrong, changes.routing_by, repairs);
  if (!repairs.touched) repairs.touched = core::KernelTouched{changes.routing_by};
}

void NetdKernel::tell_once(const std::string& layer, const std::vector<std::string>& wrong,
                           const core::KernelWriter& by, Repairs& repairs) {
  std::set<std::string> now(wrong.begin(), wrong.end());
  auto& left = left_[layer];
  for (const std::string& what : now)
    if (!left.contains(what)) repairs.drifts.push_back({what, false, by.pid, by.program});
  left = std::move(now);
}

}  // namespace gateway::daemon
