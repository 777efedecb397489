// Refused packets: every one that the kernel tells of is counted by its reason, a few of each facility and reason are
// put on record, so that one that floods leaves the others' samples alone. Totals are exact whatever is sampled.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/audit/nflog_event.h"
#include "gateway/audit/record.h"
#include "policy/plan.h"

namespace gateway::audit {

// As in the records of flows: what its facility itself calls the address; the same where nothing is translated, or no
// plan is known.
[[nodiscard]] std::string real_text(const policy::Plan* plan, const config::value::IpAddress& seen);

class Refusals {
 public:
  static constexpr std::uint32_t kSamplesPerMinute = 60;  // records of one reason and facility
  static constexpr std::size_t kMostSampled = 4096;       // pairs of them in a minute; further ones share one
  static constexpr std::size_t kMostReasons = 256;        // further ones are counted as "other"

  void on_event(const NflogEvent& event, const policy::Plan* plan, const RecordTime& now, std::vector<Record>& out);
  // Totals that another process counted ("guard.no-permission"), as they stand now.
  void on_counter(const std::string& name, std::uint64_t total);
  // Every packet of a reason the kernel refused since its table was made. From then on packets told of are samples
  // only.
  void on_kernel_total(const std::string& reason, std::uint64_t total);
  // A "refused.summary" for each reason that grew since the last call; none when nothing did.
  [[nodiscard]] std::vector<Record> summaries();

  struct Count {
    std::uint64_t total = 0, reported = 0;
    bool kernel_sampled = false;  // NFLOG is rate-limited by the rules: a lower bound
    bool exact = false;           // the kernel's own total is known
  };
  [[nodiscard]] const std::map<std::string, Count>& counts() const { return counts_; }

 private:
  Count& count_of(const std::string& reason);
  [[nodiscard]] bool sampled(const std::string& reason, const std::string& facility, config::value::Instant now);

  std::map<std::string, Count> counts_;
  std::int64_t minute_ = 0;
  std::map<std::pair<std::string, std::string>, std::uint32_t> samples_;  // in this minute, by reason and facility
};

}  // namespace gateway::audit
