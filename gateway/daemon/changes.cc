#include "gateway/daemon/changes.h"

#include <algorithm>

#include "gateway/core/change_effect.h"
#include "gateway/daemon/last_good.h"
#include "policy/compile.h"

namespace gateway::daemon {

using core::ChangeReason;
using core::ChangeRecord;

namespace {

// End dates, process starts and rollbacks are no changes of a person's.
bool has_entry(ChangeReason reason) {
  return reason == ChangeReason::kRequest || reason == ChangeReason::kStart;
}

std::string name_of(config::value::Generation generation) {
  return "generation " + std::to_string(generation.number);
}

}  // namespace

Changes::Changes(const std::string& state_directory, std::string boot)
    : state_directory_(state_directory), store_(state_directory), boot_(std::move(boot)) {
  if (auto read = store_.read_history())
    history_ = *std::move(read);
  else
    damage_ = read.error();
  saved_ = history_.highest();
}

std::optional<std::string> Changes::end_at_start(Instant now, WallTime wall) {
  if (!history_.trial()) return std::nullopt;
  auto why = history_.over_at_start(boot_, now);
  if (why.empty())
    if (const auto kept = store_.read(history_.trial()->generation); !kept) why = kept.error();
  if (why.empty()) return std::nullopt;
  history_.roll_back(history_.trial()->base, "start", why, wall);
  return why;
}

Changes::Start Changes::choose_start(const core::Candidate& on_disk) {
  const auto disk = on_disk.errors.empty() ? core::digest(on_disk.plan) : std::string();
  if (history_.trial()) {
    auto kept = store_.read(history_.trial()->generation);  // end_at_start has looked at it
    if (kept) return {*std::move(kept), false, name_of(history_.trial()->generation) + " waits for confirmation"};
    return {std::nullopt, true, kept.error()};
  }
  if (!damage_.empty()) {
    // Nobody knows whether the files on disk are an unconfirmed change; the last good plan never is one.
    auto good = good_plan();
    if (!good || core::digest(good->plan) == disk) return {};
    return {std::move(good), false, "the history cannot be read (" + damage_ + "): the last good plan is used"};
  }
  const auto* confirmed = history_.confirmed_entry();
  if (confirmed != nullptr && !disk.empty() && confirmed->digest != disk)
    if (const auto kept = store_.read(confirmed->generation))
      start_difference_ = core::describe_difference(kept->plan, on_disk.plan);
  const std::string held_back = this->held_back().empty() ? canary_alone() : this->held_back();
  if (held_back.empty() || (confirmed != nullptr && confirmed->digest == disk)) return {};
  auto kept = plan_of(history_.confirmed());
  const std::string held = held_back + ", and the files on disk are not those of " + name_of(history_.confirmed());
  if (kept) return {*std::move(kept), false, held + ": the latter is used"};
  return {
      std::nullopt, true,
      held + ", which cannot be read (" + kept.error() + "): closed until 'sekisho apply' takes the files as they are"};
}

core::ChangeEntry Changes::entry_of(const ChangeRecord& record, WallTime wall) const {
  core::ChangeEntry entry;
  entry.generation = record.generation;
  entry.digest = record.digest_after;
  entry.author = record.request.actor;
  entry.comment = record.request.comment;
  core::shorten(entry.comment);
  entry.at = wall;
  const bool again = record.request.reason == ChangeReason::kStart && history_.confirmed().number != 0;
  entry.difference = again ? start_difference_ : record.difference;
  entry.canary = record.request.canary;
  return entry;
}

bool Changes::on_applying(const ChangeRecord& record, const core::action::Kept& kept, WallTime wall,
                          std::optional<os::OsError>& error) {
  if (!has_entry(record.request.reason)) return true;
  const bool tried = wish_ && wish_->id == record.request.id;
  const auto* confirmed = history_.confirmed_entry();
  if (!tried && confirmed != nullptr && confirmed->digest == record.digest_after) return true;
  const KeptChange change{record.generation, *kept.plan, kept.keys,
                          kept.sources ? *kept.sources : std::vector<config::SourceFile>()};
  not_kept_.reset();
  if (const auto written = store_.write(change); !written) {
    error = written.error();
    not_kept_ = record.generation;
    return !tried;
  }
  if (!tried) return true;
  core::Trial trial;
  trial.boot = boot_;
  trial.time = wish_->time;
  trial.up = wish_->up;
  trial.down_limit = wish_->down_limit;
  const auto before = history_;
  history_.begin(entry_of(record, wall), std::move(trial));
  const auto saved = save();
  if (saved) return true;
  history_ = before;
  error = saved.error();
  return false;
}

bool Changes::on_applied(const ChangeRecord& record, Instant now, WallTime wall) {
  if (!has_entry(record.request.reason)) return false;
  if (wish_ && wish_->id == record.request.id) {
    wish_.reset();
    history_.applied(now, wall);
    return true;
  }
  const auto* before = history_.confirmed_entry();
  const bool same =
      before != nullptr && before->digest == record.digest_after && !history_.held() && history_.asked_by().empty();
  history_.adopted(entry_of(record, wall));
  if (not_kept_ == record.generation) history_.forget_kept(record.generation);
  return !same;
}

bool Changes::on_failed(const ChangeRecord& record, WallTime wall) {
  if (!wish_ || wish_->id != record.request.id) return false;
  wish_.reset();
  if (!history_.trial()) {  // it came to nothing: it could not be kept
    history_.unask();
    return true;
  }
  history_.failed(record.errors.empty() ? "" : record.errors.front(), wall);
  return true;
}

os::OsResult<void> Changes::keep_good(const core::action::KeepLastGood& change) {
  const auto* confirmed = history_.confirmed_entry();
  const bool held = confirmed != nullptr && confirmed->digest == change.digest &&
                    history_.kept().contains(confirmed->generation.number);
  if (!held || (good_ != confirmed->generation &&
                !link_last_good(state_directory_, store_.path(confirmed->generation)).has_value())) {
    good_.reset();
    return keep_last_good(state_directory_, {change.generation, *change.plan, change.keys, {}});
  }
  good_ = confirmed->generation;
  history_.note(change.generation);  // no generation comes twice
  return change.generation <= saved_ ? os::OsResult<void>() : save();
}

std::optional<KeptChange> Changes::good_plan() const {
  auto good = read_last_good(state_directory_);
  const auto* entry = good ? history_.entry(good->generation) : nullptr;
  const bool taken_back = entry != nullptr && entry->state != core::ChangeState::kConfirmed;
  if (good && !taken_back && good->generation >= history_.confirmed()) return good;
  if (auto kept = store_.read(history_.confirmed())) return *std::move(kept);
  return taken_back ? std::nullopt : std::move(good);
}

config::value::Result<KeptChange, std::string> Changes::plan_of(Generation generation) const {
  auto kept = store_.read(generation);
  if (kept || generation != history_.confirmed()) return kept;
  // The last good plan is the same one, unless it is the one that was rolled back from.
  auto good = read_last_good(state_directory_);
  const auto* wanted = history_.entry(generation);
  if (good && wanted != nullptr && core::digest(good->plan) == wanted->digest)
    return KeptChange{generation, std::move(good->plan), std::move(good->keys), std::move(good->files)};
  return kept;
}

std::string Changes::held_back() const {
  if (history_.held()) {
    const auto* held = history_.entry(*history_.held());
    const bool failed = held != nullptr && held->state == core::ChangeState::kFailed;
    return name_of(*history_.held()) + (failed ? " could not be applied" : " was rolled back");
  }
  if (history_.asked_by().empty() || wish_) return "";
  return "the gateway ended while a change of " + history_.asked_by() + " was being begun";
}

std::string Changes::canary_alone() const {
  const auto* confirmed = history_.confirmed_entry();
  if (confirmed == nullptr || confirmed->canary.empty()) return "";
  return name_of(confirmed->generation) + " is a canary of " + confirmed->canary;
}

std::vector<std::string> Changes::brought_again(const policy::Plan& running, const policy::Plan& candidate) const {
  if (!history_.held()) return {};
  // Not what runs: until the rollback is done that is the change itself.
  const auto base = plan_of(history_.confirmed());
  std::vector<std::string> again;
  for (const auto generation : history_.held_all()) {
    const auto rolled_back = store_.read(generation);
    auto lines = rolled_back ? core::brought_again(base ? base->plan : running, rolled_back->plan, candidate)
                             : std::vector<std::string>{"(" + rolled_back.error() +
                                                        ": whether the change is in the files cannot be said)"};
    for (auto& line : lines)
      if (std::ranges::find(again, line) == again.end()) again.push_back(std::move(line));
  }
  return again;
}

os::OsResult<void> Changes::save() {
  if (!damage_.empty()) store_.set_aside();
  if (auto written = store_.write_history(history_); !written) return written;
  damage_.clear();
  saved_ = history_.highest();
  store_.tidy(history_);
  return {};
}

core::Candidate candidate_of(KeptChange kept, config::value::WallTime now) {
  auto candidate = core::without_ended(kept.plan, std::move(kept.keys), now);
  if (kept.files.empty()) return candidate;
  const auto loaded = config::load(kept.files, now);
  if (!config::has_errors(loaded.diagnostics) && policy::compile(loaded.config, now).plan == candidate.plan)
    candidate.config = std::make_shared<const config::GatewayConfig>(loaded.config);
  candidate.sources = std::make_shared<const std::vector<config::SourceFile>>(std::move(kept.files));
  return candidate;
}

}  // namespace gateway::daemon
