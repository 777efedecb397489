// What tunneld's guard refused, as records: "refused" for each packet it tells of, "refused.summary" for each facility.
// tunneld is trusted with none of it: what does not fit the form is no message, and lines are bounded here too.
#pragma once

#include <vector>

#include "gateway/audit/record.h"
#include "gateway/core/messages.h"

namespace gateway::daemon {

class GuardRefusalRecords {
 public:
  // Lines of each kind in one minute. tunneld in order stays below: 256 packets a second, 512 sums a minute.
  static constexpr std::uint32_t kMostPackets = 60 * 256, kMostSums = 2 * 512;

  // One that fits (gateway/daemon/accessd_forms.h). `plan`: for the other address of each, may be null. What is beyond
  // the bounds becomes one "events.lost" a minute.
  void on_refusals(const core::GuardRefusals& refusals, const policy::Plan* plan, const audit::RecordTime& now,
                   std::vector<audit::Record>& out);

 private:
  void turn_minute(const audit::RecordTime& now, std::vector<audit::Record>& out);

  std::int64_t minute_ = 0;
  std::uint32_t packets_ = 0, sums_ = 0;  // in this minute
  std::uint64_t lost_ = 0;
};

}  // namespace gateway::daemon
