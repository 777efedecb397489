// The changes of one gateway, beside its controller: what the history says of each, what is kept to go back to, and
// what a start runs. Decisions are core::ChangeHistory's; this holds it, its files and the boot they are judged under.
// Each step changes the value in memory; the caller then calls save() and acts after it (design 3: record, then act).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/core/controller.h"
#include "gateway/daemon/canary.h"
#include "gateway/daemon/change_store.h"

namespace gateway::daemon {

class Changes {
 public:
  using Instant = config::value::Instant;
  using WallTime = config::value::WallTime;
  using Generation = config::value::Generation;

  // Reads what is there. `boot`: os::boot_id(); empty (it could not be read) is never the boot of a trial.
  Changes(const std::string& state_directory, std::string boot);

  // What somebody wants tried. It holds the lock until the trial ends; no file knows of it before it is applied.
  struct Wish {
    std::uint64_t id = 0;  // ChangeRequest::id
    std::string actor, comment;
    WallTime at;
    core::Duration time{};
    std::uint32_t down_limit = 0;
    std::vector<std::string> up;                  // filled when tunneld has answered
    bool given = false;                           // to the controller
    bool again = false;                           // also what was rolled back
    std::shared_ptr<const CanaryAsked> canary{};  // null: the whole of the files on disk
  };

  struct Start {
    std::optional<KeptChange> kept;  // to run this, and not what stands on disk
    bool closed = false;             // nothing may run until somebody applies
    std::string why;                 // with either; for the record
  };
  // A trial that may not go on: takes it back and says why. save() before anything else.
  [[nodiscard]] std::optional<std::string> end_at_start(Instant now, WallTime wall);
  [[nodiscard]] Start choose_start(const core::Candidate& on_disk);

  // Of a change that is about to be applied, with what it is made of. False: it must not be (a trial that could not be
  // kept). `error` says what could not be written, also when the change may go on without it.
  [[nodiscard]] bool on_applying(const core::ChangeRecord& record, const core::action::Kept& kept, WallTime wall,
                                 std::optional<os::OsError>& error);
  // True: the history is another one, to be saved.
  [[nodiscard]] bool on_applied(const core::ChangeRecord& record, Instant now, WallTime wall);
  [[nodiscard]] bool on_failed(const core::ChangeRecord& record, WallTime wall);

  // What runs is the last good plan from now on; `change.digest` is its plan's. What the history holds is not written
  // again: it gets a second name, and where only the generation is new the history notes that. Durable without an
  // error.
  [[nodiscard]] os::OsResult<void> keep_good(const core::action::KeepLastGood& change);
  // The last plan that nobody has to confirm any more: for a start whose files are broken.
  [[nodiscard]] std::optional<KeptChange> good_plan() const;
  // What would run after a rollback to `generation`; the error names the file and what is wrong with it.
  [[nodiscard]] config::value::Result<KeptChange, std::string> plan_of(Generation generation) const;
  // What the files on disk may still have, though it does not run: "generation 7 was rolled back". Empty: nothing.
  [[nodiscard]] std::string held_back() const;
  // What runs is a canary that was confirmed: "generation 7 is a canary of hakodate". The files on disk may have more,
  // which nobody has applied. Empty: it is not.
  [[nodiscard]] std::string canary_alone() const;
  // Lines that `candidate` would bring in again (core::brought_again); empty when nothing was rolled back since.
  [[nodiscard]] std::vector<std::string> brought_again(const policy::Plan& running,
                                                       const policy::Plan& candidate) const;

  [[nodiscard]] os::OsResult<void> save();
  [[nodiscard]] core::ChangeHistory& history() { return history_; }
  [[nodiscard]] const core::ChangeHistory& history() const { return history_; }
  [[nodiscard]] std::optional<Wish>& wish() { return wish_; }
  [[nodiscard]] const std::optional<Wish>& wish() const { return wish_; }
  // Not empty: why the history could not be read at the start. It is begun anew with the next change.
  [[nodiscard]] const std::string& damage() const { return damage_; }

 private:
  [[nodiscard]] core::ChangeEntry entry_of(const core::ChangeRecord& record, WallTime wall) const;

  std::string state_directory_;
  ChangeStore store_;
  std::string boot_;
  core::ChangeHistory history_;
  std::optional<Wish> wish_;
  std::string damage_;
  std::vector<std::string> start_difference_;  // of the files on disk to what is confirmed
  std::optional<Generation> not_kept_;         // its plan could not be written
  Generation saved_;                           // the highest that is durable
  std::optional<Generation> good_;             // whose file is the last good one; empty: not known, or one of its own
};

// A kept plan without the permissions that have ended since; with the configuration it was made of, when that still
// compiles to it.
[[nodiscard]] core::Candidate candidate_of(KeptChange kept, config::value::WallTime now);

}  // namespace gateway::daemon
