// One event of a process as one line of JSON. Names are stable; texts inside `detail` are for people.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "config/value/instant.h"

namespace gateway::telemetry {

struct ProcessStarted {
  std::string process;
};
struct ProcessGreeted {
  std::string process;
};
struct ProcessLost {
  std::string process;
};
struct ProcessEnded {  // as it was asked to
  std::string process;
};
struct Ready {  // the gateway is: all processes run what the configuration says
  std::string detail;
};
struct ConfigurationChanged {
  std::uint64_t generation = 0;
  std::string outcome;
  std::string detail;
};
struct Alarm {
  std::string detail;
};
struct EventsLost {
  std::string source;
  std::uint64_t total = 0;
};  // the kernel's queue to us ran over
struct RecordFailed {
  std::string detail;
};

using Event = std::variant<ProcessStarted, ProcessGreeted, ProcessLost, ProcessEnded, Ready, ConfigurationChanged,
                           Alarm, EventsLost, RecordFailed>;

// {"time_ms":…,"level":"warning","event":"process.lost","process":"netd"} with a newline.
[[nodiscard]] std::string render(const Event& event, config::value::WallTime now);

}  // namespace gateway::telemetry
