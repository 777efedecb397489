// What the guard refused, on its way to the records: exact sums, few packets, each facility for itself; and what
// accessd makes of it.
#include "gateway/core/refusal_log.h"

#include "gateway/core/refused_packet.h"
#include "gateway/daemon/accessd_forms.h"
#include "gateway/daemon/accessd_guard_refusals.h"
#include "tests/gateway/data_plane_packets.h"

using namespace packets;
using namespace std::chrono_literals;
using config::value::Instant;
using gateway::core::Direction;
using gateway::core::GuardRefusals;
using gateway::core::Refusal;
using gateway::core::RefusalLog;
using gateway::core::RefusedPacket;
using gateway::core::RefusedSum;
using gateway::daemon::GuardRefusalRecords;

namespace {

const Instant kStart{1000s};

// `count` refusals of one sort; how many of them are to be described.
int refuse(RefusalLog& log, std::uint32_t place, Refusal reason, int count, Instant now) {
  int admitted = 0;
  for (int i = 0; i < count; ++i) {
    if (!log.count(place, "f" + std::to_string(place), Direction::kOutOfTunnel, reason, now)) continue;
    ++admitted;
    RefusedPacket packet;
    packet.reason = reason;
    log.add(place, packet);
  }
  return admitted;
}

std::size_t packets_of(const GuardRefusals& told, const std::string& facility) {
  return static_cast<std::size_t>(
      std::ranges::count_if(told.packets, [&](const RefusedPacket& p) { return p.facility == facility; }));
}

GuardRefusals one_of_each() {
  RefusedPacket packet = gateway::core::describe_refused(tcp("10.1.0.7", 40000, "100.64.1.5", 22));
  packet.facility = "alpha", packet.other_facility = "bravo", packet.reason = Refusal::kOtherFacility;
  return {{packet}, {{"alpha", {{Direction::kOutOfTunnel, Refusal::kOtherFacility, 5, 9}}}}};
}

}  // namespace

TEST_CASE("refusal log: sums are exact, each refusal told once", "[refusals]") {
  RefusalLog log;
  CHECK_FALSE(log.next_deadline());
  (void)refuse(log, 1, Refusal::kOtherFacility, 1000, kStart);
  (void)refuse(log, 1, Refusal::kExpired, 7, kStart);
  auto told = log.due(kStart);
  REQUIRE(told.sums.size() == 1);
  REQUIRE(told.sums[0].reasons.size() == 2);
  CHECK((told.sums[0].reasons[0].count == 1000 && told.sums[0].reasons[1].count == 7));
  CHECK(log.due(kStart + RefusalLog::kTellSums).sums.empty());  // nothing new
  (void)refuse(log, 1, Refusal::kExpired, 3, kStart);
  CHECK(log.due(kStart + RefusalLog::kTellSums - 1ns).sums.empty());
  CHECK(*log.next_deadline() <= kStart + RefusalLog::kTellSums);
  told = log.due(kStart + RefusalLog::kTellSums);
  REQUIRE(told.sums.size() == 1);
  CHECK((told.sums[0].reasons[0].count == 3 && told.sums[0].reasons[0].total == 10));
}

TEST_CASE("refusal log: packets are limited for each facility and reason alone", "[refusals]") {
  RefusalLog log;
  CHECK(refuse(log, 1, Refusal::kNotPermitted, 100'000, kStart) == RefusalLog::kBurst);
  CHECK(refuse(log, 1, Refusal::kOtherFacility, 1, kStart) == 1);  // not hidden by the noise of another reason
  CHECK(refuse(log, 2, Refusal::kNotPermitted, 1, kStart) == 1);   // nor by that of another facility
  auto told = log.due(kStart);
  CHECK((packets_of(told, "f1") == RefusalLog::kOfOneFacility && packets_of(told, "f2") == 1));
  CHECK(log.due(kStart + RefusalLog::kTellPackets - 1ns).packets.empty());
  for (int second = 1; second < 4; ++second) (void)log.due(kStart + second * 1s);
  CHECK(refuse(log, 1, Refusal::kNotPermitted, 1000, kStart + RefusalLog::kEvery - 1ns) == 0);
  CHECK(refuse(log, 1, Refusal::kNotPermitted, 1000, kStart + RefusalLog::kEvery) == 1);
}

TEST_CASE("refusal log: while nobody listens it holds a few of each facility, and all sums", "[refusals]") {
  RefusalLog log;
  for (int minute = 0; minute < 600; ++minute)
    (void)refuse(log, 1, Refusal::kNotPermitted, 100, kStart + minute * 1min);
  std::size_t packets = 0;
  std::uint64_t sum = 0;
  for (int second = 0; second < 100; ++second) {
    const auto told = log.due(kStart + 601min + second * 1s);
    packets += told.packets.size();
    for (const auto& each : told.sums) sum += each.reasons[0].count;
  }
  CHECK(packets == RefusalLog::kMostWaiting);
  CHECK(sum == 60'000);
}

TEST_CASE("refusal log: 10,000 noisy facilities are all told in turns, one message is bounded", "[refusals]") {
  RefusalLog log;
  for (std::uint32_t place = 1; place <= 10'000; ++place) (void)refuse(log, place, Refusal::kNotPermitted, 3, kStart);
  std::map<std::string, std::uint64_t> sums, packets;
  for (int second = 0; second < 1300; ++second) {
    const auto told = log.due(kStart + second * 1s);
    REQUIRE(told.packets.size() <= gateway::core::kMostRefusedPackets);
    REQUIRE(told.sums.size() <= gateway::core::kMostRefusedSums);
    for (const auto& each : told.sums) sums[each.facility] += each.reasons[0].count;
    for (const auto& each : told.packets) ++packets[each.facility];
    if (second % 60 == 0) (void)refuse(log, 1, Refusal::kNotPermitted, 100, kStart + second * 1s);
  }
  CHECK((sums.size() == 10'000 && packets.size() == 10'000));
  CHECK((sums["f9999"] == 3 && packets["f9999"] == 3));
}

TEST_CASE("refused packet: as much as is there is read, and never more", "[refusals]") {
  const auto v4 = gateway::core::describe_refused(tcp("10.1.0.7", 40000, "10.80.0.10", 443));
  CHECK((*v4.source == ip("10.1.0.7") && *v4.source_port == 40000 && *v4.destination_port == 443));
  const auto v6 = gateway::core::describe_refused(udp("fd00:1::7", 9, "fd00:80::10", 53));
  CHECK((*v6.destination == ip("fd00:80::10") && v6.protocol == 17 && *v6.destination_port == 53));
  const auto echo = gateway::core::describe_refused(echo_request("10.1.0.7", "10.80.0.10"));
  CHECK((*echo.destination_port == 8 * 256 && echo.source_port));
  for (const auto& whole :
       {udp("10.1.0.7", 9, "10.80.0.10", 5000, 2000), udp("fd00:1::7", 9, "fd00:80::10", 5000, 2000)}) {
    const auto first = gateway::core::describe_refused(fragment(whole, 0, 1024, true));
    CHECK((first.fragment && *first.destination_port == 5000 && first.protocol == 17));
    const auto later = gateway::core::describe_refused(fragment(whole, 1024, 984, false));
    CHECK((later.fragment && !later.destination_port && later.protocol == 17));
    for (std::size_t length = 0; length <= 60; ++length) {
      const auto cut = gateway::core::describe_refused(std::span(whole).first(length));
      CHECK(cut.source.has_value() == (length >= (whole[0] >> 4 == 4 ? 20 : 40)));
    }
  }
}

TEST_CASE("guard refusals: records name both ends, sums every reason", "[refusals]") {
  GuardRefusalRecords records;
  std::vector<gateway::audit::Record> out;
  REQUIRE(gateway::daemon::fits(one_of_each()));
  records.on_refusals(one_of_each(), nullptr, {}, out);
  REQUIRE(out.size() == 2);
  CHECK((out[0].kind == "refused" && out[0].fields["layer"] == "guard" && out[0].fields["facility"] == "alpha"));
  CHECK((out[0].fields["other_facility"] == "bravo" && out[0].fields["reason"] == "other-facility"));
  CHECK((out[0].fields["source"] == "10.1.0.7" && out[0].fields["destination"] == "100.64.1.5"));
  CHECK((out[0].fields["protocol"] == "tcp" && out[0].fields["destination_port"] == 22));
  CHECK((out[1].kind == "refused.summary" && out[1].fields["facility"] == "alpha" && out[1].fields["count"] == 5));
  CHECK((out[1].fields["reasons"][0]["total"] == 9 && out[1].fields["lower_bound"] == false));
}

TEST_CASE("guard refusals: both addresses of either end, and of a source that is not the facility's own only that",
          "[refusals]") {
  policy::Plan plan;
  const auto prefix = [](const char* text) { return *config::value::Prefix::parse(text); };
  plan.facilities.resize(2);
  plan.facilities[0].name.text = "alpha", plan.facilities[1].name.text = "bravo";
  plan.facilities[0].networks = {{prefix("192.168.1.0/24"), prefix("100.64.2.0/24")}};
  plan.facilities[1].networks = {{prefix("192.168.1.0/24"), prefix("100.64.1.0/24")}};
  const auto told = [&](const char* source, bool as_sent, gateway::core::Direction direction) {
    auto refusals = one_of_each();
    refusals.sums.clear();
    auto& packet = refusals.packets[0];
    packet.facility = "alpha", packet.source = ip(source), packet.as_sent = as_sent, packet.direction = direction;
    GuardRefusalRecords records;
    std::vector<gateway::audit::Record> out;
    records.on_refusals(refusals, &plan, {}, out);
    return out.at(0).fields;
  };
  constexpr auto kOut = gateway::core::Direction::kOutOfTunnel, kInto = gateway::core::Direction::kIntoTunnel;
  const auto sent = told("192.168.1.9", true, kOut);
  CHECK((sent["source"] == "100.64.2.9" && sent["source_real"] == "192.168.1.9"));
  CHECK((sent["destination"] == "100.64.1.5" && sent["destination_real"] == "192.168.1.5"));
  const auto translated = told("100.64.2.9", false, kOut);
  CHECK((translated["source"] == "100.64.2.9" && translated["source_real"] == "192.168.1.9"));
  const auto forged = told("10.9.9.9", true, kOut);
  CHECK((!forged.contains("source") && forged["source_real"] == "10.9.9.9"));
  const auto stolen = told("100.64.1.9", false, kOut);  // bravo's: what bravo calls it is no business of this record
  CHECK((stolen["source"] == "100.64.1.9" && stolen["source_real"] == "100.64.1.9"));
  const auto into = told("100.64.1.9", false, kInto);
  CHECK((into["source"] == "100.64.1.9" && into["source_real"] == "192.168.1.9"));
}

TEST_CASE("guard refusals: what tunneld would not send does not fit", "[refusals]") {
  const auto fits = [](auto change) {
    auto refusals = one_of_each();
    change(refusals);
    return gateway::daemon::fits(refusals);
  };
  CHECK(fits([](GuardRefusals&) {}));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.packets[0].facility = std::string(32, 'a'); }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.packets[0].other_facility = "b\n"; }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.packets[0].source = ip("fd00::1"); }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.packets[0].source.reset(); }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.packets.resize(gateway::core::kMostRefusedPackets + 1); }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.sums.resize(gateway::core::kMostRefusedSums + 1, r.sums[0]); }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.sums[0].reasons[0].count = 0; }));
  CHECK_FALSE(fits([](GuardRefusals& r) { r.sums[0].reasons[0].count = 10; }));  // more than in all
  CHECK_FALSE(fits([](GuardRefusals& r) { r.sums[0].reasons.push_back(r.sums[0].reasons[0]); }));
}

TEST_CASE("guard refusals: lines of one minute are bounded, and what is left out is told", "[refusals]") {
  GuardRefusalRecords records;
  std::vector<gateway::audit::Record> out;
  for (std::uint32_t i = 0; i < 2 * GuardRefusalRecords::kMostPackets; ++i)
    records.on_refusals(one_of_each(), nullptr, {}, out);
  CHECK(out.size() == GuardRefusalRecords::kMostPackets + GuardRefusalRecords::kMostSums);
  out.clear();
  records.on_refusals(one_of_each(), nullptr, {.wall = {}, .boot = Instant(60s), .offset_minutes = 0}, out);
  REQUIRE(out.size() == 3);
  CHECK(out[0].kind == "events.lost");
}
