// Questions by name, as people and the configuration's `tests` ask them: FROM (a facility or "inside:SERVICE") TO (a
// service, a facility, "outside") PORT; or by address on either side, as everybody sees it. Answers for every address
// pair the names stand for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/gateway_config.h"
#include "policy/decide.h"
#include "policy/plan.h"

namespace policy {

struct Question {
  std::string from;
  std::string to;
  std::optional<IpAddress>
      address;  // a real address of `to`, when `to` is a facility; absent: all its offers' addresses
  std::optional<ServicePort> port;  // absent: whatever is open
};

struct Answer {
  Packet packet;  // first address of a source network stands for the network
  Decision decision;
};

struct Explanation {
  std::vector<Answer> answers;
  std::vector<std::string> problems;  // a name that does not exist, with what may have been meant
  [[nodiscard]] bool all_allowed() const;
  [[nodiscard]] bool any_allowed() const;
};

// `plan` must outlive the explanation (decisions point into it).
[[nodiscard]] Explanation explain(const config::GatewayConfig& config, const Plan& plan, const Question& question,
                                  WallTime now);

// Every address that an answer can be about.
[[nodiscard]] std::vector<IpAddress> addresses_asked(const config::GatewayConfig& config, const Question& question);

// One line, without its end: the packet and what is said about it.
[[nodiscard]] std::string to_text(const Answer& answer);
// One line for each answer.
[[nodiscard]] std::string to_text(const Explanation& explanation);

// The configuration's own tests. An error for each that fails: its place, what was expected, what is, and why.
[[nodiscard]] std::vector<config::Diagnostic> run_tests(const config::GatewayConfig& config, const Plan& plan,
                                                        WallTime now);

}  // namespace policy
