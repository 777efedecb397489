// Rejoining is a change in its turn, and ends only the orders it names.
#include "tests/gateway/isolation_world.h"

using namespace controller_world;

TEST_CASE("isolation: it needs no durable record; joining again does (P7)") {
  IsolationWorld world;
  world.begin();
  world.record_good = false;
  world.isolate("a");
  CHECK(world.cut("a"));
  world.rejoin("a");
  CHECK(world.cut("a"));
  REQUIRE(world.isolation_answers.size() == 2);
  CHECK_FALSE(world.isolation_answers[1].good);
  CHECK(world.controller.isolation().orders.size() == 1);
  world.record_good = true;
  world.rejoin("a");
  CHECK(world.passes("a"));
}

TEST_CASE("isolation: joining again is a recorded change, and forgotten only when it runs") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  world.isolate("b");
  world.log.clear();
  world.rejoin("a");
  CHECK(world.log == Log{"record", "keys", "netd", "tunneld", "record", "isolation", "order", "changed", "keep"});
  CHECK(world.passes("a"));
  CHECK(world.cut("b"));
  REQUIRE(world.isolation_answers.size() == 3);
  CHECK(world.isolation_answers[2].good);
  CHECK(world.isolation_answers[2].orders.size() == 1);
  CHECK(world.records[0].request.reason == ChangeReason::kRejoin);
  CHECK(world.records[0].difference ==
        std::vector<std::string>{"~ facility a: isolated no longer",
                                 "+ permission a 10.97.0.0/24 ->  10.80.0.10/32 tcp/443"});
  CHECK(world.isolation_records.back().step == kLifted);
  CHECK(world.kept.orders.size() == 1);
  CHECK(world.answers.empty());
  world.rejoin("a");
  CHECK_FALSE(world.isolation_answers[3].good);
  CHECK(world.isolation_answers[3].errors[0].find("is not isolated") != std::string::npos);
}

TEST_CASE("isolation: a rejoin that cannot be completed leaves the facility cut, and the order") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  world.tunneld_good = false;
  world.rejoin("a");
  CHECK_FALSE(world.isolation_answers.back().good);
  CHECK(world.controller.isolation().orders.size() == 1);
  world.tunneld_good = true;
  world.pass(seconds(3));
  CHECK(world.cut("a"));
}

TEST_CASE("isolation: an order given while a rejoin is under way stands after it") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  world.tunneld_answers = false;
  world.rejoin("a");
  CHECK(lets_pass(world.netd_plan, "a"));  // half of it
  world.tunneld_answers = true;
  world.isolate("a");
  CHECK(world.cut("a"));
  REQUIRE(world.controller.isolation().orders.size() == 1);
  CHECK(world.controller.isolation().orders[0].number == 2);
  CHECK(std::ranges::all_of(world.isolation_answers, &IsolationOutcome::good));
  CHECK(world.isolation_answers.back().notes.size() == 1);  // of the rejoin: it stays isolated
}

TEST_CASE("isolation: the emergency stop and its end, beside an order of its own") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  world.isolate("");
  CHECK(world.cut("a"));
  CHECK(world.cut("b"));
  world.give(of({"a", "b", "c"}));
  CHECK(world.cut("c"));  // comes later
  world.rejoin("b");
  CHECK(world.isolation_answers.back().errors[0].find("rejoin --all") != std::string::npos);
  world.rejoin("");
  CHECK(world.cut("a"));
  CHECK(world.passes("b"));
  CHECK(world.passes("c"));
  CHECK(world.isolation_answers.back().notes.size() == 1);
  world.rejoin("");
  CHECK_FALSE(world.isolation_answers.back().good);
  world.rejoin("a");
  CHECK(world.passes("a"));
}

TEST_CASE("isolation: what stood under another name is lifted by the name it has now") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  auto renamed = of({"aa", "b"});
  renamed.plan.facilities[0].wireguard.public_key = "key of a";
  world.give(std::move(renamed));
  CHECK(world.cut("aa"));
  world.rejoin("aa");
  CHECK(world.passes("aa"));
  CHECK(world.controller.isolation().orders.empty());
}

// The order is for the facility of that name while there is one.
TEST_CASE("isolation: a facility that got another's networks does not lift that one's order") {
  IsolationWorld world;
  world.begin({"a", "b"});
  world.isolate("a");
  auto moved = of({"a", "b", "c"});
  std::swap(moved.plan.facilities[0].networks, moved.plan.facilities[2].networks);
  std::swap(moved.plan.permissions[0].source, moved.plan.permissions[2].source);
  world.give(std::move(moved));
  CHECK(world.cut("a"));
  CHECK(world.cut("c"));
  world.rejoin("c");
  CHECK_FALSE(world.isolation_answers.back().good);
  CHECK(world.isolation_answers.back().errors ==
        std::vector<std::string>{"c is not isolated; it is held by the order for a, which has had its networks or its "
                                 "identity: 'sekisho rejoin a' ends that"});
  CHECK(world.cut("a"));
  CHECK(world.cut("c"));
  world.rejoin("a");
  CHECK(world.passes("a"));
  CHECK(world.passes("c"));
}

TEST_CASE("isolation: a rejoin that waited for a start that came to nothing is refused, and opens and closes nothing") {
  IsolationWorld world;
  world.isolate("a");
  world.keys_good = false;
  world.give(of({"a", "b"}), ChangeReason::kStart, 0);
  world.greet_all();
  CHECK_FALSE(world.controller.settled());
  world.rejoin("a");
  world.keys_good = true;
  world.log.clear();
  world.give(of({"a", "b", "c"}));
  REQUIRE(world.controller.settled());
  CHECK(world.controller.running_whole()->facilities.size() == 3);
  CHECK(world.cut("a"));
  CHECK(world.passes("b"));
  CHECK_FALSE(world.isolation_answers.back().good);
  CHECK(world.controller.isolation().orders.size() == 1);
}

TEST_CASE("isolation: that the last good configuration runs is not forgotten by a rejoin") {
  IsolationWorld world(1, {1, {{1, {"a"}, {}, "uid 0", "", {}, {}}}});
  world.give(of({"a", "b"}), ChangeReason::kLastGood, 0);
  world.greet_all();
  CHECK(world.cut("a"));
  world.rejoin("a");
  CHECK(world.passes("a"));
  CHECK(world.controller.from_last_good());
  world.give(of({"a", "b"}));
  CHECK_FALSE(world.controller.from_last_good());
}
