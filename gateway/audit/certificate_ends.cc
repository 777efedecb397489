#include "gateway/audit/certificate_ends.h"

#include <chrono>

namespace gateway::audit {
namespace {

using config::value::WallTime;
using std::chrono::days;

constexpr std::size_t kEnded = kCertificateWarningDays.size() + 1;

// How many thresholds are crossed; kEnded when the end has come.
std::size_t level_of(WallTime end, WallTime now) {
  if (end <= now) return kEnded;
  std::size_t level = 0;
  for (const int threshold : kCertificateWarningDays)
    if (end - now <= days(threshold)) ++level;
  return level;
}

}  // namespace

std::int64_t days_left(WallTime end, WallTime now) {
  return std::chrono::floor<days>(end - now).count();
}

std::string to_sentence(const Record& record) {
  const auto& fields = record.fields;
  const std::string whose = fields.contains("facility") ? "facility " + fields.value("facility", "") : "the gateway";
  const bool ended = record.kind == "certificate.expired";
  const std::string when =
      ended ? "has ended" : "ends in " + std::to_string(fields.value("days_left", std::int64_t{0})) + " days";
  return "the certificate of " + whose + " " + when + " (" + fields.value("expires", "") + ")";
}

void CertificateEnds::look(std::span<const CertificateEnd> all, const RecordTime& now, std::vector<Record>& records) {
  std::map<std::string, Known> next;
  for (const CertificateEnd& each : all) {
    const auto before = known_.find(each.facility);
    if (!each.expires && before == known_.end()) continue;
    const bool same = before != known_.end() && (!each.expires || *each.expires == before->second.expires);
    Known known = same ? before->second : Known{*each.expires, each.subject, 0, 0, {}};
    if (!same && before != known_.end())
      known.last_level = before->second.last_level, known.last_at = before->second.last_at;
    const std::size_t level = level_of(known.expires, now.wall);
    // A clock that was ahead and was set right: what it made us tell too early is told again in its time.
    if (level < known.told && level_of(known.expires, now.wall + days(1)) < known.told) known.told = level;
    const bool lately =
        known.last_at && level <= known.last_level && now.wall - *known.last_at < days(1) && now.wall >= *known.last_at;
    if (level > known.told && !lately) {
      known.last_level = level, known.last_at = now.wall;
      Record record{level == kEnded ? "certificate.expired" : "certificate.expires", {}};
      record.fields["owner"] = each.facility.empty() ? "gateway" : "facility";
      if (!each.facility.empty()) record.fields["facility"] = each.facility;
      record.fields["expires"] = to_rfc3339(known.expires, now.offset_minutes);
      record.fields["days_left"] = days_left(known.expires, now.wall);
      if (level < kEnded) record.fields["threshold_days"] = kCertificateWarningDays[level - 1];
      if (!known.subject.empty()) record.fields["subject"] = known.subject;
      records.push_back(std::move(record));
      known.told = level;
    }
    next.insert_or_assign(each.facility, std::move(known));
  }
  known_ = std::move(next);
}

std::optional<WallTime> CertificateEnds::end_of(const std::string& facility) const {
  const auto found = known_.find(facility);
  return found == known_.end() ? std::nullopt : std::optional(found->second.expires);
}

}  // namespace gateway::audit
