#include "gateway/daemon/accessd_recorder.h"

#include "gateway/os/clock.h"
#include "gateway/os/standard_streams.h"

namespace gateway::daemon {

using audit::Record;
using config::value::Instant;

namespace {

constexpr std::uint64_t kMib = 1 << 20;

}  // namespace

const char* room_name(Recorder::Room room) {
  switch (room) {
    case Recorder::Room::kGood:
      return "good";
    case Recorder::Room::kShort:
      return "short";
    case Recorder::Room::kNone:
      return "none";
  }
  return "unknown";
}

void Recorder::set_limits(const config::RecordLimits& limits, Instant now) {
  limits_ = limits;
  detail_.set_rate(limits.flow_records_per_second);
  if (files_) files_->set_most_in_file(limits.file_mib * kMib);
  look_at_space(now);
}

// Out of kNone only with an eighth more than is asked for, so that it does not flutter.
Recorder::Room Recorder::judge_space() const {
  const auto budget = limits_.budget_mib * kMib, keep_free = limits_.keep_free_mib * kMib;
  const auto slack = [this](std::uint64_t octets) { return room_ == Room::kNone ? octets / 8 : 0; };
  if (space_.used + slack(budget) >= budget || space_.free < keep_free + slack(keep_free)) return Room::kNone;
  const bool is_short = space_.used >= budget / 5 * 4 || space_.free < 2 * keep_free;
  return is_short ? Room::kShort : Room::kGood;
}

void Recorder::look_at_space(Instant now) {
  if (!open(now)) return;
  looked_ = now;
  space_ = files_->look_at_space();
  const auto room = judge_space();
  if (room == room_) return;
  room_ = room;
  write({"records.space",
         {{"room", room_name(room)},
          {"used", space_.used},
          {"budget", limits_.budget_mib * kMib},
          {"free", space_.free},
          {"keep_free", limits_.keep_free_mib * kMib}}},
        Weight::kDurable, now);
  if (room == Room::kNone) tell(telemetry::Alarm{"no room for records: flows are only summed from now on"});
  if (room == Room::kShort) tell(telemetry::Alarm{"room for records is short: move closed record files away"});
}

void Recorder::write_detail(const Record& record, Instant now) {
  using Cause = audit::DetailLimit::Cause;
  if (!looked_ || now - *looked_ >= kLookTime) look_at_space(now);
  const auto sum = [&](Cause cause) { detail_.sum(record, cause, os::record_time()); };
  if (room_ == Room::kNone) return sum(Cause::kSpace);
  if (!detail_.admit(record, now)) return sum(Cause::kRate);
  if (write_once(record, Weight::kBatched, now)) return;
  sum(Cause::kError);
  if (looked_ != now) look_at_space(now);  // full since the last look: said at once
}

void Recorder::write_summaries(Weight weight, Instant now) {
  for (const auto& key : detail_.pending()) {
    if (detail_.over_rate(key))
      tell(telemetry::Alarm{"facility " + key.facility + ": more " + key.sort +
                            " records than its allowance; the others are summed"});
    if (write_once(detail_.summary(key, os::record_time()), weight, now)) detail_.told(key);
  }
}

void Recorder::tell(const telemetry::Event& event) const {
  os::write_log(telemetry::render(event, os::wall_now()));
}

bool Recorder::fail(const os::OsError& error) {
  if (error_.empty()) tell(telemetry::RecordFailed{error.to_string()});
  error_ = error.to_string();
  return false;
}

bool Recorder::open(Instant now) {
  if (files_) return true;
  auto opened = os::RecordFiles::open(state_directory_, reserve_);
  if (!opened) return fail(opened.error());
  files_ = std::move(*opened);
  files_->set_most_in_file(limits_.file_mib * kMib);
  const auto cut = files_->repaired_octets();
  return cut == 0 || write({"records.repaired", {{"cut_octets", cut}}}, Weight::kDurable, now);
}

bool Recorder::write(const Record& record, Weight weight, Instant now) {
  const bool written = write_once(record, weight, now);
  if (!written) ++lost_;
  return written;
}

// A failure is told, and counted by the caller: what is in the sums is not lost.
bool Recorder::write_once(const Record& record, Weight weight, Instant now) {
  if (!open(now)) return false;
  if (lost_ > 0) {  // first of all, that some are missing; not out of the reserve unless a decision follows
    const auto told = files_->append({"records.lost", {{"count", lost_}, {"error", error_}}}, weight);
    if (!told) return fail(told.error());
    lost_ = 0;
  }
  auto line = files_->append(record, weight);
  if (!line) return fail(line.error());
  error_.clear();
  if (files_->unsynced() && !sync_at_) sync_at_ = now + kBatchTime;
  fresh_.push_back({record.kind, std::move(*line)});
  return true;
}

void Recorder::on_deadline(Instant now) {
  if (!sync_at_ || *sync_at_ > now) return;
  sync_at_.reset();
  if (!files_) return;
  if (auto synced = files_->sync(); !synced) {
    fail(synced.error());
    ++lost_;
  }
}

}  // namespace gateway::daemon
