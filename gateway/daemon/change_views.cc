#include "gateway/daemon/change_views.h"

#include <set>

namespace gateway::daemon {
namespace {

std::int64_t seconds_left(const core::Trial& trial, config::value::Instant now) {
  return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(trial.deadline - now).count());
}

}  // namespace

void add_canary(Json& to, const core::ChangeEntry& entry) {
  if (!entry.canary.empty()) to["canary"] = entry.canary;
}

Json outcome_view(const core::ChangeOutcome& outcome, const core::ChangeHistory& history,
                  const audit::RecordTime& now) {
  Json view{
      {"generation", outcome.generation.number}, {"difference", outcome.difference}, {"warnings", outcome.warnings}};
  if (history.waits() && history.trial()->generation == outcome.generation) {
    view["confirm_until"] = audit::to_rfc3339(history.trial()->until, now.offset_minutes);
    view["confirm_seconds"] = seconds_left(*history.trial(), now.boot);
  }
  if (const auto* entry = history.entry(outcome.generation)) add_canary(view, *entry);
  return view;
}

Json effects_view(const std::vector<core::ChangeEffect>& effects) {
  Json list = Json::array();
  for (const auto& each : effects)
    list.push_back({{"facility", each.facility}, {"title", each.title}, {"effects", each.lines}});
  return list;
}

std::size_t shorten_effects(std::vector<core::ChangeEffect>& effects) {
  constexpr std::size_t kMostFacilities = 500, kMostLines = 50;
  for (auto& each : effects) {
    if (each.lines.size() <= kMostLines) continue;
    const std::size_t more = each.lines.size() - kMostLines;
    each.lines.resize(kMostLines);
    each.lines.push_back("and " + std::to_string(more) + " lines more");
  }
  if (effects.size() <= kMostFacilities) return 0;
  const std::size_t left_out = effects.size() - kMostFacilities;
  effects.resize(kMostFacilities);
  return left_out;
}

std::size_t unchanged_facilities(const policy::Plan& before, const policy::Plan& after,
                                 const std::vector<core::ChangeEffect>& effects) {
  std::set<std::string> both;
  for (const auto& each : before.facilities) both.insert(each.name.text);
  std::set<std::string> unchanged;
  for (const auto& each : after.facilities)
    if (both.contains(each.name.text)) unchanged.insert(each.name.text);
  for (const auto& each : effects) unchanged.erase(each.facility);
  return unchanged.size();
}

Json change_view(const core::ChangeHistory& history, const std::vector<std::string>& down, config::value::Instant now,
                 const audit::RecordTime& time) {
  if (!history.trial()) return nullptr;
  const auto& trial = *history.trial();
  const auto* tried = history.entry(trial.generation);
  Json view{{"generation", trial.generation.number},
            {"state", tried == nullptr ? "unknown" : core::to_string(tried->state)},
            {"base", trial.base.number},
            {"author", tried == nullptr ? "" : tried->author},
            {"comment", tried == nullptr ? "" : tried->comment}};
  if (tried != nullptr) view["at"] = audit::to_rfc3339(tried->at, time.offset_minutes);
  if (tried != nullptr) add_canary(view, *tried);
  if (history.waits()) view["confirm_until"] = audit::to_rfc3339(trial.until, time.offset_minutes);
  if (history.waits()) view["confirm_seconds"] = seconds_left(trial, now);
  view["down_limit"] = trial.down_limit;
  view["up_before"] = trial.up.size();
  view["down"] = down;
  return view;
}

Json history_view(const core::ChangeHistory& history, const audit::RecordTime& now) {
  const auto kept = history.kept();
  Json list = Json::array();
  for (auto each = history.entries().rbegin(); each != history.entries().rend(); ++each) {
    Json entry{{"generation", each->generation.number},
               {"state", core::to_string(each->state)},
               {"at", audit::to_rfc3339(each->at, now.offset_minutes)},
               {"author", each->author},
               {"comment", each->comment},
               {"digest", each->digest},
               {"difference", each->difference},
               {"lines", each->lines},
               {"kept", kept.contains(each->generation.number)},
               {"runs", history.trial() ? each->generation == history.trial()->generation
                                        : each->generation == history.confirmed()}};
    add_canary(entry, *each);
    if (each->decided_at) {
      entry["decided_by"] = each->decided_by;
      entry["decided_at"] = audit::to_rfc3339(*each->decided_at, now.offset_minutes);
      entry["why"] = each->why;
    }
    list.push_back(std::move(entry));
  }
  return {{"changes", std::move(list)}};
}

std::vector<std::string> change_warnings(const Changes& changes) {
  std::vector<std::string> lines;
  if (!changes.damage().empty())
    lines.push_back("the history of changes cannot be read: " + changes.damage() +
                    "; it is begun anew with the next change that is applied");
  if (const auto held = changes.held_back(); !held.empty())
    lines.push_back(held + ", and the files on disk may still have it: 'sekisho diff' says what differs");
  if (const auto canary = changes.canary_alone(); !canary.empty())
    lines.push_back(canary +
                    ", and the files on disk may have more: 'sekisho diff' says what, 'sekisho apply' brings it in");
  return lines;
}

}  // namespace gateway::daemon
