// One question to the running gateway, from the command line.
#pragma once

#include "config/value/result.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "gateway/os/control_socket.h"

namespace gateway::daemon::cli {

struct Asked {
  os::ControlClient client;
  Json answer;  // {"version", "ok", "result" or "error"}
};

// Sends {"version":1,...request} and reads one answer. The error is a sentence for a person.
[[nodiscard]] config::value::Result<Asked, std::string> ask(const CommandLine& line, Json request, int seconds = 10);

// Prints why, in text or JSON, and gives the exit status.
int print_refusal(const CommandLine& line, const Json& answer);
int print_not_reached(const std::string& sentence);

// The object at `key`; empty when there is none.
[[nodiscard]] Json object_at(const Json& json, const char* key);
// Text at `key`, also of a number; empty when there is none.
[[nodiscard]] std::string text_at(const Json& json, const char* key);
[[nodiscard]] std::uint64_t number_at(const Json& json, const char* key);
[[nodiscard]] std::vector<std::string> lines_at(const Json& json, const char* key);

// cli_change.cc: the change that waits for confirmation, of the answer to `status`; nothing when there is none.
void print_trial(const Json& status);

// The answer to `status` says so: a facility's tunnel is down, a process is missing, room for records is short or they
// cannot be written, the last good configuration runs, the last change failed, or a warning stands.
[[nodiscard]] bool needs_a_person(const Json& status);

}  // namespace gateway::daemon::cli
