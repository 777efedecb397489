#include "gateway/daemon/isolation_views.h"

#include <algorithm>

#include "config/text_forms.h"

namespace gateway::daemon {
namespace {

constexpr std::size_t kLongestReason = 1000;  // octets

Json to_json(const policy::IsolationOrder& order, const audit::RecordTime& now) {
  return {{"number", order.number}, {"facility", order.of_all() ? Json() : Json(order.facility.text)},
          {"all", order.of_all()},  {"since", audit::to_rfc3339(order.since, now.offset_minutes)},
          {"actor", order.actor},   {"reason", order.reason}};
}

const char* kind_of(core::IsolationRecord::Step step) {
  switch (step) {
    case core::IsolationRecord::Step::kOrdered:
      return "isolation.ordered";
    case core::IsolationRecord::Step::kInForce:
      return "isolation.in-force";
    case core::IsolationRecord::Step::kLifted:
      return "isolation.lifted";
    case core::IsolationRecord::Step::kRefused:
      return "isolation.refused";
  }
  return "isolation.unknown";
}

}  // namespace

config::value::Result<core::IsolationRequest, std::string> isolation_request_of(const Json& json) {
  core::IsolationRequest request;
  const bool all = json.contains("all") && json["all"] == true;
  const bool one = json.contains("facility") && json["facility"].is_string();
  if (all == one) return std::unexpected("expected \"facility\": a name, or \"all\": true, and not both");
  if (one) request.facility.text = TRY(config::NameText::parse(json["facility"].get<std::string>())).text;
  if (!json.contains("reason")) return request;
  if (!json["reason"].is_string()) return std::unexpected("\"reason\" is no text");
  request.reason = json["reason"].get<std::string>();
  if (request.reason.size() > kLongestReason)
    return std::unexpected("\"reason\" is longer than " + std::to_string(kLongestReason) + " octets");
  return request;
}

std::string isolation_answer(const core::IsolationOutcome& outcome, bool durable, config::value::Duration took,
                             const audit::RecordTime& now) {
  if (!outcome.good) {
    const auto* code = outcome.orders.empty() ? "refused" : "incomplete";
    return error_line(code, outcome.errors.empty() ? "it could not be done" : outcome.errors.front(), outcome.errors,
                      outcome.notes);
  }
  Json orders = Json::array();
  for (const auto& order : outcome.orders) orders.push_back(to_json(order, now));
  return answer_line({{"already", outcome.already},
                      {"durable", durable},
                      {"generation", outcome.generation.number},
                      {"milliseconds", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
                      {"orders", std::move(orders)},
                      {"notes", outcome.notes}});
}

Json isolation_view(const core::Controller& controller, const std::string& error, const audit::RecordTime& now) {
  const auto& isolation = controller.isolation();
  Json orders = Json::array(), facilities = Json::array();
  for (const auto& order : isolation.orders) orders.push_back(to_json(order, now));
  if (const auto* plan = controller.running_plan())
    for (const auto& facility : plan->facilities)
      if (facility.isolated) facilities.push_back(facility.name.text);
  return {{"stopped", std::ranges::any_of(isolation.orders, &policy::IsolationOrder::of_all)},
          {"in_force", !controller.cutting()},
          {"durable", error.empty()},
          {"error", error},
          {"orders", std::move(orders)},
          {"facilities", std::move(facilities)}};
}

void mark_isolated(Json& list, const char* state, const policy::Plan& plan, const policy::Isolation& isolation,
                   const audit::RecordTime& now) {
  std::map<std::string, const policy::FacilityPlan*> isolated;
  for (const auto& facility : plan.facilities)
    if (facility.isolated) isolated.emplace(facility.name.text, &facility);
  for (auto& each : list) {
    const auto found = isolated.find(each.value("facility", ""));
    if (found == isolated.end()) continue;
    each[state] = "isolated";
    each["isolated"] = Json::array();
    for (const auto* order : policy::holding(isolation, *found->second))
      each["isolated"].push_back(to_json(*order, now));
  }
}

std::string isolation_sentence(const std::string& facility, const policy::IsolationOrder& order,
                               const audit::RecordTime& now) {
  std::string text =
      facility + " is isolated since " + audit::to_rfc3339(order.since, now.offset_minutes) + ", by " + order.actor;
  if (order.of_all()) text += " (emergency stop)";
  if (!order.of_all() && order.facility.text != facility) text += " (as " + order.facility.text + ")";
  return order.reason.empty() ? text : text + ": " + order.reason;
}

audit::Record to_record(const core::IsolationRecord& entry, const audit::RecordTime& now) {
  audit::Record record{kind_of(entry.step), {}};
  auto& fields = record.fields;
  if (entry.order.number != 0) fields["order"] = entry.order.number;
  if (entry.order.of_all())
    fields["all"] = true;
  else
    fields["facility"] = entry.order.facility.text;
  fields["actor"] = entry.actor;
  fields["reason"] = entry.reason;
  if (entry.order.number != 0) fields["since"] = audit::to_rfc3339(entry.order.since, now.offset_minutes);
  if (entry.step == core::IsolationRecord::Step::kLifted) {
    fields["ordered_by"] = entry.order.actor;
    fields["ordered_because"] = entry.order.reason;
  }
  fields["generation"] = entry.generation.number;
  if (!entry.errors.empty()) fields["errors"] = entry.errors;
  return record;
}

}  // namespace gateway::daemon
