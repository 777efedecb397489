// Certificates of both ends of IKEv2 that end soon: one record when 60, 30 or 7 days are left and one when the end has
// come. What was told is not kept over a restart: what is already within a threshold then is told once more, so that
// nobody has to look into the records of months ago.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/audit/record.h"

namespace gateway::audit {

// The thresholds in days, as `sekisho check` uses the first.
inline constexpr std::array<int, 3> kCertificateWarningDays = {60, 30, 7};

// Whole days until `end`, rounded down; negative when it has passed.
[[nodiscard]] std::int64_t days_left(config::value::WallTime end, config::value::WallTime now);

struct CertificateEnd {
  std::string facility;                            // empty: the gateway's own
  std::optional<config::value::WallTime> expires;  // the first end in the chain; none: not known now
  std::string subject;                             // may be empty
};

// "the certificate of facility hakodate ends in 29 days (2026-12-01T…)", for a log. `record`: one that look() made.
[[nodiscard]] std::string to_sentence(const Record& record);

class CertificateEnds {
 public:
  // All whose certificates matter now: one that is not named any more is forgotten, one without an end keeps the last
  // that was known (a router with an expired certificate has no tunnel that could tell). Appends what is new to
  // `records`. Of a certificate that changes back and forth one record of each threshold a day is made at most.
  void look(std::span<const CertificateEnd> all, const RecordTime& now, std::vector<Record>& records);
  // The last known end of a facility's certificate ("": the gateway's).
  [[nodiscard]] std::optional<config::value::WallTime> end_of(const std::string& facility) const;

 private:
  struct Known {
    config::value::WallTime expires;
    std::string subject;
    std::size_t told = 0;                            // 0: nothing; 1..3: that many thresholds; 4: the end
    std::size_t last_level = 0;                      // of the last record, whatever certificate it was about
    std::optional<config::value::WallTime> last_at;  // and when it was made
  };
  std::map<std::string, Known> known_;  // by facility
};

}  // namespace gateway::audit
