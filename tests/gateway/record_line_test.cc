// Records read back: what render() writes, and everything that is no record.
#include <catch2/catch.hpp>

#include "config/moment.h"
#include "gateway/audit/flow_table.h"
#include "gateway/audit/record_line.h"

using namespace gateway::audit;

namespace {

constexpr const char* kFlow =
    R"~({"version":1,"sequence":7,"time":"2026-11-25T23:04:05.678+09:00","boot_ns":5,"kind":"flow.begin","flow":3,)~"
    R"~("direction":"facility-to-facility","facility":"a","other_facility":"b","offer":"b/images","rule":9,)~"
    R"~("rule_origin":"exchanges[0] (x.json:1:2)","protocol":"tcp","source":"100.64.1.5","source_real":"192.168.1.5",)~"
    R"~("source_port":40000,"destination":"10.2.0.5","destination_real":"10.2.0.5","destination_port":104})~";

std::string without(std::string text, const std::string& part, const std::string& instead = "") {
  const auto at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), instead);
}

std::string error_of(const std::string& text) {
  const auto found = read_record_line(text);
  return found ? "" : found.error();
}

}  // namespace

TEST_CASE("record line: a flow is read with both addresses, its line and its time") {
  const auto found = read_record_line(kFlow);
  REQUIRE(found);
  CHECK(found->sequence == 7);
  CHECK(found->time == config::Moment::parse("2026-11-25T23:04:05.678+09:00")->at);
  CHECK(found->kind == "flow.begin");
  CHECK(found->flow == 3);
  CHECK(found->facility == "a");
  CHECK(found->other_facility == "b");
  CHECK(found->name == "b/images");
  CHECK(found->rule_origin == "exchanges[0] (x.json:1:2)");
  CHECK(found->source->to_string() == "100.64.1.5");
  CHECK(found->source_real->to_string() == "192.168.1.5");
  CHECK(*found->protocol == 6);
  CHECK(*found->destination_port == 104);
  CHECK_FALSE(found->seen_late);
}

TEST_CASE("record line: what the writer writes of a flow is read back") {
  Flow flow;
  flow.number = 12;
  flow.tuple.source = *config::value::IpAddress::parse("2001:db8:1::5");
  flow.tuple.destination = *config::value::IpAddress::parse("2001:db8:80::1");
  flow.tuple.protocol = 58, flow.tuple.destination_port = 128 * 256;
  flow.real_source = *config::value::IpAddress::parse("fd00::5");
  flow.real_destination = flow.tuple.destination;
  flow.seen_late = true;
  const RecordTime time{config::value::WallTime{std::chrono::seconds(1'800'000'000)}, {}, 540};
  auto text = render({"flow.begin", to_fields(flow)}, 44, time);
  text.pop_back();
  const auto found = read_record_line(text);
  REQUIRE(found);
  CHECK(found->sequence == 44);
  CHECK(found->time == time.wall);
  CHECK(found->seen_late);
  CHECK(*found->protocol == 58);
  CHECK(*found->destination_port == 128 * 256);
  CHECK(found->source_real->to_string() == "fd00::5");
  for (const auto protocol : std::initializer_list<std::uint8_t>{1, 6, 17, 58, 47, 0, 255})
    CHECK(protocol_number(protocol_name(protocol)) == protocol);
}

TEST_CASE("record line: sums are read from where they stand, not from elsewhere") {
  const std::string head = R"({"version":1,"sequence":1,"time":"2026-11-25T00:00:00Z","kind":)";
  CHECK(read_record_line(head + R"("flow.summary","not_written":{"flow.begin":5,"flow.end":4}})")->flows_not_written ==
        5);
  CHECK(read_record_line(head + R"("flow.summary","other":{"flow.begin":5},"flow.begin":6})")->flows_not_written == 0);
  CHECK(read_record_line(head + R"("refused.summary","reasons":[{"count":3,"reason":"x"}],"count":8})")->count == 8);
  CHECK(read_record_line(head + R"("alarm","details":{"facility":"x","source":"no address"}})")->facility.empty());
}

TEST_CASE("record line: what is no record is said, never taken for one") {
  const std::string flow = kFlow;
  CHECK(error_of("") == "is empty");
  CHECK(error_of(flow.substr(0, 100)).starts_with("is no JSON"));
  CHECK(error_of(flow + "}").starts_with("is no JSON"));
  for (const auto* text : {"7", "null", "\"x\"", "[1]", "true", "1.5", "[]"}) CHECK(error_of(text) == "is no object");
  CHECK(error_of("{}") == "is of version 0, not 1");
  CHECK(error_of(without(flow, "\"version\":1", "\"version\":2")) == "is of version 2, not 1");
  CHECK(error_of(without(flow, "\"sequence\":7,")) == "has no sequence");
  CHECK(error_of(without(flow, "\"sequence\":7", "\"sequence\":-7")) == "has no sequence");
  CHECK(error_of(without(flow, "\"time\"", "\"tame\"")) == "has no time");
  CHECK(error_of(without(flow, "11-25", "13-25")) == "has a time that is no time");
  CHECK(error_of(without(flow, "\"kind\"", "\"kond\"")) == "has no kind");
  CHECK(error_of(without(flow, "100.64.1.5", "100.64.1.500")) == "has a source that is no address");
  CHECK(error_of(without(flow, "\"source\":\"100.64.1.5\",")) == "is a flow without its addresses");
  CHECK(error_of(without(flow, "\"protocol\":\"tcp\",")) == "is a flow without its protocol or port");
  CHECK(error_of(without(flow, "\"tcp\"", "\"tcq\"")) == "has a protocol that is none");
  CHECK(error_of(without(flow, "104}", "65640}")) == "has a destination_port that is none");
  CHECK(error_of(without(flow, "\"rule\":9", "\"rule\":" + std::string(200, '[') + std::string(200, ']'))) ==
        "is nested too deeply");
}
