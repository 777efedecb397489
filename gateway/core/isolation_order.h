// What people order and are told about isolated facilities (policy/isolation.h): the words between the controller and
// whoever answers the control socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/value/ids.h"
#include "config/value/instant.h"
#include "policy/isolation.h"

namespace gateway::core {

struct IsolationRequest {
  std::uint64_t id = 0;                  // of whoever waits for the answer
  config::value::FacilityName facility;  // empty text: all
  std::string actor;                     // "uid 0 (root), pid 812"
  std::string reason;                    // of a person, may be empty
  config::value::WallTime at;
};

struct IsolationOutcome {
  bool good = false;     // the cut is in force in every layer; of a rejoin: it runs
  bool already = false;  // it was isolated before; `order` is that one
  config::value::Generation generation;
  std::vector<policy::IsolationOrder> orders;  // given, found, or lifted
  std::vector<std::string> errors;             // why not good, or not yet
  std::vector<std::string> notes;              // what a person must know all the same
};

// One line of the record: ordered (durable before the cut, if that can be had), in force, lifted.
struct IsolationRecord {
  enum class Step : std::uint8_t { kOrdered, kInForce, kLifted, kRefused };
  Step step = Step::kOrdered;
  policy::IsolationOrder order;
  std::string actor, reason;  // of this step: who ordered it, who lifted it
  config::value::Generation generation;
  std::vector<std::string> errors;
};

}  // namespace gateway::core
