// What a live proof found (gateway/core/live_proof.h), as JSON, as warnings of `status`, and as records.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/audit/record.h"
#include "gateway/core/live_proof.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/live_check.h"

namespace gateway::daemon {

// Of the last check of accessd's own.
struct LiveReport {
  std::optional<config::value::Instant> at;
  std::optional<LiveCheck::Done> done;
  std::string not_read;  // why the last one could not be done; empty: it was
};

[[nodiscard]] Json to_json(const core::LiveDifference& difference, const std::vector<core::TableWriter>& writers);
[[nodiscard]] Json to_json(const core::Proof& proof);
[[nodiscard]] Json packet_view(const policy::PacketPoint& packet);
// A sentence for each thing that a person should look at; empty when all is well, and before the first check.
[[nodiscard]] std::vector<std::string> live_findings(const core::LiveVerdict& verdict);
[[nodiscard]] Json live_view(const LiveReport& report, const audit::RecordTime& now);
[[nodiscard]] std::vector<std::string> live_warnings(const LiveReport& report);

// What is new, and what is gone, since the check `before` (null: the first one), as without handles: the same rule has
// another one when the table was replaced. Of what was not looked at, or is left out, this time nothing is gone.
struct LiveNews {
  std::vector<const core::LiveDifference*> differences;  // of `after`
  std::vector<std::string> breaches, restored;
};
[[nodiscard]] LiveNews news_of(const core::LiveVerdict* before, const core::LiveVerdict& after);
[[nodiscard]] std::string without_handles(std::string sentence);

// The process that last changed the table that the difference is about, where the kernel named it.
[[nodiscard]] const core::KernelWriter* writer_of(const core::LiveDifference& difference,
                                                  const std::vector<core::TableWriter>& writers);

}  // namespace gateway::daemon
