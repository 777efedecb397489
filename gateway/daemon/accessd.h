// sekisho-accessd: the controller with its hands. One loop: messages of the other processes, the kernel's events, the
// control socket, deadlines. Beside it a thread reads files, and children with a copy of the memory prove (prover.h,
// live_check.h); nothing forks while the thread runs. It decides nothing itself (gateway/core/controller) and holds the
// only writer of records.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/audit/certificate_ends.h"
#include "gateway/audit/flow_table.h"
#include "gateway/audit/refusals.h"
#include "gateway/audit/role_watch.h"
#include "gateway/audit/rule_uses.h"
#include "gateway/core/controller.h"
#include "gateway/daemon/accessd_guard_refusals.h"
#include "gateway/daemon/accessd_recorder.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/changes.h"
#include "gateway/daemon/live_check.h"
#include "gateway/daemon/live_views.h"
#include "gateway/daemon/prover.h"
#include "gateway/daemon/uses_views.h"
#include "gateway/os/certificate_files.h"
#include "gateway/os/control_socket.h"
#include "gateway/os/netfilter_socket.h"
#include "gateway/os/side_thread.h"
#include "gateway/os/supervised_child.h"

namespace gateway::daemon {

class Accessd {
 public:
  [[nodiscard]] static os::OsResult<Accessd> create(os::SupervisedChild child);
  [[nodiscard]] int run();  // until the supervisor says stop

 private:
  using Instant = config::value::Instant;
  using Weight = Recorder::Weight;
  static constexpr std::uint32_t kConntrackToken = os::SupervisedChild::kFirstFreeToken;
  static constexpr std::uint32_t kNflogToken = kConntrackToken + 1;
  static constexpr std::uint32_t kProverToken = kConntrackToken + 2;
  static constexpr std::uint32_t kReaderToken = kConntrackToken + 3;
  static constexpr std::uint32_t kLiveToken = kConntrackToken + 4;
  static constexpr std::uint32_t kControlToken = kConntrackToken + 5;  // and all above
  static constexpr std::uint64_t kSupervisorAsks = 0;                  // in the place of a client: a reload by signal
  struct Devices {  // as netd handed them over; kept, so that a restarted tunneld gets the same
    os::FileDescriptor tun;
    std::vector<os::FileDescriptor> udp;
    std::vector<core::BoundSocket> sockets;
  };
  struct StatusWaiter {
    std::uint64_t client = 0;
    Json request;
  };
  struct Live {
    std::vector<std::uint64_t> clients;       // that wait for what is installed
    std::vector<std::uint64_t> next_clients;  // that asked while a question was out
    bool check = false;                       // it is for a check of our own, too
    std::optional<Instant> check_at;          // the next one of our own
    std::optional<Instant> asked_by;          // netd and tunneld were asked, and answer until then
    std::uint64_t id = 0, generation = 0;     // of the question that is out
    std::optional<core::KernelState> kernel;
    std::optional<core::TunnelState> tunnels;
    Instant earliest{};     // for the next check that nobody asked for
    bool repaired = false;  // once, for what stands now
    LiveReport report;      // of the last check
  };

  struct Judging {  // a candidate that was asked for
    enum class Purpose : std::uint8_t { kStart, kChange, kDiff, kExpiry };
    Purpose purpose = Purpose::kStart;
    core::ChangeRequest request;
    std::uint64_t client = 0;  // of kDiff
    bool again = false;        // also what was rolled back
    config::value::WallTime asked{};
    std::shared_ptr<const CanaryAsked> canary{};  // of kChange: of the files on disk only this facility's part
  };

  Accessd(os::SupervisedChild child, os::ControlSocket control, Changes changes,
          os::OsResult<policy::Isolation> isolation);
  void start();
  void stop();
  void on_turn(os::SupervisedChild::Turn& turn);
  void on_deadlines();
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // accessd_judging.cc: what becomes of the files on disk before the controller is given it
  using Reading = std::function<core::Unproved()>;
  [[nodiscard]] Reading reading(const Judging& wanted) const;
  void judge(Judging wanted);
  void refuse_to_judge(const Judging& wanted, const std::string& why);
  void begin_judging();
  void on_read();
  void look_at_reading();
  [[nodiscard]] bool starts_from_disk();
  void stay_closed();
  void look_at_proof();
  void decide(std::vector<std::string> breaches);
  void end_judging();
  void give(core::Candidate candidate, core::ChangeRequest request);
  void run_last_good_for_a_cut();
  [[nodiscard]] bool by_signal(const Judging& each) const;
  [[nodiscard]] bool changing() const;
  [[nodiscard]] std::string whose_change() const;
  [[nodiscard]] Json proving_view(const audit::RecordTime& now) const;

  // accessd_messages.cc: what the other processes say
  void on_message(core::ProcessRole from, os::Message& message);
  void on_netd(os::Message& message);
  void on_tunneld(const os::Message& message);
  void on_descriptors(os::Message& message);
  void on_drift(const core::KernelDrift& drift);
  void on_tunnel_events(const core::TunnelEvents& events);
  void on_guard_refusals(const core::GuardRefusals& refusals);
  void on_status_report(const core::StatusReport& report);
  void look_at_certificates();
  void on_timestamp_floor(const core::TimestampFloor& floor);
  void on_lost(core::ProcessRole role);
  void broke_form(core::ProcessRole role);
  void read_kernel_events(os::NetfilterSocket& socket, bool conntrack);

  // accessd_actions.cc: what the controller wants done
  void perform(core::Actions actions);
  void perform_one(const core::Action& each);
  void cut_first();
  void act(const core::action::ConfigureKeyd& wanted);
  void act(const core::action::ApplyToNetd& wanted);
  void act(const core::action::RequestDescriptors& wanted);
  void act(const core::action::ConfigureTunneld& wanted);
  void act(const core::action::AppendRecord& wanted);
  void act(const core::action::AnswerChange& wanted);
  void answer_supervisor(std::map<std::uint64_t, std::uint64_t>::iterator change, const core::ChangeOutcome& outcome);
  void act(const core::action::KeepLastGood& wanted);
  void act(const core::action::UseLastGood& wanted);
  void act(const core::action::PlanChanged& wanted);
  void act(const core::action::AnnounceReady& wanted);
  void act(const core::action::RecompileRunning& wanted);
  void act(const core::action::RaiseAlarm& wanted);
  void act(const core::action::CutInKernel& wanted);
  void act(const core::action::CloseKernel& wanted);

  // accessd_isolation.cc
  void answer_isolation_request(const os::ControlSocket::Request& request, const Json& json, bool cuts);
  void act(const core::action::KeepIsolation& wanted);
  void act(const core::action::AppendIsolationRecord& wanted);
  void act(const core::action::AnswerIsolation& wanted);
  void keep_isolation_again();
  template <class T>
  void send(core::ProcessRole to, core::MessageType type, const T& message, std::span<const int> descriptors = {});

  // accessd_changes.cc: trials, rollbacks and the history of changes
  void start_running();
  void answer_apply(const os::ControlSocket::Request& request, const Json& json);
  void answer_trial(const os::ControlSocket::Request& request, const Json& json, bool again);
  void answer_confirm(const os::ControlSocket::Request& request);
  void answer_rollback(const os::ControlSocket::Request& request, const Json& json);
  void answer_history(std::uint64_t client);
  void reload_by_signal();
  void begin_trial();
  void look_at_changes();
  void roll_back(core::Generation to, const std::string& by, const std::string& why, std::uint64_t request);
  [[nodiscard]] bool keep_change(const core::action::AppendRecord& wanted);
  void note_outcome(const core::ChangeRecord& record);
  bool save_changes();
  [[nodiscard]] std::string lock_holder(bool again = false) const;
  [[nodiscard]] std::vector<std::string> down_in_trial() const;
  [[nodiscard]] std::optional<Instant> next_changes_deadline() const;

  // accessd_uses.cc: when permissions were last used
  void read_kept_uses();
  void watch_rules();
  void note_uses(const std::vector<audit::Record>& records, config::value::WallTime now);
  void keep_uses_when_due(bool at_once);
  [[nodiscard]] std::string permissions_answer(const Json& request);
  [[nodiscard]] std::vector<std::string> unused_in(const core::Candidate& candidate);

  // accessd_live.cc: what is really installed
  void answer_live(std::uint64_t client);
  void want_live_check(config::value::Duration within);
  void look_at_live();
  void ask_installed();
  void ask_for_the_next();
  bool is_check_due();
  void on_kernel_state(core::KernelState state);
  void on_tunnel_state(core::TunnelState state);
  void on_installed();
  void hand_over(const core::LiveState& state);
  void refuse_live(const std::string& why);
  void check_live(const core::LiveState& state);
  void take_live_verdict();
  void note_not_checked(const std::string& why);
  void repair_once();
  void tell_differences(const LiveCheck::Done& done);
  [[nodiscard]] std::optional<Instant> next_live_deadline() const;

  // accessd_requests.cc: what people ask
  void on_request(const os::ControlSocket::Request& request);
  void take_orders_to_cut(std::vector<os::ControlSocket::Request>& requests);
  void answer_diff(std::uint64_t client, const core::Candidate& candidate);
  void answer_explain(std::uint64_t client, const Json& json);
  void answer_show(std::uint64_t client, const Json& json);
  void answer_with_status(const StatusWaiter& waiter);
  void answer_waiting();
  void ask_status();
  [[nodiscard]] Json status_view() const;
  void tell_watchers();
  void forget_clients(const std::vector<std::uint64_t>& lost);

  void record(const audit::Record& record, Weight weight);
  void record_all(const std::vector<audit::Record>& records);
  [[nodiscard]] std::string config_directory() const;
  [[nodiscard]] std::string state_file(const std::string& name) const;

  os::SupervisedChild child_;
  Recorder recorder_;
  os::ControlSocket control_;
  Changes history_;
  core::Controller controller_;
  std::deque<core::Action> to_do_;
  bool performing_ = false, cutting_first_ = false;
  std::vector<os::ControlSocket::Request> early_;  // read while an order to cut was looked for
  std::vector<std::uint64_t> early_lost_;
  std::ptrdiff_t first_ = 0;              // of to_do_: those of orders to cut that stand before the others
  std::deque<Judging> to_judge_;          // the first is at work
  std::optional<core::Unproved> judged_;  // of the first, while it is proved
  std::shared_ptr<std::optional<core::Unproved>> read_ = std::make_shared<std::optional<core::Unproved>>();
  os::SideThread reader_;  // fills read_
  Prover prover_;
  audit::FlowTable flows_;
  audit::Refusals refusals_;
  audit::WatchedRules watched_;
  audit::RoleWatch roles_;
  std::optional<Instant> keep_uses_at_;  // since a plan runs
  std::string uses_error_;               // why they are not kept
  GuardRefusalRecords guard_refusals_;
  Devices devices_;
  os::NetfilterSocket conntrack_, nflog_;
  std::uint64_t conntrack_lost_ = 0, nflog_lost_ = 0;
  std::map<std::uint64_t, std::uint64_t> changes_;  // change id -> client
  struct IsolationAsked {
    std::uint64_t client = 0;
    Instant at;
  };
  std::map<std::uint64_t, IsolationAsked> isolations_;  // as changes_, of the same numbers
  std::string isolation_error_;                         // why the orders are not kept as they are; empty: they are
  std::string isolation_unreadable_;                    // at the start; told with the first record
  bool isolation_set_aside_ = false;                    // that file
  std::string isolation_unrecorded_;                    // of the request under way
  std::optional<Instant> keep_isolation_at_;
  std::uint64_t next_change_ = 1;
  std::set<std::uint64_t> watchers_;
  std::vector<StatusWaiter> waiting_;
  std::optional<Instant> status_by_;
  std::uint64_t status_id_ = 0, status_heard_ = 0;  // asked and answered last
  Tunnels tunnels_;
  std::vector<core::Counter> counters_;
  std::uint64_t timestamp_floor_ = 0, floor_at_start_ = 0;
  os::CertificateFiles certificates_;
  audit::CertificateEnds certificate_ends_;
  std::string timestamp_warning_;                        // why the kept floor could not be used at the start
  std::optional<Instant> save_changes_at_;               // the history could not be written
  std::optional<Instant> trial_look_at_, roll_back_at_;  // at the facilities; a rollback that could not be done, again
  Live live_;
  LiveCheck live_check_;
  Instant now_, started_, summary_at_;
};

}  // namespace gateway::daemon
