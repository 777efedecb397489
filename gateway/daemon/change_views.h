// Changes as JSON for the control socket, with stable names (docs/operations/changes.md). Pure.
#pragma once

#include <string>
#include <vector>

#include "gateway/core/change_effect.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/changes.h"

namespace gateway::daemon {

// "canary", the facility, where the entry is of one.
void add_canary(Json& to, const core::ChangeEntry& entry);
// Of a change that was applied; with "confirm_until" and "confirm_seconds" when it waits for somebody's word.
[[nodiscard]] Json outcome_view(const core::ChangeOutcome& outcome, const core::ChangeHistory& history,
                                const audit::RecordTime& now);
[[nodiscard]] Json effects_view(const std::vector<core::ChangeEffect>& effects);
// What one answer has room for: the first facilities with the first lines of each. How many facilities are left out.
std::size_t shorten_effects(std::vector<core::ChangeEffect>& effects);
// Facilities that both plans have and that no effect names.
[[nodiscard]] std::size_t unchanged_facilities(const policy::Plan& before, const policy::Plan& after,
                                               const std::vector<core::ChangeEffect>& effects);
// The trial that goes on: who, since when, until when, and which of the facilities that were up are down; null: none.
[[nodiscard]] Json change_view(const core::ChangeHistory& history, const std::vector<std::string>& down,
                               config::value::Instant now, const audit::RecordTime& time);
// Newest first.
[[nodiscard]] Json history_view(const core::ChangeHistory& history, const audit::RecordTime& now);
// Sentences for `status`: the history is damaged, the files on disk have what was rolled back.
[[nodiscard]] std::vector<std::string> change_warnings(const Changes& changes);

}  // namespace gateway::daemon
