#include "gateway/audit/certificate_ends.h"

#include <algorithm>
#include <chrono>

namespace gateway::audit {
namespace {

using config::value::Duration;
using config::value::WallTime;
using std::chrono::days;
using Kind = CertificateEnd::Kind;

constexpr Duration kLongestNotice = days(2);

std::size_t last_level(const CertificateEnd& what) {
  return what.kind == Kind::kRevocationList ? 2 : kCertificateWarningDays.size() + 1;
}

// How many thresholds are crossed; the last when the end has come.
std::size_t level_of(const CertificateEnd& what, WallTime now) {
  const WallTime end = *what.expires;
  if (end <= now) return last_level(what);
  if (what.kind == Kind::kRevocationList) return end - now <= what.notice ? 1 : 0;
  std::size_t level = 0;
  for (const int threshold : kCertificateWarningDays)
    if (end - now <= days(threshold)) ++level;
  return level;
}

const char* kind_of(bool list, bool ended) {
  if (list) return ended ? "certificate.list-expired" : "certificate.list-expires";
  return ended ? "certificate.expired" : "certificate.expires";
}

const char* owner_of(const CertificateEnd& what) {
  if (what.kind != Kind::kOfAnEnd) return "authority";
  return what.facility.empty() ? "gateway" : "facility";
}

}  // namespace

Duration list_notice(WallTime made, WallTime end) {
  using std::chrono::seconds;  // the two may be as far apart as WallTime goes
  const auto since_1970 = [](WallTime time) { return std::chrono::floor<seconds>(time.time_since_epoch()); };
  const seconds quarter = (since_1970(end) - since_1970(made)) / 4;
  return std::clamp(quarter, seconds::zero(), std::chrono::duration_cast<seconds>(kLongestNotice));
}

std::int64_t days_left(WallTime end, WallTime now) {
  return std::chrono::floor<days>(end - now).count();
}

std::string to_sentence(const Record& record) {
  const auto& fields = record.fields;
  const std::string owner = fields.value("owner", "");
  const bool list = record.kind.find(".list-") != std::string::npos;
  const std::string whose = owner == "facility"    ? "facility " + fields.value("facility", "")
                            : owner == "authority" ? fields.value("subject", "")
                                                   : "the gateway";
  const bool ended = record.kind.ends_with("expired");
  const std::int64_t left = fields.value("days_left", std::int64_t{0});
  const std::string when = ended       ? "has ended"
                           : left == 0 ? "ends within a day"
                                       : "ends in " + std::to_string(left) + " days";
  const std::string file = fields.value("file", "");
  return (file.empty() ? "" : file + ": ") + (list ? "the revocation list of " : "the certificate of ") + whose + " " +
         when + " (" + fields.value("expires", "") + ")";
}

CertificateEnds::Key CertificateEnds::key_of(const CertificateEnd& end) {
  if (end.kind == Kind::kOfAnEnd) return {end.kind, end.facility, "", {}};
  if (end.kind == Kind::kRevocationList) return {end.kind, end.file, end.subject, {}};
  return {end.kind, end.file, end.subject, end.expires.value_or(WallTime{})};
}

Record CertificateEnds::record_of(const CertificateEnd& what, std::size_t level, const RecordTime& now) {
  const bool list = what.kind == Kind::kRevocationList, ended = level == last_level(what);
  Record record{kind_of(list, ended), {}};
  record.fields["owner"] = owner_of(what);
  if (!what.facility.empty()) record.fields["facility"] = what.facility;
  record.fields["expires"] = to_rfc3339(*what.expires, now.offset_minutes);
  record.fields["days_left"] = days_left(*what.expires, now.wall);
  if (!list && !ended) record.fields["threshold_days"] = kCertificateWarningDays[level - 1];
  if (!what.subject.empty()) record.fields["subject"] = what.subject;
  if (!what.file.empty()) record.fields["file"] = what.file;
  return record;
}

void CertificateEnds::look(std::span<const CertificateEnd> all, const RecordTime& now, std::vector<Record>& records) {
  std::map<Key, Known> next;
  for (const CertificateEnd& each : all) {
    const Key key = key_of(each);
    const auto before = known_.find(key);
    if (next.contains(key)) continue;
    if (!each.expires && before == known_.end()) continue;
    const bool same = before != known_.end() && (!each.expires || *each.expires == *before->second.what.expires);
    Known known = same ? before->second : Known{each, 0, 0, {}};
    if (!same && before != known_.end())
      known.last_level = before->second.last_level, known.last_at = before->second.last_at;
    const std::size_t level = level_of(known.what, now.wall);
    // A clock that was ahead and was set right: what it made us tell too early is told again in its time.
    if (level < known.told && level_of(known.what, now.wall + days(1)) < known.told) known.told = level;
    const bool lately =
        known.last_at && level <= known.last_level && now.wall - *known.last_at < days(1) && now.wall >= *known.last_at;
    if (level > known.told && !lately) {
      known.last_level = level, known.last_at = now.wall;
      records.push_back(record_of(known.what, level, now));
      known.told = level;
    }
    next.emplace(key, std::move(known));
  }
  known_ = std::move(next);
}

std::optional<WallTime> CertificateEnds::end_of(const std::string& facility) const {
  const auto found = known_.find(key_of({facility, std::nullopt, ""}));
  return found == known_.end() ? std::nullopt : found->second.what.expires;
}

std::vector<std::string> CertificateEnds::warnings(const RecordTime& now) const {
  std::vector<std::string> all;
  for (const auto& [key, known] : known_)
    if (const std::size_t level = level_of(known.what, now.wall); level > 0)
      all.push_back(to_sentence(record_of(known.what, level, now)));
  return all;
}

}  // namespace gateway::audit
