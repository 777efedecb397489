// Which change runs, which waits for a person's word, and where to go back to: pending -> confirmed | rolled back.
// Pure: the shell (gateway/daemon/accessd_changes.cc) writes the value after each step, whole, before it acts on it, so
// that a death between two steps finds the state before or after, never a mixture.
//
// The time of a trial is an instant of CLOCK_BOOTTIME and the kernel's boot id: a wall clock that jumps moves nothing,
// and another boot id says that the machine was restarted before the word came.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "gateway/core/messages.h"

namespace gateway::core {

using config::value::Duration;
using config::value::Generation;
using config::value::Instant;
using config::value::WallTime;

enum class ChangeState : std::uint8_t { kApplying, kPending, kConfirmed, kRolledBack, kFailed };
[[nodiscard]] const char* to_string(ChangeState state);  // "applying", "pending", "confirmed", "rolled back", "failed"

struct ChangeEntry {
  Generation generation;  // the change's name; start and end dates use further numbers, which have no entry
  ChangeState state = ChangeState::kApplying;
  std::string digest;                   // of the plan
  std::string author, comment;          // "uid 0 (root), pid 812" as the kernel tells
  WallTime at;                          // for people
  std::vector<std::string> difference;  // the first kMostLines
  std::uint64_t lines = 0;              // of the whole difference
  std::string decided_by, why;          // who confirmed or took it back: an actor, "timer", "start", "facilities"
  std::optional<WallTime> decided_at;
  std::string canary;  // not empty: of the files on disk only this facility's part
};

struct Trial {
  Generation generation, base;   // what is tried, and what comes back
  std::string boot;              // boot id of the kernel under which it began
  Duration time{};               // that its author gave it
  Instant deadline;              // of that boot; counts from when it was applied
  WallTime until;                // the same for people; nothing is decided by it
  std::vector<std::string> up;   // facilities whose tunnel was up just before, sorted
  std::uint32_t down_limit = 0;  // so many of them down end it; 0: none does
};

class ChangeHistory {
 public:
  static constexpr std::size_t kMostEntries = 200;
  static constexpr std::size_t kMostKept = 20;  // entries whose plan and files are kept: what `rollback N` can name
  static constexpr std::size_t kMostLines = 50;
  static constexpr Duration kLeastTime = std::chrono::seconds(5), kMostTime = std::chrono::hours(24);
  static constexpr Duration kCanaryTime = std::chrono::minutes(10);  // of a canary whose author named no time
  static constexpr Duration kDownTime = std::chrono::seconds(30);    // down so long counts; a rekey is no loss

  // A change that nobody has to confirm, applied. Without an entry when it runs what is confirmed already.
  void adopted(ChangeEntry entry);
  // Somebody asks for a trial: from here on the files on disk are not run by a start, until a change is applied or it
  // is clear that none was begun (unask).
  void ask(const std::string& author) { asked_by_ = author; }
  void unask() { asked_by_.clear(); }
  // A trial, before anything is applied. `trial.base` becomes what is confirmed now. Only when base() and no trial().
  void begin(ChangeEntry entry, Trial trial);
  void applied(Instant now, WallTime wall);  // its time counts from here
  void failed(const std::string& why, WallTime wall);
  // The error is a sentence for a person: nothing waits, or its time is over (then it is rolled back, not confirmed).
  [[nodiscard]] config::value::Result<void, std::string> confirm(const std::string& by, Instant now, WallTime wall);
  // What `rollback [N]` means now: the base of the trial; without one the confirmed entry N, or the one before the
  // newest. The error names what would be right.
  [[nodiscard]] config::value::Result<Generation, std::string> target(std::optional<std::uint64_t> wanted) const;
  // `to` is what runs from now on: each newer change is rolled back, and the files on disk are held to have it still.
  void roll_back(Generation to, const std::string& by, const std::string& why, WallTime wall);
  // Why the trial must end at once at this start of the process: it was never wholly applied, the machine was
  // restarted, its time is over. Empty: none, or it goes on.
  [[nodiscard]] std::string over_at_start(const std::string& boot, Instant now) const;
  [[nodiscard]] bool overdue(Instant now) const;
  // Of those that were up before and are still to be served, the ones that are down since `kDownTime`.
  [[nodiscard]] std::vector<std::string> lost(const std::vector<TunnelStatus>& tunnels, Instant now) const;
  // Down because somebody cut it off; an empty name: all. It is no longer asked of this trial.
  void leave_out(const std::string& facility);
  // No generation comes twice, also one that had no entry.
  void note(Generation used);
  // Plan and files are no longer what was kept (damaged or missing): nobody is sent there.
  void forget_kept(Generation generation);

  [[nodiscard]] const std::optional<Trial>& trial() const { return trial_; }
  [[nodiscard]] bool waits() const;                                  // a trial is applied and its word has not come
  [[nodiscard]] Generation confirmed() const { return confirmed_; }  // 0: none yet
  [[nodiscard]] const ChangeEntry* confirmed_entry() const { return entry(confirmed_); }
  // The newest change that was rolled back, or could not be applied, and may still stand in the files on disk; until
  // another is applied. A canary, which is one facility's part, ends that of no change before it: neither when it is
  // confirmed nor when it is rolled back itself.
  [[nodiscard]] std::optional<Generation> held() const { return held_; }
  [[nodiscard]] std::vector<Generation> held_all() const;  // held() first, then those before its canaries
  [[nodiscard]] const std::string& asked_by() const { return asked_by_; }             // empty: nobody asks
  [[nodiscard]] const std::vector<ChangeEntry>& entries() const { return entries_; }  // oldest first
  [[nodiscard]] const ChangeEntry* entry(Generation generation) const;
  [[nodiscard]] std::set<std::uint64_t> kept() const;  // generations whose files must stay
  [[nodiscard]] Generation highest() const { return highest_; }

  template <class Ar>
  friend void fields(Ar& ar, ChangeHistory& history) {
    std::uint16_t version = kVersion;
    transfer_all(ar, version);
    if (version != kVersion && version != kWithoutCanaries) return ar.fail();
    transfer_all(ar, history.entries_, history.trial_, history.confirmed_, history.held_, history.asked_by_,
                 history.highest_, history.unkept_);
    auto canaries = history.canaries();
    if (version == kVersion) transfer_all(ar, canaries, history.held_before_);
    if constexpr (Ar::kReads)
      if (!history.take(canaries)) ar.fail();
    if (!history.consistent()) ar.fail();
  }

 private:
  // Behind what older files have, so that those are read on.
  struct Canary {
    Generation generation;
    std::string facility;
    template <class Ar>
    friend void fields(Ar& ar, Canary& canary) {
      transfer_all(ar, canary.generation, canary.facility);
    }
  };
  static constexpr std::uint16_t kVersion = 2, kWithoutCanaries = 1;
  static constexpr std::size_t kMostHeldBefore = 4;
  void hold(const ChangeEntry& taken_back);
  [[nodiscard]] std::vector<Canary> canaries() const;
  [[nodiscard]] bool take(const std::vector<Canary>& canaries);
  [[nodiscard]] ChangeEntry* find(Generation generation);
  [[nodiscard]] bool consistent() const;
  void push(ChangeEntry entry);

  std::vector<ChangeEntry> entries_;
  std::optional<Trial> trial_;
  Generation confirmed_;
  std::optional<Generation> held_;
  std::vector<Generation> held_before_;  // the newest first
  std::string asked_by_;
  Generation highest_;
  std::vector<std::uint64_t> unkept_;
};

template <>
struct EnumLimit<ChangeState> {
  static constexpr bool valid(auto n) { return n <= static_cast<decltype(n)>(ChangeState::kFailed); }
};
template <class Ar>
void fields(Ar& ar, ChangeEntry& e) {
  transfer_all(ar, e.generation, e.state, e.digest, e.author, e.comment, e.at, e.difference, e.lines, e.decided_by,
               e.why, e.decided_at);
}
template <class Ar>
void fields(Ar& ar, Trial& t) {
  std::int64_t time = t.time.count();
  transfer_all(ar, t.generation, t.base, t.boot, time, t.deadline, t.until, t.up, t.down_limit);
  if constexpr (Ar::kReads) t.time = Duration(time);
}

// "90s", "10m", "2h": between kLeastTime and kMostTime. The error says what would be right.
[[nodiscard]] config::value::Result<Duration, std::string> parse_trial_time(const std::string& text);

}  // namespace gateway::core
