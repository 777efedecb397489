// How many rows of detail (flow.begin, flow.end, tunnel.handshake …) one facility may put on record singly. What goes
// beyond is not lost but summed exactly, in one "flow.summary" or "tunnel.summary" of that facility. So one hospital
// fills neither the disk nor the others' share of it. Decisions never come here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/audit/record.h"

namespace gateway::audit {

// What was not written singly of one facility and sort.
struct DetailSums {
  std::map<std::string, std::uint64_t> rows;  // "flow.begin" -> how many
  std::uint64_t packets_sent = 0, bytes_sent = 0, packets_received = 0, bytes_received = 0;
  config::value::WallTime since;
  bool causes[3] = {false, false, false};
};

class DetailLimit {
 public:
  static constexpr config::value::Duration kBurst = std::chrono::hours(1);  // so much of the mean may come at once
  static constexpr std::size_t kMostKeys = 32'768;                          // further ones share one allowance
  enum class Cause : std::uint8_t { kRate, kSpace, kError };

  explicit DetailLimit(std::uint32_t per_second) { set_rate(per_second); }
  void set_rate(std::uint32_t per_second);

  // May it be written singly? Counts against the allowance of its facility and sort.
  [[nodiscard]] bool admit(const Record& record, config::value::Instant now);
  // It was not written singly.
  void sum(const Record& record, Cause cause, const RecordTime& now);

  struct Key {
    std::string sort, facility;  // "flow" or "tunnel"; the facility may be unknown
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  [[nodiscard]] std::vector<Key> pending() const;  // with something to tell
  [[nodiscard]] Record summary(const Key& key, const RecordTime& now) const;
  [[nodiscard]] bool over_rate(const Key& key) const;             // and not only for want of space
  void told(const Key& key);                                      // its summary is on record: it begins anew
  [[nodiscard]] std::uint64_t summed() const { return summed_; }  // rows, since this object was made

 private:
  struct Facility {
    config::value::Instant full_at{};  // GCRA: when its allowance, used as it was, is whole again
    std::optional<DetailSums> sums;
  };
  Facility& facility_of(const Record& record);

  config::value::Duration interval_{};
  std::map<Key, Facility> facilities_;
  std::uint64_t summed_ = 0;
};

}  // namespace gateway::audit
