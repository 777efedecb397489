#include "gateway/daemon/uses_views.h"

#include "config/moment.h"

namespace gateway::daemon {
namespace {

Json moment(const std::optional<config::value::WallTime>& time) {
  return time ? Json(config::moment_text(*time)) : Json();
}

const char* kind_of(policy::PermissionKind kind) {
  switch (kind) {
    case policy::PermissionKind::kService:
      return "service";
    case policy::PermissionKind::kExchange:
      return "exchange";
    case policy::PermissionKind::kInside:
      return "inside";
  }
  return "unknown";
}

std::optional<std::int64_t> idle_days(const policy::LineUse& line, config::value::WallTime now) {
  const auto from = line.last ? line.last : line.since;
  if (!from) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::days>(now - *from).count();
}

Json to_json(const policy::LineUse& line, const std::string& owner, config::value::WallTime now) {
  const auto idle = idle_days(line, now);
  return {{"kind", kind_of(line.kind)},
          {"facility", owner},
          {"from", line.from_facility.text},
          {"to", line.to_facility.text},
          {"name", line.name},
          {"origin", line.origin},
          {"until", moment(line.until)},
          {"watched_since", moment(line.since)},
          {"last_used", moment(line.last)},
          {"unused_days", idle ? Json(*idle) : Json()}};
}

}  // namespace

Json line_uses_view(const policy::Plan& plan, const policy::RuleUses& uses, const LineUsesQuestion& question,
                    config::value::WallTime now) {
  auto lines = policy::line_uses(plan, uses);
  if (!question.facility.empty())
    std::erase_if(lines, [&](const policy::LineUse& line) {
      return line.from_facility.text != question.facility && line.to_facility.text != question.facility;
    });
  const auto found = policy::unused(lines, question.days, now);
  Json list = Json::array();
  std::size_t all = 0;
  for (const auto& line : lines) {
    const auto& owner = line.from_facility.text.empty() ? line.to_facility : line.from_facility;
    if (question.unused > 0 && idle_days(line, now).value_or(-1) < static_cast<std::int64_t>(question.unused)) continue;
    if (++all <= kMostLineUses) list.push_back(to_json(line, owner.text, now));
  }
  return {{"permissions", std::move(list)},     {"all", all},
          {"unused_after_days", question.days}, {"unused", found.lines.size()},
          {"too_new", found.too_new},           {"watched_since", moment(found.watched)}};
}

}  // namespace gateway::daemon
