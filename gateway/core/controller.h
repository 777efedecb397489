// The controller: one configuration at a time becomes what runs. A pure state machine: what happened goes in, actions
// come out, the shell (gateway/daemon/accessd) carries them out in order. Start is a change from nothing; a restarted
// process is brought to the running plan by the same steps: keys -> netd -> descriptors -> tunneld. Record, then act
// (design 3).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/core/candidate.h"
#include "gateway/core/isolation_order.h"
#include "gateway/core/messages.h"

namespace gateway::core {

using config::value::Duration;
using config::value::Generation;
using config::value::Instant;
using config::value::WallTime;

// kKept: at a start, what is kept and not what stands on disk; kRollback: a change is taken back.
enum class ChangeReason : std::uint8_t { kStart, kRequest, kExpiry, kLastGood, kRejoin, kKept, kRollback };
[[nodiscard]] const char* to_string(ChangeReason reason);

struct ChangeRequest {
  std::uint64_t id = 0;  // 0: nobody waits for the answer
  ChangeReason reason = ChangeReason::kRequest;
  std::string actor;     // "uid 0 (root), pid 812"
  std::string comment;   // of a person, may be empty
  bool once = false;     // never begun again after an isolation: it is a trial, and who is up is another question then
  std::string canary{};  // the facility of which alone the candidate is tried; empty: it is the whole
};

struct ChangeOutcome {
  bool good = false;
  Generation generation;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::vector<std::string> difference;
};

struct ChangeRecord {
  enum class Step : std::uint8_t {
    kApplying,  // durable before anything is applied
    kApplied,
    kRefused,  // the configuration was found bad; nothing was changed
    kFailed,   // a process could not apply it; what ran before was put back
  };
  Step step = Step::kApplying;
  Generation generation;
  ChangeRequest request;
  std::string digest_before, digest_after;
  std::vector<std::string> difference, errors, warnings;
};

namespace action {
struct ConfigureKeyd {
  ConfigureKeys message;
};
struct ApplyToNetd {
  Generation generation;
  std::shared_ptr<const policy::Plan> plan;
};
struct RequestDescriptors {};
struct ConfigureTunneld {
  Generation generation;
  std::shared_ptr<const policy::Plan> plan;
  std::array<std::uint8_t, 32> public_key{};
  std::vector<std::uint16_t> signature_schemes;
  std::vector<KeyMark> key_marks;
  bool with_descriptors = false;
};
// What a change is made of, so that it can be gone back to; beside the record that it is about to be applied.
struct Kept {
  std::shared_ptr<const policy::Plan> plan;  // before isolation, which is no change of the configuration
  std::vector<KeySource> keys;
  std::shared_ptr<const std::vector<config::SourceFile>> sources;  // null: no files were read
};
// The shell answers with on_recorded(ticket) once the record is on disk, or could not be.
struct AppendRecord {
  ChangeRecord record;
  std::uint64_t ticket = 0;
  std::optional<Kept> kept;  // with Step::kApplying
};
struct AnswerChange {
  std::uint64_t request = 0;
  ChangeOutcome outcome;
};
struct KeepLastGood {
  Generation generation;
  std::shared_ptr<const policy::Plan> plan;  // before isolation: that is kept by itself, and is applied to this one too
  std::vector<KeySource> keys;
  std::string digest;  // of `plan`
};
struct UseLastGood {};  // the configuration on disk is bad and nothing runs yet
struct PlanChanged {};  // running_plan() is another one now
struct AnnounceReady {
  std::string status;
};
struct RecompileRunning {};  // an end date of the running plan has come
struct RaiseAlarm {
  std::string what;
};
// What netd has, without these facilities: for when no plan may be sent to it yet.
struct CutInKernel {
  CutFacilities message;
};
struct CloseKernel {};  // netd forwards nothing: there is no plan that may run
// To be durable before the next action is carried out; a failure keeps none of them back.
struct KeepIsolation {
  policy::Isolation isolation;
};
struct AppendIsolationRecord {
  IsolationRecord record;
};
struct AnswerIsolation {
  std::uint64_t request = 0;
  IsolationOutcome outcome;
};
}  // namespace action

using Action = std::variant<action::ConfigureKeyd, action::ApplyToNetd, action::RequestDescriptors,
                            action::ConfigureTunneld, action::AppendRecord, action::AnswerChange, action::KeepLastGood,
                            action::UseLastGood, action::PlanChanged, action::AnnounceReady, action::RecompileRunning,
                            action::RaiseAlarm, action::CutInKernel, action::CloseKernel, action::KeepIsolation,
                            action::AppendIsolationRecord, action::AnswerIsolation>;
using Actions = std::vector<Action>;

class Controller {
 public:
  static constexpr Duration kReplyTime = std::chrono::seconds(30);  // a process that does not answer has failed
  static constexpr Duration kRetryTime = std::chrono::seconds(2);
  static constexpr Duration kCutTime = std::chrono::seconds(3);  // then people are told that it is not in force yet
  static constexpr std::size_t kMostWaiting = 16;

  // `last` is the highest generation ever used, 0 for a new installation. `isolation`: as it was kept.
  explicit Controller(Generation last, policy::Isolation isolation = {})
      : last_generation_(last), isolation_(std::move(isolation)) {}

  // A first candidate will come, or on_nothing_to_run(): until then a netd that outlived accessd goes on with what it
  // has.
  void expect_start() { start_expected_ = true; }
  void on_nothing_to_run(Actions& out);
  void on_candidate(Candidate candidate, ChangeRequest request, Instant now, Actions& out);
  // controller_isolation.cc. A cut waits for nothing: what is under way begins anew after it, and no process, record or
  // file that fails keeps it from the others. A rejoin is a change like any other, and ends only the orders that stood
  // when it was asked for.
  void on_isolate(IsolationRequest request, Instant now, Actions& out);
  void on_rejoin(IsolationRequest request, Instant now, Actions& out);
  void on_recorded(std::uint64_t ticket, bool durable, Instant now, Actions& out);
  void on_greeted(ProcessRole role, Instant now, Actions& out);
  void on_lost(ProcessRole role, Instant now, Actions& out);
  void on_keys_configured(const KeysConfigured& reply, Instant now, Actions& out);
  void on_plan_applied(const PlanApplied& reply, Instant now, Actions& out);
  void on_facilities_cut(const FacilitiesCut& reply, Actions& out);  // controller_isolation.cc
  // Also unasked: netd had to make a new device or socket; tunneld is then given the new ones.
  void on_descriptors(const Descriptors& reply, Instant now, Actions& out);
  void on_tunnels_configured(const TunnelsConfigured& reply, Instant now, Actions& out);
  void on_deadline(WallTime wall, Instant now, Actions& out);
  // When on_deadline is due; end dates follow the wall clock, so they are looked at again at least once a minute.
  [[nodiscard]] std::optional<Instant> next_deadline(WallTime wall, Instant now) const;

  // What it would change, line by line; which keys have changed is seen only when keyd has read them.
  [[nodiscard]] std::vector<std::string> difference_to(const Candidate& candidate) const;
  [[nodiscard]] const policy::Plan* running_plan() const { return running_ ? running_->plan.get() : nullptr; }
  // The same before isolation: what a later one must be made of. Null with running_plan().
  [[nodiscard]] const policy::Plan* running_whole() const { return running_ ? running_->whole.get() : nullptr; }
  [[nodiscard]] std::shared_ptr<const policy::Plan> running_shared() const {
    return running_ ? running_->whole : nullptr;
  }
  [[nodiscard]] const policy::Isolation& isolation() const { return isolation_; }
  // As it is kept once nobody has to confirm it any more. Empty: nothing runs.
  [[nodiscard]] std::optional<action::KeepLastGood> running_good() const {
    if (!running_) return std::nullopt;
    return action::KeepLastGood{running_->generation, running_->whole, running_->keys, running_->digest};
  }
  // A change is being taken back, or is to be: what runs is not what counts.
  [[nodiscard]] bool rolling_back() const;
  [[nodiscard]] bool cutting() const { return cutting_; }  // an isolation is not in force yet
  // What `running_plan` was compiled from; null when it is the kept last-good plan.
  [[nodiscard]] std::shared_ptr<const config::GatewayConfig> running_config() const {
    return running_ ? running_->config : nullptr;
  }
  [[nodiscard]] std::vector<KeySource> running_keys() const {
    return running_ ? running_->keys : std::vector<KeySource>();
  }
  [[nodiscard]] Generation running_generation() const { return running_ ? running_->generation : Generation{}; }
  // Of the plan before isolation.
  [[nodiscard]] std::string running_digest() const { return running_ ? running_->digest : std::string(); }
  [[nodiscard]] bool settled() const { return running_ && !pending_ && state_ == Step::kSettled; }
  [[nodiscard]] bool from_last_good() const { return running_ && running_->from_last_good; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }
  [[nodiscard]] std::optional<WallTime> next_change() const { return running_ ? running_->next_change : std::nullopt; }
  // Something runs or is to run.
  [[nodiscard]] bool has_target() const { return pending_ || running_; }
  // What the processes are to have now; of what is older no more is sent to them.
  [[nodiscard]] bool wants(Generation generation) const {
    return has_target() && (pending_ ? *pending_ : *running_).generation == generation;
  }
  [[nodiscard]] bool waits_for(std::uint64_t ticket) const {
    return ticket == ticket_ && pending_ && !pending_->recorded && pending_->record_asked;
  }
  [[nodiscard]] bool present(ProcessRole role) const { return process(role).present; }

 private:
  enum class Step : std::uint8_t { kNothing, kRecord, kKeys, kNetd, kDescriptors, kTunneld, kSettled };
  struct Target {
    Generation generation;
    std::shared_ptr<const config::GatewayConfig> config;
    std::shared_ptr<const policy::Plan> whole;  // as compiled
    std::shared_ptr<const policy::Plan> plan;   // of `whole`, isolated
    std::vector<std::uint64_t> lifts;           // orders that end when this runs
    std::vector<KeySource> keys;
    Credentials credentials;
    std::shared_ptr<const std::vector<config::SourceFile>> sources;
    std::shared_ptr<const policy::Plan> made_of;  // as of the candidate
    std::optional<WallTime> next_change;
    std::vector<std::string> warnings, difference;
    std::string digest;
    ChangeRequest request;
    bool record_asked = false, recorded = false;
    bool from_last_good = false;  // or made of one that is
  };
  struct Process {
    bool present = false;
    bool asked = false;  // a request is on its way
    Generation has;      // what it confirmed
  };
  struct Waiting {
    Candidate candidate;  // of a rejoin nothing: it is made of what runs when its turn comes
    ChangeRequest request;
    std::vector<std::uint64_t> lifts{};
  };
  struct KeyFacts {  // what keyd told of a target's keys
    std::array<std::uint8_t, 32> public_key{};
    std::vector<std::uint16_t> signature_schemes;
    std::vector<KeyMark> marks;
  };

  [[nodiscard]] const Process& process(ProcessRole role) const { return processes_[static_cast<std::size_t>(role)]; }
  [[nodiscard]] Process& process(ProcessRole role) { return processes_[static_cast<std::size_t>(role)]; }
  [[nodiscard]] Target* target() { return pending_ ? &*pending_ : running_ ? &*running_ : nullptr; }
  void begin(Waiting next, Instant now, Actions& out);
  [[nodiscard]] policy::Isolation isolation_without(std::span<const std::uint64_t> lifts) const;
  [[nodiscard]] bool is_known(const config::value::FacilityName& name) const;
  [[nodiscard]] std::vector<std::string_view> facility_names() const;
  [[nodiscard]] std::vector<std::uint64_t> being_lifted() const;
  [[nodiscard]] std::vector<policy::IsolationOrder> orders_to_lift(const IsolationRequest& request) const;
  [[nodiscard]] std::string held_by_another(const config::value::FacilityName& name) const;
  void learn_facilities(Actions& out);
  void give_order(const IsolationRequest& request, Actions& out);
  void interrupt(Actions& out);
  void renew(Target& wanted);
  void isolate(Target& wanted) const;
  void cut(Instant now, Actions& out);
  static constexpr std::size_t kLongPlan = 20'000;  // rows: a tenth of a second or more in each process
  void push_cut(const Target& wanted, Instant now, Actions& out);
  void look_at_cut(Actions& out);
  void cut_in_kernel(const Target& wanted, Actions& out);
  void answer_cut(std::vector<std::string> errors, Actions& out);
  void lift(const Target& done, Actions& out);
  void refuse_rejoin(std::uint64_t request, const std::string& error, Actions& out);
  void tell_late_cut(Actions& out);
  [[nodiscard]] bool may_recompile() const;
  [[nodiscard]] Candidate candidate_of(const Target& target) const;
  [[nodiscard]] bool is_of_running(const Candidate& candidate) const;
  void refuse(const Candidate& candidate, const ChangeRequest& request, Actions& out);
  void advance(Instant now, Actions& out);
  [[nodiscard]] bool keys_there(const Target& wanted, Instant now, Actions& out);
  [[nodiscard]] bool netd_there(const Target& wanted, Instant now, Actions& out);
  [[nodiscard]] bool descriptors_there(const Target& wanted, Instant now, Actions& out);
  [[nodiscard]] bool tunneld_there(const Target& wanted, Instant now, Actions& out);
  void record(Target& wanted, Actions& out);
  void asked(ProcessRole role, Step step, Instant now);
  void answer_failed(const std::string& error, Actions& out);
  void give_up(const std::string& error, Actions& out);
  void settle(Instant now, Actions& out);
  void adopt_pending(Actions& out);
  void fail(std::string error, Instant now, Actions& out);
  void next_waiting(Instant now, Actions& out);
  void append(ChangeRecord::Step step, const Target& about, std::vector<std::string> errors, std::uint64_t ticket,
              Actions& out);

  std::array<Process, 5> processes_{};
  std::optional<Target> running_;
  std::optional<Target> pending_;
  std::deque<Waiting> waiting_;
  Generation last_generation_;
  Step state_ = Step::kNothing;
  std::uint64_t ticket_ = 0;
  KeyFacts key_facts_, running_key_facts_;
  int stale_key_replies_ = 0;  // to requests that an isolation overtook
  policy::Isolation isolation_;
  struct CutWaiter {
    std::uint64_t request = 0;
    policy::IsolationOrder order;
    bool already = false;
  };
  std::vector<CutWaiter> cut_waiters_;
  bool start_expected_ = false;
  bool recompiling_ = false;  // asked for, and not yet given
  bool cutting_ = false;
  std::optional<Instant> cut_by_;
  Generation cut_in_kernel_;        // of the target for which netd was asked
  std::vector<BoundSocket> bound_;  // what the descriptors we hold are bound to, sorted
  bool descriptors_asked_ = false;
  bool tunneld_has_descriptors_ = false;
  bool announced_ = false;
  std::optional<Instant> reply_by_;
  std::optional<Instant> retry_at_;
  std::string last_error_;
};

}  // namespace gateway::core
