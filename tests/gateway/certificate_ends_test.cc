// Which certificate end is told, and when: once a threshold, anew for another certificate, and at a start.
#include "gateway/audit/certificate_ends.h"

#include <catch2/catch.hpp>

#include "gateway/daemon/accessd_views.h"

namespace {

using namespace std::chrono_literals;
using config::value::WallTime;
using gateway::audit::CertificateEnd;
using gateway::audit::CertificateEnds;
using gateway::audit::days_left;
using gateway::audit::Record;

constexpr auto kDay = std::chrono::hours(24);
const WallTime kEnd{kDay * 20'000};

struct Watch {
  CertificateEnds ends;
  std::vector<Record> at(WallTime now, std::vector<CertificateEnd> all) {
    std::vector<Record> records;
    ends.look(all, {now, {}, 0}, records);
    return records;
  }
  std::vector<Record> at(WallTime now) { return at(now, {{"hakodate", kEnd, ""}}); }
};

}  // namespace

TEST_CASE("certificate ends: each threshold and the end are told once") {
  Watch watch;
  std::vector<std::pair<std::int64_t, std::string>> told;  // days before the end, what
  for (auto now = kEnd - kDay * 70; now <= kEnd + kDay * 3; now += 1h)
    for (const auto& record : watch.at(now))
      told.emplace_back((kEnd - now) / kDay,
                        record.kind + " " +
                            (record.fields.contains("threshold_days") ? record.fields["threshold_days"].dump() : "-"));
  const decltype(told) wanted{{60, "certificate.expires 60"},
                              {30, "certificate.expires 30"},
                              {7, "certificate.expires 7"},
                              {0, "certificate.expired -"}};
  CHECK(told == wanted);
}

TEST_CASE("certificate ends: what is within a threshold at the start is told then, the nearest only") {
  Watch watch;
  CHECK(watch.at(kEnd - kDay * 61).empty());
  Watch fresh;
  const auto records = fresh.at(kEnd - kDay * 5, {{"", kEnd, "CN=gw"}, {"hakodate", kEnd + kDay * 300, ""}});
  REQUIRE(records.size() == 1);
  CHECK(records[0].kind == "certificate.expires");
  const auto& fields = records[0].fields;
  CHECK(fields["owner"] == "gateway");
  CHECK_FALSE(fields.contains("facility"));
  CHECK(fields["threshold_days"] == 7);
  CHECK(fields["days_left"] == 5);
  CHECK(fields["subject"] == "CN=gw");
  CHECK(gateway::audit::to_sentence(records[0]).starts_with("the certificate of the gateway ends in 5 days"));
  Watch late;
  const auto ended = late.at(kEnd + 1h);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].kind == "certificate.expired");
  CHECK(ended[0].fields["facility"] == "hakodate");
  CHECK(gateway::audit::to_sentence(ended[0]).starts_with("the certificate of facility hakodate has ended"));
}

TEST_CASE("certificate ends: a renewed certificate is another one") {
  Watch watch;
  CHECK(watch.at(kEnd - kDay * 5).size() == 1);
  CHECK(watch.at(kEnd - kDay * 4, {{"hakodate", kEnd + kDay * 90, ""}}).empty());
  CHECK(watch.ends.end_of("hakodate") == kEnd + kDay * 90);
  CHECK(watch.at(kEnd + kDay * 31, {{"hakodate", kEnd + kDay * 90, ""}}).size() == 1);
}

TEST_CASE("certificate ends: a router whose tunnel is gone is not forgotten, one that is not configured is") {
  Watch watch;
  CHECK(watch.at(kEnd - kDay * 5).size() == 1);
  const auto records = watch.at(kEnd, {{"hakodate", {}, ""}, {"matsumae", {}, ""}});
  REQUIRE(records.size() == 1);
  CHECK(records[0].kind == "certificate.expired");
  CHECK(watch.ends.end_of("hakodate") == kEnd);
  CHECK_FALSE(watch.ends.end_of("matsumae").has_value());
  CHECK(watch.at(kEnd + 1h, {}).empty());
  CHECK_FALSE(watch.ends.end_of("hakodate").has_value());
}

TEST_CASE("certificate ends: a clock that was ahead takes no warning away") {
  Watch watch;
  CHECK(watch.at(kEnd + kDay * 400).size() == 1);
  CHECK(watch.at(kEnd - kDay * 100).empty());
  CHECK(watch.at(kEnd - kDay * 59).size() == 1);
  CHECK(watch.at(kEnd - kDay * 60 - 1s).empty());  // a clock that is set by seconds tells nothing twice
  CHECK(watch.at(kEnd - kDay * 60).empty());
}

TEST_CASE("certificate ends: an authority's certificate is told as those of the ends are, one by one") {
  Watch watch;
  using Kind = CertificateEnd::Kind;
  const auto authority = [](WallTime end) {
    return CertificateEnd{"", end, "CN=root", Kind::kOfAnAuthority, {}, "ca.pem"};
  };
  const auto old = authority(kEnd), renewed = authority(kEnd + kDay * 900);  // both in the file, under one name
  CHECK(watch.at(kEnd - kDay * 70, {old, renewed}).empty());
  const auto records = watch.at(kEnd - kDay * 29, {renewed, old, old});  // facilities share it: once
  REQUIRE(records.size() == 1);
  CHECK(records[0].kind == "certificate.expires");
  CHECK(records[0].fields["owner"] == "authority");
  CHECK(records[0].fields["threshold_days"] == 30);
  CHECK(records[0].fields["file"] == "ca.pem");
  CHECK(gateway::audit::to_sentence(records[0]).starts_with("ca.pem: the certificate of CN=root ends in 29 days"));
  CHECK(watch.at(kEnd - kDay * 29 + 1h, {old, renewed}).empty());
  CHECK_FALSE(watch.ends.end_of("").has_value());  // it is not the gateway's
}

TEST_CASE("certificate ends: a revocation list is told a while before its end and at it, a newer one anew") {
  Watch watch;
  using Kind = CertificateEnd::Kind;
  const auto list = [](WallTime made, WallTime end) {
    return CertificateEnd{"", end, "CN=root", Kind::kRevocationList, gateway::audit::list_notice(made, end), "ca.crl"};
  };
  const auto weekly = list(kEnd - kDay * 7, kEnd);
  std::vector<std::string> told;
  for (auto now = kEnd - kDay * 7; now <= kEnd + kDay; now += 1h)
    for (const auto& record : watch.at(now, {weekly}))
      told.push_back(record.kind + " " + std::to_string((kEnd - now) / 1h));
  CHECK(told == std::vector<std::string>{"certificate.list-expires 42", "certificate.list-expired 0"});
  CHECK(watch.ends.warnings({kEnd + kDay, {}, 0}).size() == 1);
  CHECK(watch.ends.warnings({kEnd + kDay, {}, 0})[0].starts_with("ca.crl: the revocation list of CN=root has ended"));
  CHECK(watch.at(kEnd + kDay, {list(kEnd + kDay, kEnd + kDay * 8)}).empty());
  CHECK(watch.ends.warnings({kEnd + kDay, {}, 0}).empty());
  CHECK(watch.at(kEnd + kDay * 7, {list(kEnd + kDay, kEnd + kDay * 8)}).size() == 1);
}

TEST_CASE("certificate ends: of a list's life a quarter, and two days at most") {
  using gateway::audit::list_notice;
  CHECK(list_notice(kEnd - kDay, kEnd) == 6h);
  CHECK(list_notice(kEnd - kDay * 30, kEnd) == 48h);
  CHECK(list_notice(kEnd, kEnd - kDay) == 0h);
  CHECK(list_notice(WallTime::min(), WallTime::max()) == 48h);
}

TEST_CASE("certificate ends: what is within a threshold is a warning as long as it is") {
  Watch watch;
  CHECK(watch.at(kEnd - kDay * 61).empty());
  CHECK(watch.ends.warnings({kEnd - kDay * 61, {}, 0}).empty());
  const auto warnings = watch.ends.warnings({kEnd - kDay * 59, {}, 0});
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].starts_with("the certificate of facility hakodate ends in 59 days"));
  CHECK(watch.ends.warnings({kEnd - 1h, {}, 0})[0].find("ends within a day") != std::string::npos);
}

TEST_CASE("views: status names who is down, since when, and when it was last heard") {
  policy::Plan plan;
  for (const char* name : {"hakodate", "matsumae", "esashi"}) plan.facilities.emplace_back().name.text = name;
  gateway::daemon::Tunnels tunnels;
  const config::value::Instant boot{1h};
  tunnels["hakodate"].up = true;
  tunnels["matsumae"].since = boot - 5min, tunnels["matsumae"].last_heard = boot - 7min;
  const gateway::audit::RecordTime now{kEnd, boot, 540};
  const auto down = gateway::daemon::down_view(plan, tunnels, now, 10);
  REQUIRE(down.size() == 2);
  CHECK(down[0]["facility"] == "matsumae");
  CHECK(down[0]["since"] == gateway::audit::to_rfc3339(kEnd - 5min, 540));
  CHECK(down[0]["since_seconds_ago"] == 300);
  CHECK(down[0]["last_heard_seconds_ago"] == 420);
  CHECK(down[1] == gateway::daemon::Json{{"facility", "esashi"}});  // nothing is known of it
  CHECK(gateway::daemon::down_view(plan, tunnels, now, 1).size() == 1);
  const auto shown = gateway::daemon::tunnels_view(plan, tunnels, {}, now);
  CHECK(shown["tunnels"][1]["last_heard"] == gateway::audit::to_rfc3339(kEnd - 7min, 540));
  CHECK_FALSE(shown["tunnels"][0].contains("since"));
}

TEST_CASE("certificate ends: the tunnels' view has both ends") {
  policy::Plan plan;
  for (const char* name : {"hakodate", "matsumae"}) {
    plan.facilities.emplace_back().name.text = name;
    plan.facilities.back().ike.emplace();
  }
  Watch watch;
  const auto now = kEnd - kDay * 30;
  (void)watch.at(now, {{"", kEnd + kDay, "CN=gw"}, {"hakodate", kEnd, ""}});
  const auto view = gateway::daemon::tunnels_view(plan, {}, watch.ends, {now, {}, 540});
  CHECK(view["gateway"]["certificate_days_left"] == 31);
  CHECK(view["tunnels"][0]["certificate_days_left"] == 30);
  CHECK(view["tunnels"][0]["certificate_expires"] == gateway::audit::to_rfc3339(kEnd, 540));
  CHECK_FALSE(view["tunnels"][1].contains("certificate_expires"));
  CHECK(days_left(kEnd, kEnd + 1s) == -1);
}

TEST_CASE("certificate ends: one that changes back and forth makes one record of each threshold a day") {
  Watch watch;
  const WallTime now = kEnd - kDay * 5;
  std::size_t made = 0;
  for (int i = 0; i < 1000; ++i) made += watch.at(now, {{"hakodate", kEnd + std::chrono::seconds(i % 2), ""}}).size();
  CHECK(made == 1);
  CHECK(watch.at(now + kDay + 1s, {{"hakodate", kEnd + 7s, ""}}).size() == 1);   // another one, a day later
  CHECK(watch.at(now + kDay + 2h, {{"hakodate", now + kDay, ""}}).size() == 1);  // what is worse is told at once
}
