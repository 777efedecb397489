// What accessd tells of the open flows: the newest, or those that began before a time, page by page.
#include <catch2/catch.hpp>

#include "gateway/daemon/accessd_views.h"
#include "gateway/os/record_files.h"

using namespace gateway::daemon;

TEST_CASE("accessd: the answer to show flows: the newest, or, by pages, those that began before a time") {
  const auto now = gateway::os::record_time();
  gateway::audit::FlowTable flows;
  std::vector<gateway::audit::Record> records;
  for (const int ago : {10, 1, 30, 20, 2}) {
    gateway::audit::ConntrackEvent event;
    event.mark = 7, event.started = now.wall - std::chrono::hours(ago);
    event.original = {*config::IpAddress::parse("10.2.0.9"), *config::IpAddress::parse("10.80.0.10"), 6,
                      static_cast<std::uint16_t>(ago), 443};
    flows.on_event(event, now, records);
  }
  const auto numbers = [&](const Json& request, std::size_t most) {
    const auto result = Json::parse(flows_answer(flows, now, Json::parse(request.dump()), most))["result"];
    std::string out;
    for (const auto& flow : result["flows"]) out += flow["flow"].dump() + " ";
    return out + "of " + result["open"].dump() + ", left out " + result["left_out"].dump();
  };
  const auto before = gateway::audit::to_rfc3339(now.wall - std::chrono::hours(5), 540);
  CHECK(numbers(Json::object(), 3) == "5 4 3 of 5, left out 2");
  CHECK(numbers({{"began_before", before}}, 9) == "1 3 4 of 5, left out 0");
  CHECK(numbers({{"began_before", before}}, 2) == "1 3 of 5, left out 1");
  CHECK(numbers({{"began_before", before}, {"after", 3}}, 2) == "4 of 5, left out 0");
  CHECK(numbers({{"began_before", before}, {"after", 4}}, 2) == "of 5, left out 0");
  for (const Json& wrong : {Json("yesterday"), Json(7), Json()}) {
    const auto refused = Json::parse(flows_answer(flows, now, {{"began_before", wrong}}, 2));
    CHECK(refused["ok"] == false);
    CHECK(refused["error"]["message"].get<std::string>().starts_with("began_before: "));
  }
}
