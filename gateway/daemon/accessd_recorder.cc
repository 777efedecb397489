#include "gateway/daemon/accessd_recorder.h"

#include "gateway/os/clock.h"
#include "gateway/os/standard_streams.h"

namespace gateway::daemon {

using audit::Record;
using config::value::Instant;

void Recorder::tell(const telemetry::Event& event) const {
  os::write_log(telemetry::render(event, os::wall_now()));
}

bool Recorder::fail(const os::OsError& error) {
  if (error_.empty()) tell(telemetry::RecordFailed{error.to_string()});
  error_ = error.to_string();
  ++lost_;
  return false;
}

bool Recorder::open(Instant now) {
  if (files_) return true;
  auto opened = os::RecordFiles::open(state_directory_);
  if (!opened) return fail(opened.error());
  files_ = std::move(*opened);
  const auto cut = files_->repaired_octets();
  return cut == 0 || write({"records.repaired", {{"cut_octets", cut}}}, Weight::kDurable, now);
}

bool Recorder::write(const Record& record, Weight weight, Instant now) {
  if (!open(now)) return false;
  if (lost_ > 0) {  // first of all, that some are missing
    const auto told = files_->append({"records.lost", {{"count", lost_}, {"error", error_}}}, Weight::kDurable);
    if (!told) return fail(told.error());
    lost_ = 0, error_.clear();
  }
  auto line = files_->append(record, weight);
  if (!line) return fail(line.error());
  if (files_->unsynced() && !sync_at_) sync_at_ = now + kBatchTime;
  fresh_.push_back({record.kind, std::move(*line)});
  return true;
}

void Recorder::on_deadline(Instant now) {
  if (!sync_at_ || *sync_at_ > now) return;
  sync_at_.reset();
  if (!files_) return;
  if (auto synced = files_->sync(); !synced) fail(synced.error());
}

}  // namespace gateway::daemon
