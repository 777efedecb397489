#include "policy/line_use.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <tuple>

#include "config/moment.h"
#include "policy/permissions.h"

namespace policy {
namespace {

constexpr std::string_view kFacilities = "facilities.", kMayUse = ".may_use[";

std::string key_path_of(const std::string& origin) {
  const auto end = origin.find(" (");
  return origin.substr(0, end);
}

// "exchanges[3]", from behind "exchanges[": 3.
std::optional<std::size_t> index_in(std::string_view text) {
  std::size_t index = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), index);
  if (read.ec != std::errc{} || read.ptr == text.data() + text.size() || *read.ptr != ']') return std::nullopt;
  return index;
}

template <class Items>
config::Position position_in(const Items& items, std::optional<std::size_t> index) {
  return index && *index < items.size() ? items[*index].at : config::Position{};
}

config::Position position_of(const config::GatewayConfig& config, std::string_view key_path) {
  constexpr std::string_view kExchanges = "exchanges[", kInside = "inside_may_reach[";
  if (key_path.starts_with(kExchanges))
    return position_in(config.exchanges, index_in(key_path.substr(kExchanges.size())));
  if (key_path.starts_with(kInside))
    return position_in(config.inside_may_reach, index_in(key_path.substr(kInside.size())));
  const auto list = key_path.find(kMayUse);
  if (!key_path.starts_with(kFacilities) || list == std::string_view::npos) return {};
  const auto* facility =
      find_facility(config, {std::string(key_path.substr(kFacilities.size(), list - kFacilities.size()))});
  const auto index = index_in(key_path.substr(list + kMayUse.size()));
  return facility != nullptr && index && *index < facility->may_use_at.size() ? facility->may_use_at[*index]
                                                                              : config::Position{};
}

std::string whose(const LineUse& line) {
  const auto& from = line.from_facility.text;
  return (from.empty() ? "inside" : from) + " -> " + line.name;
}

}  // namespace

std::vector<LineUse> line_uses(const Plan& plan, const RuleUses& uses) {
  std::map<std::tuple<std::string, std::string>, LineUse> lines;
  for (const Permission& row : plan.permissions) {
    const auto& owner = row.from_facility.text.empty() ? row.to_facility : row.from_facility;
    LineUse& line = lines[{owner.text, row.origin}];
    if (line.rows++ == 0) {
      line.kind = row.kind, line.from_facility = row.from_facility, line.to_facility = row.to_facility;
      line.name = row.name, line.origin = row.origin, line.until = row.until;
    }
    const auto found = uses.find(row.rule.number);
    if (found == uses.end()) continue;
    const auto& use = found->second;
    if (!line.since || use.since < *line.since) line.since = use.since;
    if (use.last && (!line.last || *line.last < *use.last)) line.last = use.last;
  }
  std::vector<LineUse> out;
  out.reserve(lines.size());
  for (auto& [key, line] : lines) out.push_back(std::move(line));
  return out;
}

Unused unused(std::span<const LineUse> lines, std::uint32_t days, WallTime now) {
  Unused found;
  if (days == 0) return found;
  const auto limit = now - std::chrono::hours(24) * days;
  for (const LineUse& line : lines) {
    if (line.last && *line.last > limit) continue;
    if (line.since && *line.since <= limit) {
      found.lines.push_back(line);
      continue;
    }
    if (line.last) continue;  // used, and watched for less than `days`
    ++found.too_new;
    if (line.since && (!found.watched || *line.since < *found.watched)) found.watched = line.since;
  }
  return found;
}

std::vector<config::Diagnostic> to_warnings(const config::GatewayConfig& config, const Unused& found,
                                            std::uint32_t days, WallTime now) {
  std::vector<config::Diagnostic> out;
  for (const LineUse& line : found.lines) {
    const auto key_path = key_path_of(line.origin);
    const auto idle = std::chrono::duration_cast<std::chrono::days>(now - line.last.value_or(*line.since)).count();
    out.push_back({.severity = config::Severity::kWarning,
                   .at = position_of(config, key_path),
                   .key_path = key_path,
                   .message = "nobody has used this permission for " + std::to_string(idle) + " days (" + whose(line) +
                              (line.last ? "; last used " + config::day_text(*line.last)
                                         : "; not once since it is watched, " + config::day_text(*line.since)) +
                              ")",
                   .hint = "take it out if it is not needed; gateway.unused_after_days is " + std::to_string(days),
                   .also = {}});
  }
  return out;
}

}  // namespace policy
