// Records: their form, the kernel's events read with bounds, begin and end of flows, refusals.
#include <catch2/catch.hpp>

#include "gateway/audit/flow_table.h"
#include "gateway/audit/nflog_event.h"
#include "gateway/audit/record.h"
#include "gateway/audit/refusals.h"

using namespace gateway::audit;
using config::value::Instant;
using config::value::IpAddress;
using config::value::Prefix;
using config::value::WallTime;
using std::chrono::seconds;

namespace {

using Buffer = std::vector<std::uint8_t>;

Buffer attribute(std::uint16_t type, const Buffer& value) {
  const auto length = static_cast<std::uint16_t>(4 + value.size());
  Buffer out(4);
  std::memcpy(out.data(), &length, 2);
  std::memcpy(out.data() + 2, &type, 2);
  out.insert(out.end(), value.begin(), value.end());
  while (out.size() % 4 != 0) out.push_back(0);
  return out;
}

Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Buffer number(std::uint64_t value, std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[size - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

Buffer message(std::uint16_t type, std::uint16_t flags, const Buffer& attributes) {
  Buffer out(20);
  const auto length = static_cast<std::uint32_t>(20 + attributes.size());
  std::memcpy(out.data(), &length, 4);
  std::memcpy(out.data() + 4, &type, 2);
  std::memcpy(out.data() + 6, &flags, 2);
  return out + attributes;
}

constexpr std::uint16_t kNew = 0x100, kDelete = 0x102, kCreate = 0x600;

Buffer tuple_attribute() {
  const auto ip = attribute(1, attribute(1, {10, 2, 0, 9}) + attribute(2, {10, 80, 0, 10}));
  const auto protocol = attribute(2, attribute(1, {6}) + attribute(2, number(40000, 2)) + attribute(3, number(443, 2)));
  return attribute(1, ip + protocol);
}

Buffer tcp_state(std::uint8_t state) {
  return attribute(4, attribute(1, attribute(1, {state})));
}

Buffer begin_message() {
  return message(kNew, kCreate, tuple_attribute() + tcp_state(1) + attribute(8, number(77, 4)));
}

Buffer end_message(std::uint8_t state) {
  const auto traffic = [](std::uint16_t type, std::uint64_t packets, std::uint64_t bytes) {
    return attribute(type, attribute(1, number(packets, 8)) + attribute(2, number(bytes, 8)));
  };
  return message(kDelete, 0, tuple_attribute() + tcp_state(state) + traffic(9, 12, 1400) + traffic(10, 20, 30000));
}

policy::Plan plan() {
  policy::Plan plan;
  policy::FacilityPlan facility;
  facility.name = {"matsumae"};
  facility.networks = {{*Prefix::parse("192.168.1.0/24"), *Prefix::parse("10.2.0.0/24")}};
  plan.facilities = {facility};
  policy::Permission permission;
  permission.rule = {77};
  permission.from_facility = {"matsumae"};
  permission.name = "karte";
  permission.origin = "facilities.matsumae.may_use[0] (sekisho.json:3:4)";
  plan.permissions = {permission};
  return plan;
}

RecordTime at(int second) {
  return {WallTime(seconds(1'700'000'000 + second)), Instant(seconds(second)), 540};
}

struct Table {
  FlowTable flows;
  std::vector<Record> records;
  explicit Table(std::size_t most = 100) : flows(most) { flows.set_plan(plan(), records); }
  void feed(const Buffer& datagram, int second) {
    for (const auto& event : read_conntrack_events(datagram).events) flows.on_event(event, at(second), records);
  }
};

}  // namespace

TEST_CASE("record: RFC 3339 with the offset, in the zone's own day") {
  CHECK(to_rfc3339(WallTime(seconds(0)), 0) == "1970-01-01T00:00:00.000+00:00");
  CHECK(to_rfc3339(WallTime(seconds(1'767'193'199)), 540) == "2025-12-31T23:59:59.000+09:00");
  CHECK(to_rfc3339(WallTime(std::chrono::milliseconds(1'767'193'200'005)), 540) == "2026-01-01T00:00:00.005+09:00");
  CHECK(to_rfc3339(WallTime(seconds(0)), -210) == "1969-12-31T20:30:00.000-03:30");
  CHECK(to_date(WallTime(seconds(1'767'193'200)), 540) == "2026-01-01");
  CHECK(to_date(WallTime(seconds(1'767'193'200)), 0) == "2025-12-31");
}

TEST_CASE("record: a line has all common fields and survives octets that are no UTF-8") {
  const auto line = render({"kernel.drift", {{"program", "\xff\xfe"}}}, 9, at(1));
  CHECK(
      line.starts_with("{\"version\":1,\"sequence\":9,\"time\":\"2023-11-15T07:13:21.000+09:00\",\"boot_ns\":"
                       "1000000000,\"kind\":\"kernel.drift\""));
  CHECK(line.ends_with("}\n"));
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
}

TEST_CASE("record: the tail of a torn file ends at the last whole line") {
  const auto one = render({"start", {}}, 41, at(0)), two = render({"stop", {}}, 42, at(1));
  CHECK(read_tail("").last_sequence == 0);
  CHECK_FALSE(read_tail(one + two).torn);
  CHECK(read_tail(one + two).last_sequence == 42);
  for (std::size_t cut = 1; cut < two.size(); ++cut) {
    const auto tail = read_tail(one + two.substr(0, cut));
    CHECK(tail.torn);
    CHECK(tail.last_sequence == 41);
    CHECK(tail.good_length == one.size());
  }
}

TEST_CASE("conntrack: an event is read whole") {
  const auto events = read_conntrack_events(begin_message() + end_message(8));
  REQUIRE(events.events.size() == 2);
  const auto& begin = events.events[0];
  CHECK(begin.kind == ConntrackEvent::Kind::kNew);
  CHECK(begin.mark == 77);
  CHECK(begin.original.source.to_string() == "10.2.0.9");
  CHECK(begin.original.destination_port == 443);
  CHECK(begin.tcp_state == 1);
  const auto& end = events.events[1];
  CHECK(end.kind == ConntrackEvent::Kind::kDestroy);
  CHECK(end.sent->bytes == 1400);
  CHECK(end.answered->packets == 20);
}

TEST_CASE("conntrack: every truncation and every octet changed is read without harm") {
  const auto good = begin_message() + end_message(8);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const Buffer cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    const auto events = read_conntrack_events(cut);
    CHECK(events.events.size() < 2);
    if (size % begin_message().size() != 0) CHECK(events.malformed > 0);
  }
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const int value : {0, 1, 3, 0x7f, 0xff}) {
      auto changed = good;
      changed[i] = static_cast<std::uint8_t>(value);
      CHECK(read_conntrack_events(changed).events.size() <= 2);
    }
}

TEST_CASE("flows: begin and end carry facility, service, rule, both addresses and bytes") {
  Table table;
  table.feed(begin_message(), 10);
  REQUIRE(table.records.size() == 1);
  CHECK(table.records[0].kind == "flow.begin");
  auto begin = table.records[0].fields;
  CHECK(begin["facility"] == "matsumae");
  CHECK(begin["service"] == "karte");
  CHECK(begin["rule"] == 77);
  CHECK(begin["source"] == "10.2.0.9");
  CHECK(begin["source_real"] == "192.168.1.9");
  CHECK(begin["destination_real"] == "10.80.0.10");
  table.feed(end_message(8), 14);
  REQUIRE(table.records.size() == 2);
  auto& end = table.records[1].fields;
  CHECK(table.records[1].kind == "flow.end");
  CHECK(end["flow"] == begin["flow"]);
  CHECK(end["ended"] == "closed");
  CHECK(end["duration_ms"] == 4000);
  CHECK(end["bytes_sent"] == 1400);
  CHECK(end["bytes_received"] == 30000);
  CHECK(table.flows.size() == 0);
}

TEST_CASE("flows: how it ended") {
  Table table;
  table.feed(begin_message(), 0);
  SECTION("closed") {
    table.feed(end_message(7), 5);
    CHECK(table.records.back().fields["ended"] == "closed");
  }
  SECTION("cut: deleted while established") {
    table.feed(end_message(3), 5);
    CHECK(table.records.back().fields["ended"] == "cut");
  }
  SECTION("timeout: never answered") {
    table.feed(end_message(1), 120);
    CHECK(table.records.back().fields["ended"] == "timeout");
  }
  SECTION("cut: permission taken away") {
    table.flows.set_plan({}, table.records);
    CHECK(table.records.back().kind == "flow.cut");
    table.feed(end_message(8), 5);
    CHECK(table.records.back().fields["ended"] == "cut");
  }
}

TEST_CASE("flows: a flow without our mark is none of ours") {
  Table table;
  table.feed(message(kNew, kCreate, tuple_attribute() + attribute(8, number(0, 4))), 0);
  table.feed(message(kNew, kCreate, tuple_attribute()), 0);
  CHECK(table.records.empty());
  // The routing mark of an exchange alone is no rule.
  table.feed(message(kNew, kCreate, tuple_attribute() + attribute(8, number(0x80000000, 4))), 0);
  CHECK(table.records.empty());
}

TEST_CASE("flows: what was open before us is recorded late, with its bytes") {
  Table table;
  table.feed(message(kDelete, 0, tuple_attribute() + attribute(8, number(77, 4))), 3);
  REQUIRE(table.records.size() == 2);
  CHECK(table.records[0].fields["seen_late"] == true);
  CHECK(table.records[1].kind == "flow.end");
}

TEST_CASE("flows: a full table drops the oldest and counts it") {
  Table table(1);
  table.feed(begin_message(), 0);
  auto other = begin_message();
  other[other.size() - 1] = 0;  // unchanged length; the mark's last octet becomes 0 -> not ours
  table.feed(other, 1);
  CHECK(table.flows.dropped() == 0);
  const auto ip = attribute(1, attribute(1, {10, 2, 0, 8}) + attribute(2, {10, 80, 0, 10}));
  const auto protocol = attribute(2, attribute(1, {17}) + attribute(2, number(1, 2)) + attribute(3, number(2, 2)));
  table.feed(message(kNew, kCreate, attribute(1, ip + protocol) + attribute(8, number(77, 4))), 2);
  CHECK(table.flows.dropped() == 1);
  CHECK(table.flows.size() == 1);
}

TEST_CASE("flows: in a full table the facility with most open flows loses its own oldest, never another's") {
  auto both = plan();
  policy::Permission other = both.permissions[0];
  other.rule = {78}, other.from_facility = {"hakodate"};
  both.permissions.push_back(other);
  FlowTable flows(100);
  std::vector<Record> records;
  flows.set_plan(both, records);
  const auto open = [&](std::uint32_t rule, std::uint16_t port) {
    ConntrackEvent event;
    event.original = {*IpAddress::parse("10.2.0.9"), *IpAddress::parse("10.80.0.10"), 6, port,
                      static_cast<std::uint16_t>(rule)};
    event.mark = rule;
    flows.on_event(event, at(port), records);
  };
  for (std::uint16_t port = 1; port <= 10; ++port) open(78, port);     // first, so the oldest
  for (std::uint16_t port = 100; port < 5100; ++port) open(77, port);  // one that opens without end
  std::size_t quiet = 0;
  std::uint16_t oldest_loud = 65535;
  for (const auto& [number, flow] : flows.flows()) {
    if (flow.rule == 78)
      ++quiet;
    else
      oldest_loud = std::min(oldest_loud, flow.tuple.source_port);
  }
  CHECK(quiet == 10);
  CHECK(flows.size() == 100);
  CHECK(oldest_loud == 5100 - 90);
  CHECK(flows.dropped() == 5010 - 100);
}

TEST_CASE("nflog: reason and packet are read; hostile packets do no harm") {
  Buffer packet(28);
  packet[0] = 0x45, packet[9] = 17;
  const Buffer source{10, 2, 0, 9}, destination{10, 1, 0, 5};
  std::copy(source.begin(), source.end(), packet.begin() + 12);
  std::copy(destination.begin(), destination.end(), packet.begin() + 16);
  packet[22] = 0, packet[23] = 53;
  const Buffer prefix{'n', 'o', 't', '_', 'p', 'e', 'r', 'm', 'i', 't', 't', 'e', 'd', ' ', 0};
  const auto datagram = message(0x400, 0, attribute(10, prefix) + attribute(9, packet));
  const auto events = read_nflog_events(datagram);
  REQUIRE(events.events.size() == 1);
  CHECK(events.events[0].reason == "not_permitted");
  CHECK(events.events[0].packet->destination_port == 53);
  for (std::size_t size = 0; size < datagram.size(); ++size)
    CHECK(read_nflog_events(Octets(datagram).first(size)).events.empty());
  for (std::size_t size = 0; size < packet.size(); ++size) {
    const auto cut = read_packet(Octets(packet).first(size));
    CHECK(cut.has_value() == (size >= 20));
  }
}

TEST_CASE("refusals: the kernel's totals are exact, packets told of are samples") {
  Refusals refusals;
  std::vector<Record> records;
  NflogEvent event;
  event.reason = "detour";
  refusals.on_kernel_total("detour", 100);  // of before: summed up by the process before
  CHECK(refusals.summaries().empty());
  refusals.on_event(event, nullptr, at(1), records);
  CHECK(records.size() == 1);
  CHECK(refusals.summaries().empty());
  refusals.on_kernel_total("detour", 350);
  auto sums = refusals.summaries();
  REQUIRE(sums.size() == 1);
  CHECK(sums[0].fields["count"] == 250);
  CHECK(sums[0].fields["total"] == 350);
  CHECK(sums[0].fields["lower_bound"] == false);
  refusals.on_kernel_total("detour", 3);  // the table was made anew
  CHECK(refusals.summaries()[0].fields["count"] == 3);
}

TEST_CASE("refusals: samples of one facility's flood do not use up another's; totals stay exact") {
  auto both = plan();
  policy::FacilityPlan other;
  other.name = {"hakodate"};
  other.networks = {{*Prefix::parse("10.3.0.0/24"), *Prefix::parse("10.3.0.0/24")}};
  both.facilities.push_back(other);
  Refusals refusals;
  std::vector<Record> records;
  const auto refuse = [&](const char* source, int second) {
    NflogEvent event;
    event.reason = "detour";
    event.packet = Tuple{*IpAddress::parse(source), *IpAddress::parse("10.9.0.1"), 6, 1, 2};
    refusals.on_event(event, &both, at(second), records);
  };
  const auto samples_of = [&](const char* facility) {
    return std::count_if(records.begin(), records.end(),
                         [&](const auto& each) { return each.fields.value("facility", "") == facility; });
  };
  for (int i = 0; i < 5000; ++i) refuse("10.2.0.9", 1);
  refuse("10.3.0.9", 1);
  CHECK(samples_of("matsumae") == Refusals::kSamplesPerMinute);
  CHECK(samples_of("hakodate") == 1);
  CHECK(refusals.counts().at("detour").total == 5001);
  refuse("10.2.0.9", 61);  // the next minute
  CHECK(samples_of("matsumae") == Refusals::kSamplesPerMinute + 1);
}

TEST_CASE("refusals: however many reasons and facilities there are, samples of a minute are bounded") {
  Refusals refusals;
  std::vector<Record> records;
  NflogEvent event;
  for (std::size_t i = 0; i < Refusals::kMostSampled + 500; ++i) {
    event.reason = "r" + std::to_string(i);
    refusals.on_event(event, nullptr, at(1), records);
  }
  CHECK(records.size() == Refusals::kMostSampled + Refusals::kSamplesPerMinute);
}

TEST_CASE("refusals: all are counted, a few recorded, sums told once") {
  Refusals refusals;
  std::vector<Record> records;
  NflogEvent event;
  event.reason = "bad-source";
  for (int i = 0; i < 500; ++i) refusals.on_event(event, nullptr, at(1), records);
  CHECK(records.size() == Refusals::kSamplesPerMinute);
  refusals.on_counter("guard.no-permission", 7);
  auto sums = refusals.summaries();
  REQUIRE(sums.size() == 2);
  CHECK(sums[0].fields["count"] == 500);
  CHECK(sums[0].fields["lower_bound"] == true);
  CHECK(sums[1].fields["count"] == 7);
  CHECK(sums[1].fields["lower_bound"] == false);
  CHECK(refusals.summaries().empty());
  refusals.on_counter("guard.no-permission", 3);  // that process began anew
  CHECK(refusals.summaries()[0].fields["count"] == 3);
  for (int i = 0; i < 1000; ++i) {
    event.reason = "r" + std::to_string(i);
    refusals.on_event(event, nullptr, at(1), records);
  }
  CHECK(refusals.counts().size() <= Refusals::kMostReasons + 1);
}
