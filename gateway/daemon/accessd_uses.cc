// accessd's watch over the use of permissions: fed by the records of flows, kept each hour and at the stop.
#include "gateway/daemon/accessd.h"
#include "gateway/daemon/uses_file.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

constexpr auto kKeepTime = std::chrono::hours(1);
constexpr std::uint64_t kMostUnusedDays = 36'500;

}  // namespace

void Accessd::read_kept_uses() {
  auto kept = read_uses(child_.arguments().state_directory);
  if (!kept) act(core::action::RaiseAlarm{"when permissions were last used is not known any more: " + kept.error()});
  if (kept && *kept) watched_ = audit::WatchedRules(**std::move(kept));
}

// Of the plan as it is without isolation: a drill makes no permission new.
void Accessd::watch_rules() {
  if (const auto* plan = controller_.running_whole()) watched_.set_plan(*plan, os::wall_now());
  if (const auto config = controller_.running_config()) roles_.set_config(*config);
  if (!keep_uses_at_) keep_uses_at_ = now_ + kKeepTime;
}

void Accessd::note_uses(const std::vector<audit::Record>& records, config::value::WallTime now) {
  for (const auto& each : records) {
    if (each.kind != "flow.begin") continue;
    const auto rule = each.fields.find("rule");
    if (rule != each.fields.end() && rule->is_number_unsigned()) watched_.used(rule->get<std::uint32_t>(), now);
  }
  for (auto& sentence : roles_.look(records, now_)) act(core::action::RaiseAlarm{std::move(sentence)});
}

void Accessd::keep_uses_when_due(bool at_once) {
  if (!keep_uses_at_ || (*keep_uses_at_ > now_ && !at_once)) return;
  keep_uses_at_ = now_ + kKeepTime;
  watched_.used_by(flows_, os::wall_now());
  if (!watched_.changed()) return;
  const auto kept = keep_uses(child_.arguments().state_directory, watched_.uses());
  uses_error_ = kept ? "" : kept.error().to_string();
  if (kept) watched_.kept();
}

std::string Accessd::permissions_answer(const Json& request) {
  const auto wall = os::wall_now();
  watched_.used_by(flows_, wall);
  LineUsesQuestion question;
  if (const auto config = controller_.running_config()) question.days = config->gateway.unused_after_days;
  if (request.contains("facility") && request["facility"].is_string())
    question.facility = request["facility"].get<std::string>();
  if (request.contains("unused") && request["unused"].is_number_unsigned())
    question.unused = std::min<std::uint64_t>(request["unused"].get<std::uint64_t>(), kMostUnusedDays);
  const auto* plan = controller_.running_whole();
  const auto known = [&](const policy::FacilityPlan& each) { return each.name.text == question.facility; };
  if (!question.facility.empty() && (plan == nullptr || std::ranges::none_of(plan->facilities, known)))
    return error_line("unknown",
                      "no facility '" + question.facility + "' runs; 'sekisho show facilities' has the names");
  auto view = line_uses_view(policy::or_none(plan), watched_.uses(), question, wall);
  view["error"] = uses_error_;
  return answer_line(std::move(view));
}

// What a candidate keeps open that nobody has used for long; a sentence each.
std::vector<std::string> Accessd::unused_in(const core::Candidate& candidate) {
  std::vector<std::string> out;
  if (!candidate.config) return out;
  const auto wall = os::wall_now();
  watched_.used_by(flows_, wall);
  const auto days = candidate.config->gateway.unused_after_days;
  const auto found = policy::unused(policy::line_uses(candidate.plan, watched_.uses()), days, wall);
  for (const auto& each : policy::to_warnings(*candidate.config, found, days, wall))
    out.push_back(config::to_text(each, candidate.config->files));
  return out;
}

}  // namespace gateway::daemon
