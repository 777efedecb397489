// The kernel as the plan wants it: rules, routes, the tunnel device, parameters, forwarding. Every path is fail-closed:
// what is not fully in place is not forwarded, and what a stranger takes away is put back.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/core/live_state.h"
#include "gateway/daemon/netd_descriptors.h"
#include "gateway/daemon/netd_rules.h"
#include "gateway/os/kernel_watch.h"
#include "gateway/os/routing.h"

namespace gateway::daemon {

// The plan was verified where it was compiled. Here it is again: whoever sends it may have been taken over (T6).
[[nodiscard]] os::OsResult<void> unbroken(const policy::Plan& plan);

class NetdKernel {
 public:
  // Claims the table. An empty one is closed at once, with forwarding off; one that a dead netd left stays as it is, so
  // that the flows it lets through go on until the plan comes.
  [[nodiscard]] static os::OsResult<NetdKernel> open(NetdRules::Differences read = listed_differences);

  [[nodiscard]] NetdDescriptors& descriptors() { return descriptors_; }
  [[nodiscard]] const os::KernelWatch& watch() const { return watch_; }
  [[nodiscard]] bool owned() const { return rules_.protection() == os::NftablesTable::Protection::kOwned; }
  [[nodiscard]] const std::optional<policy::Plan>& plan() const { return plan_; }

  // To be called before a transaction of so many elements that nobody is answered for long.
  void before_long(std::function<void(std::size_t elements)> call) { before_long_ = std::move(call); }

  // Everything for `plan`, forwarding last. On error the old plan stays (or the gateway stays closed), but without what
  // the new one isolates. Flows of a facility that is isolated now are forgotten.
  [[nodiscard]] os::OsResult<void> apply(policy::Plan plan);
  // In the plan that is in force; without one, or when it fails, everything is closed. An error: not even that.
  [[nodiscard]] os::OsResult<void> cut(const core::CutFacilities& order);
  // Where the table is so long that making it anew takes seconds: lets nothing of them pass from now on, in
  // milliseconds; routes and the rest come with the plan. False: it is not known to do so, and the plan must.
  [[nodiscard]] bool cut_at_once(const core::CutFacilities& order);
  // Forwarding off, then the closed rules, then the routes unreachable. Goes on after an error and returns the first.
  [[nodiscard]] os::OsResult<void> close_all();

  // Totals of the table's counters; empty when they cannot be read (the watcher then repairs the table).
  [[nodiscard]] core::KernelRefusals refusals();

  struct Repairs {
    std::vector<core::KernelDrift> drifts;
    bool tun_renewed = false;                         // whoever has the old descriptor needs the new one
    std::optional<core::KernelTouched> touched = {};  // something that is not ours
  };
  // After an event of the watch. Where the plan says that nothing is to be repaired, what differs is only told, once.
  [[nodiscard]] Repairs repair();
  // Everything of ours as it must be, whatever the watch has seen.
  [[nodiscard]] Repairs repair_all();
  // Reads what is there, unjudged (live_state.h); what cannot be read is named in it. Takes seconds where there are
  // thousands of facilities: to be called in a copy of this process, which needs none of its descriptors for it
  // (netd_state_reader.h), or here while nothing changes.
  [[nodiscard]] std::function<core::KernelState()> state_reader() const;
  // What has no event: parameters; rules that could not be read back when they were installed, which are tried again as
  // they must be now; and what the last apply() found. To be called once a second.
  [[nodiscard]] Repairs check_parameters();

 private:
  NetdKernel(NetdRules rules, os::Routing routing, os::KernelWatch watch)
      : rules_(std::move(rules)), routing_(std::move(routing)), watch_(std::move(watch)) {}
  [[nodiscard]] os::OsResult<void> prepare(const policy::Plan& plan);
  [[nodiscard]] os::OsResult<void> switch_forwarding(bool on);
  [[nodiscard]] os::OsResult<void> install(firewall::RuleSet wanted);
  // A transaction of our own with so many elements: of a long one nobody has to tell us, and whoever waits for us is
  // told before. What it installs is read back afterwards.
  template <class Work>
  [[nodiscard]] auto unheard(std::size_t elements, Work work) {
    const bool is_long = NetdRules::is_long(elements);
    if (is_long && before_long_) before_long_(elements);
    deaf_ = (is_long && watch_.hear_nftables(false)) || deaf_;
    auto done = work();
    hear_again();
    if (is_long && !repairs_wanted()) rules_left_ = true;  // a stranger's change is not known: the next apply is whole
    return done;
  }
  void hear_again() { deaf_ = deaf_ && !watch_.hear_nftables(true); }
  void stay_isolated_as(const policy::Plan& plan);
  [[nodiscard]] os::OsResult<void> isolate_in_force(const policy::Plan& as);
  void forget_cut_flows(const policy::Plan& plan);
  [[nodiscard]] bool forwards() const;
  void repair_rules(bool surely, const core::KernelWriter& by, Repairs& repairs);
  void repair_routing(const core::KernelWriter& by, Repairs& repairs);
  [[nodiscard]] bool repairs_wanted() const { return !plan_ || plan_->live.repair; }
  void tell_rules(const os::KernelChanges& changes, Repairs& repairs);
  void tell_routing(const os::KernelChanges& changes, Repairs& repairs);
  void tell_once(const std::string& layer, const std::vector<std::string>& wrong, const core::KernelWriter& by,
                 Repairs& repairs);
  void note_writers(const os::KernelChanges& changes);
  void retry_rules(Repairs& repairs);
  [[nodiscard]] bool close_if_empty(Repairs& repairs);
  void remove_foreign_rules(std::vector<core::KernelDrift>& drifts, const policy::Plan& plan);
  [[nodiscard]] firewall::RuleSet rules_wanted_now() const;

  NetdRules rules_;
  os::Routing routing_;
  os::KernelWatch watch_;
  NetdDescriptors descriptors_;
  std::optional<policy::Plan> plan_;  // in force
  bool closed_ = false;
  std::vector<core::KernelDrift> untold_;              // found while a plan was applied
  std::string retry_error_;                            // told already
  std::map<std::string, std::set<std::string>> left_;  // what differs and is left as it is, by layer
  bool rules_left_ = false;                            // a stranger's change among them
  bool deaf_ = false;                                  // the watch hears nothing of nftables
  std::string unread_told_;
  std::function<void(std::size_t)> before_long_;
  std::map<std::string, core::KernelWriter> writers_;  // by table
};

}  // namespace gateway::daemon
