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

}  // namespace

Json line_uses_view(const policy::Plan& plan, const policy::RuleUses& uses, std::uint32_t days,
                    config::value::WallTime now, const std::string& error) {
  const auto lines = policy::line_uses(plan, uses);
  const auto found = policy::unused(lines, days, now);
  Json list = Json::array();
  for (const auto& line : lines) {
    const auto& owner = line.from_facility.text.empty() ? line.to_facility : line.from_facility;
    const auto idle =
        line.last || line.since
            ? Json(std::chrono::duration_cast<std::chrono::days>(now - line.last.value_or(line.since.value_or(now)))
                       .count())
            : Json();
    list.push_back({{"kind", kind_of(line.kind)},
                    {"facility", owner.text},
                    {"from", line.from_facility.text},
                    {"to", line.to_facility.text},
                    {"name", line.name},
                    {"origin", line.origin},
                    {"until", moment(line.until)},
                    {"watched_since", moment(line.since)},
                    {"last_used", moment(line.last)},
                    {"unused_days", idle}});
  }
  return {{"permissions", std::move(list)},         {"unused_after_days", days},
          {"unused", found.lines.size()},           {"too_new", found.too_new},
          {"watched_since", moment(found.watched)}, {"error", error}};
}

}  // namespace gateway::daemon
