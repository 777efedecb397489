#include "gateway/telemetry/event.h"

#include <nlohmann/json.hpp>

namespace gateway::telemetry {
namespace {

using nlohmann::ordered_json;

struct Named {
  const char* level;
  const char* name;
  ordered_json fields;
};

Named named(const ProcessStarted& e) {
  return {"info", "process.started", {{"process", e.process}}};
}
Named named(const ProcessGreeted& e) {
  return {"info", "process.greeted", {{"process", e.process}}};
}
Named named(const ProcessLost& e) {
  return {"warning", "process.lost", {{"process", e.process}}};
}
Named named(const ProcessEnded& e) {
  return {"info", "process.ended", {{"process", e.process}}};
}
Named named(const Ready& e) {
  return {"info", "gateway.ready", {{"detail", e.detail}}};
}
Named named(const ConfigurationChanged& e) {
  return {
      "info", "configuration.changed", {{"generation", e.generation}, {"outcome", e.outcome}, {"detail", e.detail}}};
}
Named named(const Alarm& e) {
  return {"error", "alarm", {{"detail", e.detail}}};
}
Named named(const EventsLost& e) {
  return {"warning", "events.lost", {{"source", e.source}, {"total", e.total}}};
}
Named named(const RecordFailed& e) {
  return {"error", "record.failed", {{"detail", e.detail}}};
}

}  // namespace

std::string render(const Event& event, config::value::WallTime now) {
  auto [level, name, fields] = std::visit([](const auto& each) { return named(each); }, event);
  ordered_json line;
  line["time_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  line["level"] = level;
  line["event"] = name;
  line.update(fields);
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace gateway::telemetry
