// The controller: one configuration at a time becomes what runs. A pure state machine: what happened goes in, actions
// come out, the shell (gateway/daemon/accessd) carries them out in order. Start is a change from nothing; a restarted
// process is brought to the running plan by the same steps: keys -> netd -> descriptors -> tunneld. Record, then act
// (design 3).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/core/candidate.h"
#include "gateway/core/messages.h"

namespace gateway::core {

using config::value::Duration;
using config::value::Generation;
using config::value::Instant;
using config::value::WallTime;

enum class ChangeReason : std::uint8_t { kStart, kRequest, kExpiry, kLastGood };
[[nodiscard]] const char* to_string(ChangeReason reason);

struct ChangeRequest {
  std::uint64_t id = 0;  // 0: nobody waits for the answer
  ChangeReason reason = ChangeReason::kRequest;
  std::string actor;    // "uid 0 (root), pid 812"
  std::string comment;  // of a person, may be empty
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
  ApplyPlan message;
};
struct RequestDescriptors {};
struct ConfigureTunneld {
  Generation generation;
  policy::Plan plan;
  std::array<std::uint8_t, 32> public_key{};
  std::vector<std::uint16_t> signature_schemes;
  std::vector<KeyMark> key_marks;
  bool with_descriptors = false;
};
// The shell answers with on_recorded(ticket) once the record is on disk, or could not be.
struct AppendRecord {
  ChangeRecord record;
  std::uint64_t ticket = 0;
};
struct AnswerChange {
  std::uint64_t request = 0;
  ChangeOutcome outcome;
};
struct KeepLastGood {
  Generation generation;
  policy::Plan plan;
  std::vector<KeySource> keys;
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
}  // namespace action

using Action =
    std::variant<action::ConfigureKeyd, action::ApplyToNetd, action::RequestDescriptors, action::ConfigureTunneld,
                 action::AppendRecord, action::AnswerChange, action::KeepLastGood, action::UseLastGood,
                 action::PlanChanged, action::AnnounceReady, action::RecompileRunning, action::RaiseAlarm>;
using Actions = std::vector<Action>;

class Controller {
 public:
  static constexpr Duration kReplyTime = std::chrono::seconds(30);  // a process that does not answer has failed
  static constexpr Duration kRetryTime = std::chrono::seconds(2);
  static constexpr std::size_t kMostWaiting = 16;

  // `last` is the highest generation ever used, 0 for a new installation.
  explicit Controller(Generation last) : last_generation_(last) {}

  void on_candidate(Candidate candidate, ChangeRequest request, Instant now, Actions& out);
  void on_recorded(std::uint64_t ticket, bool durable, Instant now, Actions& out);
  void on_greeted(ProcessRole role, Instant now, Actions& out);
  void on_lost(ProcessRole role, Instant now, Actions& out);
  void on_keys_configured(const KeysConfigured& reply, Instant now, Actions& out);
  void on_plan_applied(const PlanApplied& reply, Instant now, Actions& out);
  // Also unasked: netd had to make a new device or socket; tunneld is then given the new ones.
  void on_descriptors(const Descriptors& reply, Instant now, Actions& out);
  void on_tunnels_configured(const TunnelsConfigured& reply, Instant now, Actions& out);
  void on_deadline(WallTime wall, Instant now, Actions& out);
  // When on_deadline is due; end dates follow the wall clock, so they are looked at again at least once a minute.
  [[nodiscard]] std::optional<Instant> next_deadline(WallTime wall, Instant now) const;

  // What it would change, line by line; which keys have changed is seen only when keyd has read them.
  [[nodiscard]] std::vector<std::string> difference_to(const Candidate& candidate) const;
  [[nodiscard]] const policy::Plan* running_plan() const { return running_ ? &running_->plan : nullptr; }
  // What `running_plan` was compiled from; null when it is the kept last-good plan.
  [[nodiscard]] std::shared_ptr<const config::GatewayConfig> running_config() const {
    return running_ ? running_->config : nullptr;
  }
  [[nodiscard]] std::vector<KeySource> running_keys() const {
    return running_ ? running_->keys : std::vector<KeySource>();
  }
  [[nodiscard]] Generation running_generation() const { return running_ ? running_->generation : Generation{}; }
  [[nodiscard]] std::string running_digest() const { return running_ ? running_->digest : std::string(); }
  [[nodiscard]] bool settled() const { return running_ && !pending_ && state_ == Step::kSettled; }
  [[nodiscard]] bool from_last_good() const { return running_ && running_->request.reason == ChangeReason::kLastGood; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }
  [[nodiscard]] std::optional<WallTime> next_change() const { return running_ ? running_->next_change : std::nullopt; }
  [[nodiscard]] bool present(ProcessRole role) const { return process(role).present; }

 private:
  enum class Step : std::uint8_t { kNothing, kRecord, kKeys, kNetd, kDescriptors, kTunneld, kSettled };
  struct Target {
    Generation generation;
    std::shared_ptr<const config::GatewayConfig> config;
    policy::Plan plan;
    std::vector<KeySource> keys;
    Credentials credentials;
    std::optional<WallTime> next_change;
    std::vector<std::string> warnings, difference;
    std::string digest;
    ChangeRequest request;
    bool record_asked = false, recorded = false;
  };
  struct Process {
    bool present = false;
    bool asked = false;  // a request is on its way
    Generation has;      // what it confirmed
  };
  struct Waiting {
    Candidate candidate;
    ChangeRequest request;
  };

  [[nodiscard]] const Process& process(ProcessRole role) const { return processes_[static_cast<std::size_t>(role)]; }
  [[nodiscard]] Process& process(ProcessRole role) { return processes_[static_cast<std::size_t>(role)]; }
  [[nodiscard]] Target* target() { return pending_ ? &*pending_ : running_ ? &*running_ : nullptr; }
  void begin(Candidate candidate, ChangeRequest request, Instant now, Actions& out);
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
  std::array<std::uint8_t, 32> public_key_{};
  std::vector<std::uint16_t> signature_schemes_;
  std::vector<KeyMark> key_marks_;
  std::vector<BoundSocket> bound_;  // what the descriptors we hold are bound to, sorted
  bool descriptors_asked_ = false;
  bool tunneld_has_descriptors_ = false;
  bool announced_ = false;
  std::optional<Instant> reply_by_;
  std::optional<Instant> retry_at_;
  std::string last_error_;
};

}  // namespace gateway::core
