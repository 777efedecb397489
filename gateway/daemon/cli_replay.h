// `sekisho diff --replay SPAN [FILE]` and `sekisho apply --replay SPAN`: the records of the last days through the
// configuration on disk (gateway/audit/replay). Reads the state folder; needs no running gateway.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "config/value/instant.h"
#include "config/value/result.h"
#include "gateway/audit/replay.h"
#include "gateway/daemon/cli_judge.h"

namespace gateway::daemon::cli {

// "90m", "12h", "7d", "2w": a minute to five years, as long as records are to be kept. The error is a sentence.
[[nodiscard]] config::value::Result<config::value::Duration, std::string> parse_span(const std::string& text);

// What was asked and what came of it.
struct Replayed {
  audit::ReplaySpan span;
  AskedAt asked;
  policy::Plan candidate;                          // not isolated: an order to cut is no effect of a change
  std::optional<policy::Plan> running;             // likewise
  std::map<std::string, std::string> titles;       // of facilities, the candidate's first
  std::string running_unknown;                     // why not, as a sentence; empty when it is known
  bool earlier_records = false;                    // there are records of before the span
  std::string not_asked = "no gateway was asked";  // for the flows that are open longer: why; empty: it was
  std::uint64_t open_left_out = 0;                 // of these, those that it did not tell
  std::uint64_t octets = 0;                        // read
  audit::ReplayResult result;
  [[nodiscard]] bool reaches_back() const { return earlier_records || (result.first && *result.first <= span.from); }
  // Nothing would change, and all that is there could be read and was told.
  [[nodiscard]] bool quiet() const {
    return result.stops + result.ends + result.opens == 0 && result.unreadable == 0 && open_left_out == 0;
  }
};

// The error: exit status, after what is wrong was printed.
[[nodiscard]] config::value::Result<std::unique_ptr<Replayed>, int> read_replay(const CommandLine& line);

void print_replay(const CommandLine& line, const Replayed& replayed, std::FILE* to);
[[nodiscard]] Json replay_json(const Replayed& replayed);

// The verb: prints it, gives the exit status.
[[nodiscard]] int replay(const CommandLine& line);
// Before an apply: prints it, on standard error with --json. Empty: go on; else the exit status of a change that is not
// made, because recorded flows would stop, or the records, or the gateway for its open flows, could not be asked whole.
[[nodiscard]] std::optional<int> replay_before(const CommandLine& line);

}  // namespace gateway::daemon::cli
