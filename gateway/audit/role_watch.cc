#include "gateway/audit/role_watch.h"

namespace gateway::audit {
namespace {

std::string text_at(const Record& record, const char* field) {
  const auto found = record.fields.find(field);
  return found != record.fields.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Whose tunnel the flow goes into; empty: nobody's.
std::string reached(const Record& record) {
  const auto direction = text_at(record, "direction");
  if (direction == "facility-to-facility") return text_at(record, "other_facility");
  return direction == "inside-to-facility" ? text_at(record, "facility") : std::string();
}

}  // namespace

void RoleWatch::set_config(const config::GatewayConfig& config) {
  viewing_.clear();
  for (const auto& facility : config.facilities)
    if (facility.role == config::Role::kViewing) viewing_.insert(facility.name.text);
  std::erase_if(told_, [this](const auto& each) { return !viewing_.contains(each.first); });
}

std::vector<std::string> RoleWatch::look(const std::vector<Record>& records, config::value::Instant now) {
  std::vector<std::string> out;
  for (const Record& record : records) {
    if (record.kind != "flow.begin") continue;
    const auto facility = reached(record);
    if (!viewing_.contains(facility)) continue;
    const auto [told, is_new] = told_.emplace(facility, now);
    if (!is_new && now - told->second < kOnceIn) continue;
    told->second = now;
    const auto opener =
        text_at(record, "direction") == "inside-to-facility" ? std::string("inside") : text_at(record, "facility");
    out.push_back("a flow into " + facility + ", whose role is viewing: from " + opener + ", " +
                  text_at(record, "source") + " -> " + text_at(record, "destination") + " (" +
                  text_at(record, "destination_real") + ") " + text_at(record, "protocol") + ", by " +
                  text_at(record, "rule_origin"));
  }
  return out;
}

}  // namespace gateway::audit
