#include "gateway/audit/detail_limit.h"

#include <algorithm>
#include <array>

namespace gateway::audit {

using config::value::Duration;
using config::value::Instant;

namespace {

constexpr std::array kCauseNames{"rate", "space", "error"};

std::uint64_t number_of(const Record& record, const char* field) {
  const auto found = record.fields.find(field);
  return found != record.fields.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

DetailLimit::Key key_of(const Record& record) {
  const auto found = record.fields.find("facility");
  return {record.kind.substr(0, record.kind.find('.')),
          found != record.fields.end() && found->is_string() ? found->get<std::string>() : std::string()};
}

}  // namespace

void DetailLimit::set_rate(std::uint32_t per_second) {
  interval_ = Duration(std::chrono::seconds(1)) / std::max(per_second, 1u);
}

DetailLimit::Facility& DetailLimit::facility_of(const Record& record) {
  auto key = key_of(record);
  if (facilities_.size() >= kMostKeys && !facilities_.contains(key)) key.facility.clear();
  return facilities_[std::move(key)];
}

bool DetailLimit::admit(const Record& record, Instant now) {
  auto& facility = facility_of(record);
  const auto from = std::max(facility.full_at, now);
  if (from + interval_ - now > kBurst) return false;
  facility.full_at = from + interval_;
  return true;
}

void DetailLimit::sum(const Record& record, Cause cause, const RecordTime& now) {
  auto& facility = facility_of(record);
  if (!facility.sums) facility.sums.emplace().since = now.wall;
  auto& sums = *facility.sums;
  ++sums.rows[record.kind];
  ++summed_;
  sums.causes[static_cast<std::size_t>(cause)] = true;
  sums.packets_sent += number_of(record, "packets_sent"), sums.bytes_sent += number_of(record, "bytes_sent");
  sums.packets_received += number_of(record, "packets_received");
  sums.bytes_received += number_of(record, "bytes_received");
}

std::vector<DetailLimit::Key> DetailLimit::pending() const {
  std::vector<Key> keys;
  for (const auto& [key, facility] : facilities_)
    if (facility.sums) keys.push_back(key);
  return keys;
}

Record DetailLimit::summary(const Key& key, const RecordTime& now) const {
  Record record{key.sort + ".summary", {}};
  const auto found = facilities_.find(key);
  if (found == facilities_.end() || !found->second.sums) return record;
  const auto& sums = *found->second.sums;
  auto& fields = record.fields;
  if (!key.facility.empty()) fields["facility"] = key.facility;
  fields["since"] = to_rfc3339(sums.since, now.offset_minutes);
  fields["because"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < kCauseNames.size(); ++i)
    if (sums.causes[i]) fields["because"].push_back(kCauseNames[i]);
  fields["not_written"] = nlohmann::ordered_json::object();
  for (const auto& [kind, count] : sums.rows) fields["not_written"][kind] = count;
  if (key.sort != "flow") return record;
  fields["packets_sent"] = sums.packets_sent, fields["bytes_sent"] = sums.bytes_sent;
  fields["packets_received"] = sums.packets_received, fields["bytes_received"] = sums.bytes_received;
  return record;
}

bool DetailLimit::over_rate(const Key& key) const {
  const auto found = facilities_.find(key);
  return found != facilities_.end() && found->second.sums &&
         found->second.sums->causes[static_cast<std::size_t>(Cause::kRate)];
}

void DetailLimit::told(const Key& key) {
  if (const auto found = facilities_.find(key); found != facilities_.end()) found->second.sums.reset();
}

}  // namespace gateway::audit
