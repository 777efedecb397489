// Certificates of both ends of IKEv2 and of authorities that end soon: one record when 60, 30 or 7 days are left and
// one when the end has come; and revocation lists, which live shorter: one record a while before. What was told is not
// kept over a restart: what is already within a threshold then is told once more, so that nobody has to look into the
// records of months ago.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "gateway/audit/record.h"

namespace gateway::audit {

// The thresholds in days, as `sekisho check` uses the first.
inline constexpr std::array<int, 3> kCertificateWarningDays = {60, 30, 7};

// How long before its end a list is told: a quarter of its life, at most two days (authorities make a new one each week
// or each day). `made`: its this-update.
[[nodiscard]] config::value::Duration list_notice(config::value::WallTime made, config::value::WallTime end);

// Whole days until `end`, rounded down; negative when it has passed.
[[nodiscard]] std::int64_t days_left(config::value::WallTime end, config::value::WallTime now);

struct CertificateEnd {
  enum class Kind : std::uint8_t { kOfAnEnd, kOfAnAuthority, kRevocationList };
  std::string facility;                            // kOfAnEnd: empty for the gateway's own
  std::optional<config::value::WallTime> expires;  // the first end in the chain; none: not known now
  std::string subject;                             // may be empty for kOfAnEnd; of a list: its authority
  Kind kind = Kind::kOfAnEnd;
  config::value::Duration notice{};  // kRevocationList
  std::string file = {};             // where it stands, of the two last kinds
};

// "the certificate of facility hakodate ends in 29 days (2026-12-01T…)", for a person. `record`: one that look() made.
[[nodiscard]] std::string to_sentence(const Record& record);

class CertificateEnds {
 public:
  // All whose certificates matter now: one that is not named any more is forgotten, one without an end keeps the last
  // that was known (a router with an expired certificate has no tunnel that could tell). Appends what is new to
  // `records`. Of a certificate that changes back and forth one record of each threshold a day is made at most.
  void look(std::span<const CertificateEnd> all, const RecordTime& now, std::vector<Record>& records);
  // The last known end of a facility's certificate ("": the gateway's).
  [[nodiscard]] std::optional<config::value::WallTime> end_of(const std::string& facility) const;
  // A sentence for each that is within its first threshold or has ended.
  [[nodiscard]] std::vector<std::string> warnings(const RecordTime& now) const;

 private:
  // Of two certificates of one authority both count; a newer list, or a router's newer certificate, is in the place of
  // the old one.
  using Key = std::tuple<CertificateEnd::Kind, std::string, std::string, config::value::WallTime>;
  struct Known {
    CertificateEnd what;
    std::size_t told = 0;        // 0: nothing; else the number of thresholds crossed, the end being the last
    std::size_t last_level = 0;  // of the last record, whatever certificate it was about
    std::optional<config::value::WallTime> last_at;  // and when it was made
  };
  [[nodiscard]] static Key key_of(const CertificateEnd& end);
  [[nodiscard]] static Record record_of(const CertificateEnd& what, std::size_t level, const RecordTime& now);

  std::map<Key, Known> known_;
};

}  // namespace gateway::audit
