#include "gateway/core/change_history.h"

#include <algorithm>
#include <charconv>

namespace gateway::core {
namespace {

template <class Entries>
auto find_in(Entries& entries, Generation generation) -> decltype(&entries.front()) {
  const auto found = std::ranges::find(entries, generation, &ChangeEntry::generation);
  return found == entries.end() ? nullptr : &*found;
}

void decide(ChangeEntry& entry, ChangeState state, const std::string& by, const std::string& why, WallTime wall) {
  entry.state = state;
  entry.decided_by = by;
  entry.why = why;
  entry.decided_at = wall;
}

std::string number(Generation generation) {
  return std::to_string(generation.number);
}

}  // namespace

const char* to_string(ChangeState state) {
  switch (state) {
    case ChangeState::kApplying:
      return "applying";
    case ChangeState::kPending:
      return "pending";
    case ChangeState::kConfirmed:
      return "confirmed";
    case ChangeState::kRolledBack:
      return "rolled back";
    case ChangeState::kFailed:
      return "failed";
  }
  return "unknown";
}

const ChangeEntry* ChangeHistory::entry(Generation generation) const {
  return find_in(entries_, generation);
}

ChangeEntry* ChangeHistory::find(Generation generation) {
  return find_in(entries_, generation);
}

// What was read back must be a state this class can be in: the file may be another's, or an older fault of ours.
bool ChangeHistory::consistent() const {
  if (entries_.size() > kMostEntries + 2) return false;
  if (!std::ranges::is_sorted(entries_, {}, &ChangeEntry::generation)) return false;
  if (!entries_.empty() && entries_.back().generation > highest_) return false;
  const auto* now = entry(confirmed_);
  if (confirmed_.number != 0 && (now == nullptr || now->state != ChangeState::kConfirmed)) return false;
  const auto open = std::ranges::count_if(entries_, [](const ChangeEntry& each) {
    return each.state == ChangeState::kApplying || each.state == ChangeState::kPending;
  });
  if (!trial_) return open == 0;
  const auto* tried = entry(trial_->generation);
  return open == 1 && tried != nullptr && trial_->base == confirmed_ && confirmed_.number != 0 &&
         (tried->state == ChangeState::kApplying || tried->state == ChangeState::kPending);
}

std::vector<ChangeHistory::Canary> ChangeHistory::canaries() const {
  std::vector<Canary> found;
  for (const auto& each : entries_)
    if (!each.canary.empty()) found.push_back({each.generation, each.canary});
  return found;
}

// False: they are of no entry.
bool ChangeHistory::take(const std::vector<Canary>& canaries) {
  for (const auto& each : canaries) {
    auto* tried = find(each.generation);
    if (tried == nullptr || each.facility.empty()) return false;
    tried->canary = each.facility;
  }
  return true;
}

void ChangeHistory::note(Generation used) {
  highest_ = std::max(highest_, used);
}

// The oldest go, never what runs or what would come back.
void ChangeHistory::push(ChangeEntry entry) {
  note(entry.generation);
  entry.lines = entry.difference.size();
  if (entry.difference.size() > kMostLines) entry.difference.resize(kMostLines);
  const auto newest = entry.generation;
  entries_.push_back(std::move(entry));
  std::size_t excess = entries_.size() > kMostEntries ? entries_.size() - kMostEntries : 0;
  std::erase_if(entries_, [&](const ChangeEntry& each) {
    const bool goes = excess > 0 && each.generation != confirmed_ && each.generation != newest;
    if (goes) --excess;
    return goes;
  });
}

void ChangeHistory::adopted(ChangeEntry entry) {
  held_.reset(), held_before_.clear();
  unask();
  const auto* now = confirmed_entry();
  if (now != nullptr && now->digest == entry.digest) return note(entry.generation);
  entry.state = ChangeState::kConfirmed;
  const auto generation = entry.generation;
  push(std::move(entry));
  confirmed_ = generation;
}

void ChangeHistory::begin(ChangeEntry entry, Trial trial) {
  entry.state = ChangeState::kApplying;
  trial.generation = entry.generation;
  trial.base = confirmed_;
  std::ranges::sort(trial.up);
  push(std::move(entry));
  trial_ = std::move(trial);
  unask();
}

void ChangeHistory::applied(Instant now, WallTime wall) {
  if (!trial_) return;
  if (auto* tried = find(trial_->generation)) tried->state = ChangeState::kPending;
  trial_->deadline = now + trial_->time;
  trial_->until = wall + trial_->time;
}

void ChangeHistory::failed(const std::string& why, WallTime wall) {
  if (!trial_) return;
  if (auto* tried = find(trial_->generation)) {
    decide(*tried, ChangeState::kFailed, "gateway", why, wall);
    hold(*tried);
  }
  trial_.reset();
}

bool ChangeHistory::waits() const {
  const auto* tried = trial_ ? entry(trial_->generation) : nullptr;
  return tried != nullptr && tried->state == ChangeState::kPending;
}

config::value::Result<void, std::string> ChangeHistory::confirm(const std::string& by, Instant now, WallTime wall) {
  if (!waits()) return std::unexpected("no change waits for confirmation; 'sekisho history' says what became of each");
  if (overdue(now))
    return std::unexpected("too late: the time of generation " + number(trial_->generation) + " is over");
  decide(*find(trial_->generation), ChangeState::kConfirmed, by, "", wall);
  confirmed_ = trial_->generation;
  trial_.reset();
  if (confirmed_entry()->canary.empty()) held_.reset(), held_before_.clear();
  return {};
}

config::value::Result<Generation, std::string> ChangeHistory::target(std::optional<std::uint64_t> wanted) const {
  if (trial_) {
    if (!waits()) return std::unexpected("a change is being applied; ask again when it is done");
    if (!wanted || Generation{*wanted} == trial_->base) return trial_->base;
    return std::unexpected("generation " + number(trial_->generation) +
                           " waits for confirmation: 'sekisho rollback' without a number takes it back first");
  }
  const auto fit = [this](const ChangeEntry& each) {
    return each.state == ChangeState::kConfirmed && each.generation < confirmed_ &&
           kept().contains(each.generation.number);
  };
  if (!wanted) {
    const auto before = std::find_if(entries_.rbegin(), entries_.rend(), fit);
    if (before != entries_.rend()) return before->generation;
    return std::unexpected("nothing to go back to: no change before generation " + number(confirmed_) + " is kept");
  }
  const auto* named = entry(Generation{*wanted});
  if (named != nullptr && fit(*named)) return named->generation;
  std::string kept_ones;
  for (const auto& each : entries_)
    if (fit(each)) kept_ones += (kept_ones.empty() ? "" : ", ") + number(each.generation);
  return std::unexpected("generation " + std::to_string(*wanted) +
                         (named == nullptr                  ? " is not in the history"
                          : named->generation == confirmed_ ? " is what runs"
                                                            : " cannot be gone back to") +
                         (kept_ones.empty() ? "; none can" : "; these can: " + kept_ones));
}

void ChangeHistory::roll_back(Generation to, const std::string& by, const std::string& why, WallTime wall) {
  const ChangeEntry* newest = nullptr;
  for (auto& each : entries_)
    if (each.generation > to && each.state != ChangeState::kRolledBack && each.state != ChangeState::kFailed) {
      decide(each, ChangeState::kRolledBack, by, why, wall);
      newest = &each;
    }
  if (newest != nullptr) hold(*newest);
  confirmed_ = to;
  trial_.reset();
  unask();
}

// The files on disk may still have what was taken back before, beyond the one facility of a canary.
void ChangeHistory::hold(const ChangeEntry& taken_back) {
  if (taken_back.canary.empty())
    held_before_.clear();
  else if (held_ && *held_ != taken_back.generation)
    held_before_.insert(held_before_.begin(), *held_);
  if (held_before_.size() > kMostHeldBefore) held_before_.resize(kMostHeldBefore);
  held_ = taken_back.generation;
}

std::vector<Generation> ChangeHistory::held_all() const {
  std::vector<Generation> all;
  if (held_) all.push_back(*held_);
  all.insert(all.end(), held_before_.begin(), held_before_.end());
  return all;
}

std::string ChangeHistory::over_at_start(const std::string& boot, Instant now) const {
  if (!trial_) return "";
  if (!waits()) return "the gateway ended before it was wholly applied";
  if (trial_->boot != boot) return "the machine was restarted before it was confirmed";
  if (overdue(now)) return "not confirmed in time; the gateway was not running when its time was over";
  return "";
}

bool ChangeHistory::overdue(Instant now) const {
  return waits() && now >= trial_->deadline;
}

std::vector<std::string> ChangeHistory::lost(const std::vector<TunnelStatus>& tunnels, Instant now) const {
  std::vector<std::string> down;
  if (!waits()) return down;
  for (const auto& tunnel : tunnels) {
    const bool long_down = !tunnel.up && tunnel.since && now - *tunnel.since >= kDownTime;
    if (long_down && std::ranges::binary_search(trial_->up, tunnel.facility)) down.push_back(tunnel.facility);
  }
  std::ranges::sort(down);
  return down;
}

void ChangeHistory::leave_out(const std::string& facility) {
  if (!trial_) return;
  std::erase_if(trial_->up, [&](const std::string& each) { return facility.empty() || each == facility; });
}

void ChangeHistory::forget_kept(Generation generation) {
  if (std::ranges::find(unkept_, generation.number) == unkept_.end()) unkept_.push_back(generation.number);
}

std::set<std::uint64_t> ChangeHistory::kept() const {
  std::set<std::uint64_t> kept;
  const auto keep = [&](Generation generation) {
    if (generation.number != 0 && std::ranges::find(unkept_, generation.number) == unkept_.end())
      kept.insert(generation.number);
  };
  keep(confirmed_);
  if (trial_) keep(trial_->generation);
  for (const auto generation : held_all()) keep(generation);
  for (auto each = entries_.rbegin(); each != entries_.rend() && kept.size() < kMostKept; ++each)
    if (each->state == ChangeState::kConfirmed) keep(each->generation);
  return kept;
}

config::value::Result<Duration, std::string> parse_trial_time(const std::string& text) {
  const auto wrong = [&text] {
    return std::unexpected("'" + text + "' is no time to confirm in: a number with s, m or h, from 5s to 24h (10m)");
  };
  std::uint32_t count = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, count);
  if (read.ec != std::errc{} || end - read.ptr != 1 || count > 86'400) return wrong();
  Duration time{};
  if (*read.ptr == 's')
    time = std::chrono::seconds(count);
  else if (*read.ptr == 'm')
    time = std::chrono::minutes(count);
  else if (*read.ptr == 'h')
    time = std::chrono::hours(count);
  if (time < ChangeHistory::kLeastTime || time > ChangeHistory::kMostTime) return wrong();
  return time;
}

}  // namespace gateway::core
