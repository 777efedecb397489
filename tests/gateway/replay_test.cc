// Recorded flows asked of another plan: what stops, what opens, what was so before, and what is said of the rest.
#include <catch2/catch.hpp>

#include "firewall/reasons.h"
#include "gateway/audit/replay.h"
#include "gateway/core/refusal.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace gateway::audit;
using namespace tests;

namespace {

constexpr std::int64_t kNow = 900'000, kFrom = 300'000;

policy::Plan plan_of(const config::GatewayConfig& config, std::int64_t at = kNow) {
  return policy::compile(config, at_second(at)).plan;
}

// Two facilities: one translated (192.168.1.0/24 as 100.64.1.0/24) that offers images, one that may open them until
// kExchangeEnds; both may use karte (10.80.0.10 tcp/443).
config::GatewayConfig two() {
  auto config = sample_config();
  config.services = {service("karte", {"10.80.0.10"}, {"tcp/443"})};
  config.facilities = {facility("hakodate", {network("192.168.1.0/24", "100.64.1.0/24")}, {"karte"}),
                       facility("matsumae", {network("10.2.0.0/24")}, {"karte"})};
  config::Offer images;
  images.name.text = "images";
  images.addresses = {address("192.168.1.5")};
  images.ports = {port("tcp/104")};
  config.facilities[0].offers = {images};
  config.exchanges = {{{"matsumae"}, {"hakodate"}, {"images"}, "", at_second(kExchangeEnds), {}}};
  config.inside_may_reach.clear();
  return config;
}

RecordLine flow(std::int64_t time, const std::string& facility, const std::string& source, const std::string& real,
                const std::string& destination, std::uint16_t destination_port) {
  static std::uint64_t sequence = 0;
  RecordLine record;
  record.sequence = ++sequence;
  record.time = at_second(time);
  record.kind = "flow.begin";
  record.flow = sequence;
  record.direction = "facility-to-service";
  record.facility = facility;
  record.name = "karte", record.rule_origin = "an old line";
  record.source = address(source), record.source_real = address(real);
  record.destination = record.destination_real = address(destination);
  record.protocol = 6, record.destination_port = destination_port;
  return record;
}

RecordLine exchange_flow(std::int64_t time) {
  auto record = flow(time, "matsumae", "10.2.0.7", "10.2.0.7", "100.64.1.5", 104);
  record.direction = "facility-to-facility", record.other_facility = "hakodate", record.name = "hakodate/images";
  record.destination_real = address("192.168.1.5");
  return record;
}

RecordLine refused(std::int64_t time, const std::string& reason, const std::string& facility, const std::string& source,
                   const std::string& destination, std::uint16_t destination_port) {
  auto record = flow(time, facility, source, source, destination, destination_port);
  record.kind = "refused", record.direction.clear(), record.name.clear(), record.rule_origin.clear();
  record.reason = reason;
  record.source_real.reset(), record.destination_real.reset();
  return record;
}

struct World {
  policy::Plan before = plan_of(two()), after = before;
  ReplaySpan span{at_second(kFrom), at_second(kNow), at_second(kNow)};
  bool running_known = true;
  std::size_t most = Replay::kMostFindings;

  [[nodiscard]] ReplayResult of(const std::vector<RecordLine>& records) const {
    Replay replay(after, running_known ? &before : nullptr, span, gateway::core::is_beyond_permission, most);
    for (const auto& each : records) replay.add(each);
    return replay.take();
  }
};

const auto hakodate_flow = [](std::int64_t time) {
  return flow(time, "hakodate", "100.64.1.9", "192.168.1.9", "10.80.0.10", 443);
};

}  // namespace

TEST_CASE("replay: the same configuration changes nothing") {
  const World world;
  const auto found = world.of({hakodate_flow(kNow - 1), exchange_flow(kNow - 2),
                               refused(kNow - 3, "not_permitted", "hakodate", "100.64.1.9", "10.80.0.10", 22)});
  CHECK(found.findings.empty());
  CHECK(found.flows == 2);
  CHECK(found.refused == 1);
  CHECK(found.unchanged == 3);
}

TEST_CASE("replay: a permission that goes stops its flows: how many, when last, by which line") {
  World world;
  auto config = two();
  config.facilities[0].may_use.clear(), config.facilities[0].may_use_at.clear();
  world.after = plan_of(config);
  const auto found = world.of({hakodate_flow(kNow - 9), hakodate_flow(kNow - 3), hakodate_flow(kNow - 5),
                               flow(kNow - 4, "matsumae", "10.2.0.7", "10.2.0.7", "10.80.0.10", 443)});
  REQUIRE(found.findings.size() == 1);
  const auto& finding = found.findings[0];
  CHECK(finding.effect == ReplayEffect::kStops);
  CHECK(finding.passed);
  CHECK(finding.from_facility == "hakodate");
  CHECK(finding.to_facility.empty());
  CHECK(finding.source.to_string() == "100.64.1.9");
  CHECK(finding.source_real.to_string() == "192.168.1.9");
  CHECK(finding.count == 3);
  CHECK(finding.first == at_second(kNow - 9));
  CHECK(finding.last == at_second(kNow - 3));
  CHECK(finding.then == "an old line");
  CHECK_FALSE(finding.decision.allowed());
  CHECK(found.stops == 3);
  CHECK(found.unchanged == 1);
}

TEST_CASE("replay: records before the span are not asked, their numbers count") {
  World world;
  world.after.permissions.clear();
  auto early = hakodate_flow(kFrom - 1), late = hakodate_flow(kFrom);
  early.sequence = 10, late.sequence = 14;
  const auto found = world.of({early, late});
  CHECK(found.flows == 1);
  CHECK(found.stops == 1);
  CHECK(found.records == 1);
  CHECK(found.missing == 3);
  CHECK(*found.first == at_second(kFrom - 1));
}

TEST_CASE(
    "replay: what an earlier change stopped is not this one's doing; without knowing what runs it cannot be told") {
  World world;
  world.before.permissions.clear(), world.after.permissions.clear();
  const std::vector records{hakodate_flow(kNow - 1)};
  CHECK(world.of(records).stopped_already == 1);
  CHECK(world.of(records).findings.empty());
  world.running_known = false;
  CHECK(world.of(records).stops == 1);
}

TEST_CASE("replay: a refused packet that would pass is told, but not when it passes already") {
  World world;
  auto config = two();
  config.services[0].ports.push_back(port("tcp/22"));
  world.after = plan_of(config);
  const std::vector records{refused(kNow - 5, "not_permitted", "hakodate", "100.64.1.9", "10.80.0.10", 22),
                            refused(kNow - 4, "not_permitted", "hakodate", "100.64.1.9", "10.80.0.10", 22)};
  const auto found = world.of(records);
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].effect == ReplayEffect::kOpens);
  CHECK_FALSE(found.findings[0].passed);
  CHECK(found.findings[0].count == 2);
  CHECK(found.findings[0].then == "not_permitted");
  REQUIRE(found.findings[0].decision.permission != nullptr);
  CHECK(found.findings[0].decision.permission->name == "karte");
  world.before = world.after;
  CHECK(world.of(records).findings.empty());
  CHECK(world.of(records).open_already == 2);
}

TEST_CASE("replay: the guard's samples are asked by the facility's own addresses") {
  World world;
  auto config = two();
  config.services[0].ports.push_back(port("tcp/22"));
  world.after = plan_of(config);
  auto own = refused(kNow - 5, "not-permitted", "hakodate", "192.168.1.9", "10.80.0.10", 22);
  own.layer = "guard", own.direction = "out-of-tunnel";
  own.source_real = own.source, own.source.reset();
  CHECK(world.of({own}).opens == 1);
  // A source that is another facility's does not become permitted because that one may.
  auto forged = own;
  forged.source_real = address("10.2.0.7");
  CHECK(world.of({forged}).opens == 0);
  auto stolen = refused(kNow - 5, "source-foreign", "matsumae", "100.64.1.9", "10.80.0.10", 22);
  stolen.layer = "guard", stolen.direction = "out-of-tunnel";
  CHECK(world.of({stolen}).opens == 0);
}

TEST_CASE("replay: a flow from inside to a facility is asked from inside") {
  World world;
  auto config = two();
  config.inside_may_reach = {{{"karte"}, {"hakodate"}, {"images"}, {}}};
  world.before = plan_of(config);
  auto record = flow(kNow - 1, "hakodate", "10.80.0.10", "10.80.0.10", "100.64.1.5", 104);
  record.direction = "inside-to-facility";
  const auto found = world.of({record});
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].effect == ReplayEffect::kStops);
  CHECK(found.findings[0].from_facility.empty());
  CHECK(found.findings[0].to_facility == "hakodate");
}

TEST_CASE("replay: a facility that is seen under another prefix goes on; who dials its old one does not reach it") {
  World world;
  auto config = two();
  config.facilities[0].networks = {network("192.168.1.0/24", "100.64.9.0/24")};
  world.after = plan_of(config);
  const auto found = world.of({hakodate_flow(kNow - 1), exchange_flow(kNow - 2)});
  CHECK(found.unchanged == 1);
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].from_facility == "matsumae");
  CHECK(found.findings[0].effect == ReplayEffect::kStops);
}

TEST_CASE("replay: a host that is in no network any more is named by its real address") {
  World world;
  auto config = two();
  config.facilities[0].networks = {network("192.168.1.0/29", "100.64.1.0/29")};
  world.after = plan_of(config);
  const auto found = world.of({hakodate_flow(kNow - 1)});
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].why_unknown == "denied: 192.168.1.9 is in no network of facility hakodate");
}

TEST_CASE("replay: a facility that is called otherwise goes on by its addresses") {
  World world;
  auto config = two();
  config.facilities[1].name.text = "matsumae-clinic";
  config.exchanges[0].from.text = "matsumae-clinic";
  world.after = plan_of(config);
  CHECK(world.of({exchange_flow(kNow - 2)}).unchanged == 1);
}

TEST_CASE("replay: what ends by its own date is told apart from what the change takes away") {
  World world;
  world.span.at = at_second(kExchangeEnds);
  const auto found = world.of({exchange_flow(kNow - 2), hakodate_flow(kNow - 3)});
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].effect == ReplayEffect::kEnds);
  CHECK(found.findings[0].decision.reason == policy::Reason::kExpired);
  CHECK(found.ends == 1);
  CHECK(found.stops == 0);
  world.span.at = at_second(kExchangeEnds - 1);
  CHECK(world.of({exchange_flow(kNow - 2)}).findings.empty());
}

TEST_CASE("replay: each flow counts once, also one that is older than the span") {
  World world;
  world.after.permissions.clear();
  auto begin = hakodate_flow(kNow - 50);
  auto end = begin;
  end.kind = "flow.end", end.began = begin.time, end.time = at_second(kNow - 40);
  CHECK(world.of({begin, end}).flows == 1);
  end.began = at_second(kFrom - 5);
  CHECK(world.of({end}).flows == 1);
  // Seen late within the span: the begin counts, the end does not.
  begin.seen_late = true;
  CHECK(world.of({begin, end}).flows == 1);
  // After a restart numbers begin anew.
  auto start = begin;
  start.kind = "start";
  auto other = end;
  CHECK(world.of({begin, start, other}).flows == 2);
  Replay replay(world.after, &world.before, world.span, gateway::core::is_beyond_permission);
  replay.add_open(end);
  CHECK(replay.take().flows == 1);
}

TEST_CASE("replay: refusals that no permission changes, and those that say too little, are counted apart") {
  World world;
  auto config = two();
  config.services[0].ports = {port("tcp/1-65535"), port("icmp")};
  world.after = plan_of(config);
  auto fragment = refused(kNow - 1, "unknown-reason-of-a-later-version", "hakodate", "100.64.1.9", "10.80.0.10", 22);
  fragment.destination_port.reset(), fragment.fragment = true;
  auto reply = refused(kNow - 1, "not_permitted", "hakodate", "100.64.1.9", "10.80.0.10", 0);
  reply.protocol = 1;
  auto request = reply;
  request.destination_port = 8 * 256;
  const auto found = world.of(
      {fragment, reply, request, refused(kNow - 1, "invalid_state", "hakodate", "100.64.1.9", "10.80.0.10", 22)});
  CHECK(found.says_too_little == 1);
  CHECK(found.no_question == 2);
  CHECK(found.opens == 1);
}

TEST_CASE("replay: each reason that our layers have is either a question of permission or not, on purpose") {
  const std::vector<std::string> asked{"foreign_source", "foreign_destination", "not_permitted",  "detour",
                                       "source-foreign", "unknown-destination", "other-facility", "not-permitted",
                                       "expired",        "opens-backwards",     "not-configured"};
  const auto known = [&](std::string_view name) {
    INFO(name);
    CHECK(gateway::core::is_beyond_permission(name) != (std::ranges::find(asked, name) != asked.end()));
  };
  for (const auto& reason : firewall::kRefusalReasons) known(reason.name);
  for (std::size_t i = 0; i < static_cast<std::size_t>(gateway::core::Refusal::kCount); ++i)
    known(gateway::core::refusal_name(static_cast<gateway::core::Refusal>(i)));
}

TEST_CASE("replay: memory is bounded, and what is not listed is counted for its facility") {
  World world;
  world.after.permissions.clear();
  world.most = 10;
  std::vector<RecordLine> records;
  for (int i = 0; i < 100; ++i)
    records.push_back(flow(kNow - 1, "hakodate", "100.64.1." + std::to_string(i), "192.168.1." + std::to_string(i),
                           "10.80.0.10", 443));
  records.push_back(records[3]);
  const auto found = world.of(records);
  CHECK(found.findings.size() == 10);
  CHECK(found.stops == 101);
  REQUIRE(found.rest.contains("hakodate"));
  CHECK(found.rest.at("hakodate").stops == 90);
  CHECK(found.findings[0].count == 2);  // most often first
}

TEST_CASE("replay: sums and losses are told") {
  const World world;
  RecordLine sum;
  sum.sequence = 900, sum.time = at_second(kNow - 1), sum.kind = "flow.summary", sum.flows_not_written = 12;
  auto lost = sum, events = sum, packets = sum;
  lost.sequence = 901, lost.kind = "records.lost", lost.count = 3;
  events.sequence = 902, events.kind = "events.lost";
  packets.sequence = 904, packets.kind = "refused.summary", packets.count = 70;
  auto guards = packets;
  guards.sequence = 905, guards.layer = "guard";
  Replay replay(world.after, &world.before, world.span, gateway::core::is_beyond_permission);
  for (const auto& each : {sum, lost, events, packets, guards}) replay.add(each);
  for (int i = 0; i < 9; ++i) replay.add_unreadable("x.jsonl:" + std::to_string(i), "is no JSON");
  const auto found = replay.take();
  CHECK(found.flows_summed == 12);
  CHECK(found.records_lost == 3);
  CHECK(found.events_lost == 1);
  CHECK(found.refused_packets == 70);
  CHECK(found.unreadable == 9);
  REQUIRE(found.unreadable_examples.size() == Replay::kMostExamples);
  CHECK(found.unreadable_examples[0] == "x.jsonl:0: is no JSON");
  CHECK(found.missing == 0);  // 903 may be one of the unreadable
}
