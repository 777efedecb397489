// The orders as they are kept, asked for and told: what is not exactly understood isolates everything, and says why.
#include "gateway/daemon/isolation_file.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/daemon/cli.h"
#include "gateway/daemon/isolation_views.h"

using namespace gateway;
using namespace gateway::daemon;
using config::value::Prefix;
using config::value::WallTime;

namespace {

policy::Isolation two_orders() {
  const WallTime since(std::chrono::nanoseconds(1'900'000'000'123'456'789));
  return {7,
          {{3,
            {"hakodate"},
            since,
            "uid 0 (root), pid 812",
            "ウイルス \"x\"\n",
            {"ikev2 fqdn:a", "wireguard K"},
            {*Prefix::parse("100.64.1.0/24"), *Prefix::parse("2001:db8:a::/64")}},
           {7, {}, since, "uid 0 (root), pid 9", "", {}, {}}}};
}

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/acd-isolation-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& text) const { std::ofstream(path + "/isolation.json") << text; }
};

const audit::RecordTime kNow{WallTime(std::chrono::seconds(1'900'000'100)), {}, 540};

}  // namespace

TEST_CASE("isolation file: what is kept is read, and a folder without one isolates nothing") {
  const Folder folder;
  CHECK(read_isolation(folder.path) == policy::Isolation{});
  REQUIRE(keep_isolation(folder.path, two_orders()));
  CHECK(read_isolation(folder.path) == two_orders());
  REQUIRE(keep_isolation(folder.path, {7, {}}));
  CHECK(read_isolation(folder.path) == policy::Isolation{7, {}});
  CHECK_FALSE(keep_isolation(folder.path + "/no/such", two_orders()));
}

TEST_CASE("isolation file: one that cannot be read is kept beside before the next is written") {
  const Folder folder;
  folder.write("{");
  CHECK_FALSE(read_isolation(folder.path));
  set_isolation_aside(folder.path);
  REQUIRE(keep_isolation(folder.path, two_orders()));
  CHECK(read_isolation(folder.path) == two_orders());
  CHECK(std::filesystem::file_size(isolation_aside(folder.path)) == 1);
}

TEST_CASE("isolation file: every cut, and every field that is another, is refused") {
  const auto text = isolation_text(two_orders());
  REQUIRE(parse_isolation(text).has_value());
  for (std::size_t length = 0; length + 2 < text.size(); ++length) CHECK_FALSE(parse_isolation(text.substr(0, length)));
  const auto json = Json::parse(text);
  for (const auto& [key, value] : json.items()) {
    auto without = json;
    without.erase(key);
    CHECK_FALSE(parse_isolation(without.dump()));
  }
  for (const auto& [key, value] : json["orders"][0].items())
    for (const auto& other : {Json(), Json("x"), Json(-1), Json::array({1}), Json(1.5)}) {
      if (other.is_string() && value.is_string()) continue;
      auto changed = json;
      changed["orders"][0][key] = other;
      INFO(changed.dump());
      CHECK_FALSE(parse_isolation(changed.dump()));
    }
  for (const auto* bad : {"", "[]", "null", "{}", R"({"version":2,"last":0,"orders":[]})",
                          R"({"version":1,"last":0,"orders":[],"more":1})"})
    CHECK_FALSE(parse_isolation(bad));
  auto early = json, twice = json;
  early["last"] = 6;
  twice["orders"][1]["number"] = 3;
  CHECK_FALSE(parse_isolation(early.dump()));
  CHECK_FALSE(parse_isolation(twice.dump()));
}

TEST_CASE("isolation file: one that cannot be read means the emergency stop") {
  const Folder folder;
  folder.write("{");
  const auto kept = read_isolation(folder.path);
  REQUIRE_FALSE(kept);
  const auto isolation = everything_isolated(kept.error().to_string(), kNow.wall);
  REQUIRE(isolation.orders.size() == 1);
  CHECK(isolation.orders[0].of_all());
  CHECK(isolation.orders[0].reason.find(folder.path) != std::string::npos);
  CHECK(parse_isolation(isolation_text(isolation)) == isolation);
}

TEST_CASE("isolation request: one facility or all, never neither or both") {
  const auto asked = isolation_request_of({{"facility", "hakodate"}, {"reason", "virus"}});
  REQUIRE(asked);
  CHECK(asked->facility.text == "hakodate");
  CHECK(asked->reason == "virus");
  CHECK(isolation_request_of({{"all", true}})->facility.text.empty());
  for (const Json& bad :
       {Json{{"reason", "x"}}, Json{{"all", false}}, Json{{"all", true}, {"facility", "a"}}, Json{{"facility", ""}},
        Json{{"facility", 5}}, Json{{"facility", "A b"}}, Json{{"facility", "a"}, {"reason", 5}},
        Json{{"facility", "a"}, {"reason", std::string(1001, 'x')}}})
    CHECK_FALSE(isolation_request_of(bad));
}

TEST_CASE("isolation answer: in force, incomplete and refused are three") {
  core::IsolationOutcome outcome;
  outcome.good = true, outcome.generation = {5};
  outcome.orders = {two_orders().orders[0]};
  const auto good = Json::parse(isolation_answer(outcome, true, std::chrono::milliseconds(43), kNow));
  CHECK(good["ok"] == true);
  CHECK(good["result"]["milliseconds"] == 43);
  CHECK(good["result"]["durable"] == true);
  CHECK(good["result"]["orders"][0]["facility"] == "hakodate");
  CHECK(good["result"]["orders"][0]["since"] == "2030-03-18T02:46:40.123+09:00");
  outcome.good = false, outcome.errors = {"netd is not there"};
  CHECK(Json::parse(isolation_answer(outcome, true, {}, kNow))["error"]["code"] == "incomplete");
  outcome.orders.clear();
  CHECK(Json::parse(isolation_answer(outcome, true, {}, kNow))["error"]["code"] == "refused");
}

TEST_CASE("isolation record: who, when, why; of the end also who had ordered it") {
  using Step = core::IsolationRecord::Step;
  const auto order = two_orders().orders[0];
  const auto ordered =
      to_record(core::IsolationRecord{Step::kOrdered, order, order.actor, order.reason, {4}, {}}, kNow);
  CHECK(ordered.kind == "isolation.ordered");
  CHECK(ordered.fields["actor"] == "uid 0 (root), pid 812");
  CHECK(ordered.fields["reason"] == order.reason);
  CHECK(ordered.fields["since"] == "2030-03-18T02:46:40.123+09:00");
  const auto lifted =
      to_record(core::IsolationRecord{Step::kLifted, two_orders().orders[1], "uid 5", "clean", {6}, {}}, kNow);
  CHECK(lifted.kind == "isolation.lifted");
  CHECK(lifted.fields["all"] == true);
  CHECK(lifted.fields["ordered_by"] == "uid 0 (root), pid 9");
  CHECK(lifted.fields["reason"] == "clean");
}

TEST_CASE("isolation: show marks the facilities that are held, by each order that holds them") {
  policy::Plan plan;
  plan.facilities.resize(2);
  plan.facilities[0].name = {"esashi"}, plan.facilities[1].name = {"hakodate"};
  const policy::Isolation one{3, {two_orders().orders[0]}};
  const auto cut = policy::isolate(plan, one);
  Json list = Json::array({{{"facility", "esashi"}, {"state", "up"}}, {{"facility", "hakodate"}, {"state", "up"}}});
  mark_isolated(list, "state", cut, one, kNow);
  CHECK(list[0] == Json{{"facility", "esashi"}, {"state", "up"}});
  CHECK(list[1]["state"] == "isolated");
  CHECK(list[1]["isolated"][0]["reason"] == two_orders().orders[0].reason);
}
