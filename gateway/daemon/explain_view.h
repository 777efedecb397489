// What `sekisho explain` answers, for whoever has a configuration and its plan: the command line about a file, accessd
// about what runs. Pure. The form: docs/operations/policy.md.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "config/gateway_config.h"
#include "gateway/daemon/accessd_views.h"
#include "policy/explain.h"

namespace gateway::daemon {

// "hakodate", "karte:tcp/443" (a port without protocol is TCP), "[2001:db8::1]:443". The error is a sentence.
[[nodiscard]] config::value::Result<policy::Question, std::string> question_of(const std::string& from,
                                                                               const std::string& to);

struct Asked {
  const config::GatewayConfig& config;
  const policy::Plan& known;  // with what has ended by `at`, so that it can be named
  const policy::Plan& then;   // as the gateway has it at `at`
  config::value::WallTime at;
  std::vector<std::string> isolated;  // a sentence for each facility that is
  std::vector<std::string> notes;
};

// The object without "version". Each layer is asked too, for each pair of ends that the words stand for. The error: the
// plan contradicts itself, or there are more than `most_ends` pairs: who answers others too has no time for those.
[[nodiscard]] config::value::Result<Json, std::string> explanation_view(
    const Asked& asked, const policy::Question& question,
    std::size_t most_ends = std::numeric_limits<std::size_t>::max());

}  // namespace gateway::daemon
