// Cutting wins: whatever is under way, missing, broken or asked for twice.
#include "tests/gateway/isolation_world.h"

using namespace controller_world;

TEST_CASE("isolation: kept and recorded first, then every layer, without keyd; then told") {
  IsolationWorld world;
  world.begin();
  const auto before = world.controller.running_generation();
  world.isolate("a");
  CHECK(world.log == Log{"isolation", "order", "netd", "tunneld", "changed", "keep", "order"});
  CHECK(world.cut("a"));
  CHECK(world.passes("b"));
  CHECK(world.controller.settled());
  CHECK(world.controller.running_generation() > before);
  CHECK(world.steps() == Steps{kOrdered, kInForce});
  CHECK(world.isolation_records[0].actor == "uid 0 (root), pid 7");
  CHECK(world.isolation_records[0].reason == "virus");
  CHECK(world.isolation_records[0].order.since == world.wall);
  REQUIRE(world.isolation_answers.size() == 1);
  CHECK(world.isolation_answers[0].good);
  CHECK_FALSE(world.isolation_answers[0].already);
  CHECK(world.kept == world.controller.isolation());
  CHECK(world.kept.orders[0].identities == std::vector<std::string>{"wireguard key of a"});
  CHECK(lets_pass(world.last_good, "a"));  // what is kept of the plan is whole: the orders are kept by themselves
}

TEST_CASE("isolation: an order is found again after a restart, with a start from last-good too") {
  IsolationWorld first;
  first.begin();
  first.isolate("a");
  for (const auto reason : {ChangeReason::kStart, ChangeReason::kLastGood}) {
    IsolationWorld again(first.controller.running_generation().number, first.kept);
    Candidate kept;
    kept.plan = first.last_good;
    again.give(std::move(kept), reason, 0);
    again.greet_all();
    CHECK(again.cut("a"));
    CHECK(again.passes("b"));
    CHECK(again.controller.settled());
  }
}

TEST_CASE("isolation: no reload lifts it: the same, a changed facility, another name, an end date") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  world.give(of({"a", "b"}));
  CHECK(world.cut("a"));
  auto changed = of({"a", "b"});
  changed.plan.facilities[0].wireguard.public_key = "a new key";
  world.give(std::move(changed));
  CHECK(world.cut("a"));
  auto renamed = of({"aa", "b"});
  renamed.plan.facilities[0].wireguard.public_key = "a new key";
  renamed.plan.facilities[0].networks[0].seen = *config::value::Prefix::parse("10.55.0.0/24");
  world.give(std::move(renamed));
  CHECK(world.cut("aa"));
  REQUIRE(world.answers.size() == 3);
  REQUIRE(world.answers[2].warnings.size() == 1);
  CHECK(world.answers[2].warnings[0].find("isolated") != std::string::npos);
  world.give(of({"aa", "b"}), ChangeReason::kExpiry, 0);
  CHECK(world.cut("aa"));
  CHECK(world.passes("b"));
  world.give(of({"b"}));
  world.give(of({"a", "b"}));
  CHECK(world.cut("a"));  // it comes back, and the order is still there
}

TEST_CASE("isolation: twice is once, and says so") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  const auto generation = world.controller.running_generation();
  world.log.clear();
  world.isolate("a");
  CHECK(world.log.empty());
  CHECK(world.controller.running_generation() == generation);
  REQUIRE(world.isolation_answers.size() == 2);
  CHECK(world.isolation_answers[1].good);
  CHECK(world.isolation_answers[1].already);
  CHECK(world.controller.isolation().orders.size() == 1);
}

TEST_CASE("isolation: a facility nobody knows is refused, on record, and nothing is cut") {
  IsolationWorld world;
  world.begin({"alpha", "b"});
  world.isolate("alpah");
  REQUIRE(world.isolation_answers.size() == 1);
  CHECK_FALSE(world.isolation_answers[0].good);
  CHECK(world.isolation_answers[0].orders.empty());
  CHECK(world.isolation_answers[0].errors[0].find("did you mean \"alpha\"") != std::string::npos);
  CHECK(world.steps() == Steps{kRefused});
  CHECK(world.passes("alpha"));
  CHECK(world.controller.isolation().orders.empty());
}

TEST_CASE("isolation: while nothing runs, the order is kept for when something does") {
  IsolationWorld world;
  world.isolate("a");
  REQUIRE(world.isolation_answers.size() == 1);
  CHECK(world.isolation_answers[0].good);
  CHECK(world.isolation_answers[0].notes.size() == 1);
  world.begin();
  CHECK(world.cut("a"));
  CHECK(world.passes("b"));
}

TEST_CASE("isolation: overtakes a change that waits for a process, and the change comes after it") {
  const auto hold = [](IsolationWorld& world, int which, bool answers) {
    (which == 0 ? world.keys_answer : which == 1 ? world.netd_answers : world.tunneld_answers) = answers;
  };
  for (int which = 0; which < 3; ++which) {
    INFO(which);
    IsolationWorld world;
    world.begin();
    hold(world, which, false);
    world.give(of({"a", "b", "c"}));
    CHECK_FALSE(world.controller.settled());
    CHECK(world.answers.empty());
    hold(world, which, true);
    world.isolate("a");
    if (which == 0) {  // the answer to the request that was overtaken comes late, and is not taken for another's
      CHECK_FALSE(world.passes("a"));
      Actions actions;
      world.controller.on_keys_configured({{{"keys/other", true, "", {}, {}, 0}}}, world.now, actions);
      world.carry_out(std::move(actions));
    }
    CHECK(world.controller.settled());
    CHECK(world.cut("a"));
    CHECK(world.passes("b"));
    CHECK(world.passes("c"));
    REQUIRE(world.answers.size() == 1);
    CHECK(world.answers[0].good);
    REQUIRE(world.isolation_answers.size() == 1);
    CHECK(world.isolation_answers[0].good);
  }
}

// Begun again it would be a change that nobody has to confirm.
TEST_CASE("isolation: a trial that it overtakes is not begun again, and its author is told") {
  IsolationWorld world;
  world.begin();
  world.netd_answers = false;
  world.once = true;
  world.give(of({"a", "b", "c"}));
  CHECK_FALSE(world.controller.settled());
  world.netd_answers = true;
  world.isolate("a");
  CHECK(world.controller.settled());
  CHECK(world.cut("a"));
  CHECK(world.passes("b"));
  CHECK_FALSE(world.passes("c"));
  REQUIRE(world.answers.size() == 1);
  CHECK_FALSE(world.answers[0].good);
  CHECK(world.answers[0].errors ==
        std::vector<std::string>{"an isolation came first; nothing was changed, apply it again"});
  CHECK(world.records.back().step == ChangeRecord::Step::kFailed);
}

// What is kept and compared is what the configuration says, so that a change that is taken back lifts no isolation and
// brings none.
TEST_CASE("isolation: the digest of a change, and what is kept of it, are those of the plan before isolation") {
  IsolationWorld world;
  world.begin();
  const auto before = world.controller.running_digest();
  world.isolate("a");
  CHECK(world.controller.running_digest() == before);
  world.give(of({"a", "b", "c"}));
  CHECK(world.cut("a"));
  CHECK(world.controller.running_digest() == digest(of({"a", "b", "c"}).plan));
  REQUIRE(world.applying);
  CHECK(digest(*world.applying->plan) == digest(of({"a", "b", "c"}).plan));
}

TEST_CASE("isolation: keyd away or broken does not hold it up") {
  for (const bool away : {true, false}) {
    IsolationWorld world;
    world.begin();
    if (away)
      world.lose(ProcessRole::kKeyd);
    else
      world.keys_good = false;
    world.isolate("a");
    CHECK_FALSE(world.passes("a"));
    REQUIRE(world.isolation_answers.size() == 1);
    CHECK(world.isolation_answers[0].good);
  }
}

TEST_CASE("isolation: a layer that fails does not keep it from the other, is told, and is tried until it has it") {
  IsolationWorld world;
  world.begin();
  world.netd_good = false;
  world.isolate("a");
  CHECK_FALSE(lets_pass(world.tunneld_plan, "a"));
  CHECK(world.alarms > 0);
  CHECK(world.isolation_answers.empty());
  world.pass(seconds(3));
  REQUIRE(world.isolation_answers.size() == 1);
  CHECK_FALSE(world.isolation_answers[0].good);
  CHECK(world.isolation_answers[0].orders.size() == 1);
  CHECK(world.isolation_answers[0].errors[0].find("netd has not confirmed it (netd: no such device)") !=
        std::string::npos);
  CHECK(world.steps() == Steps{kOrdered});
  world.netd_good = true;
  world.pass(seconds(3));
  CHECK(world.cut("a"));
  CHECK(world.steps() == Steps{kOrdered, kInForce});
  CHECK_FALSE(world.controller.cutting());
  CHECK(world.isolation_answers.size() == 1);
}

TEST_CASE("isolation: a mended configuration comes in although the cut still fails") {
  IsolationWorld world;
  world.begin();
  world.netd_good = false;
  world.isolate("a");
  world.netd_good = true;
  world.give(of({"a", "b", "c"}));
  CHECK(world.cut("a"));
  CHECK(world.passes("c"));
  CHECK_FALSE(world.controller.cutting());
}

TEST_CASE("isolation: netd away: tunneld is cut at once, netd when it comes") {
  IsolationWorld world;
  world.begin();
  world.lose(ProcessRole::kNetd);
  world.isolate("a");
  CHECK_FALSE(lets_pass(world.tunneld_plan, "a"));
  world.pass(seconds(3));
  REQUIRE(world.isolation_answers.size() == 1);
  CHECK(world.isolation_answers[0].errors[0].find("netd is not there") != std::string::npos);
  world.greet(ProcessRole::kNetd);
  CHECK(world.cut("a"));
  CHECK(world.steps() == Steps{kOrdered, kInForce});
}

TEST_CASE("isolation: during the start too, before anything runs") {
  IsolationWorld world;
  world.keys_answer = false;
  world.give(of({"a", "b"}), ChangeReason::kStart, 0);
  world.greet_all();  // netd may hold what ran before this process was restarted
  CHECK(world.netd_has.empty());
  world.isolate("a");
  CHECK(world.netd_has == "a");
  CHECK_FALSE(lets_pass(world.netd_plan, "a"));
  CHECK(lets_pass(world.netd_plan, "b"));
}

// P5: a netd that outlived accessd has the plan of before.
TEST_CASE("isolation: without a plan that may run the kernel is closed, when netd greets and when all is to be cut") {
  IsolationWorld world;
  world.greet(ProcessRole::kNetd);
  CHECK(world.log == Log{"close"});
  world.isolate("");
  CHECK(std::ranges::count(world.log, "close") == 2);
  world.rejoin("");
  world.begin();
  world.lose(ProcessRole::kNetd);
  world.greet(ProcessRole::kNetd);
  CHECK(std::ranges::count(world.log, "close") == 0);
}

// A change has its own order, keys first; only what runs already is cut before them.
TEST_CASE("isolation: a change that is begun while a cut fails goes to tunneld with its own keys") {
  IsolationWorld world;
  world.begin();
  world.netd_good = false;
  world.isolate("a");
  world.key_mark = 7;
  world.netd_good = true;
  auto mended = of({"a", "b", "c"});
  world.give(std::move(mended));
  world.pass(Controller::kRetryTime);
  REQUIRE(world.controller.settled());
  REQUIRE_FALSE(world.tunneld_has_marks.empty());
  CHECK(world.tunneld_has_marks[0].mark == 7);
  CHECK(world.cut("a"));
  CHECK(world.passes("c"));
}

TEST_CASE("isolation: an end date that comes meanwhile does not fill the queue") {
  IsolationWorld world;
  auto ends = of({"a", "b"});
  ends.next_change = world.wall + seconds(1);
  world.give(std::move(ends), ChangeReason::kStart, 0);
  world.greet_all();
  world.netd_answers = false;
  world.isolate("a");
  world.recompile = false;
  world.pass(seconds(2));
  CHECK_FALSE(world.recompile);
  world.netd_answers = true;
  world.pass(seconds(29));  // netd did not answer; tried again
  world.pass(seconds(2));
  CHECK(world.cut("a"));
  CHECK_FALSE(world.controller.cutting());
  world.pass(seconds(1));
  CHECK(world.recompile);
}

// accessd was started anew, and netd and tunneld go on with what ran before; the disk takes no record.
TEST_CASE("isolation: it does not wait for the record of a start: the kernel is told to cut in what it has") {
  IsolationWorld world;
  world.record_good = false;
  world.give(of({"a", "b"}), ChangeReason::kStart, 0);
  world.greet_all();
  REQUIRE_FALSE(world.controller.running_plan());
  world.log.clear();
  world.isolate("a");
  REQUIRE(world.kernel_cut);
  CHECK(world.kernel_cut->facilities == std::vector<config::value::FacilityName>{{"a"}});
  CHECK_FALSE(world.kernel_cut->all);
  REQUIRE(world.isolation_answers.size() == 1);
  CHECK(world.isolation_answers[0].good);
  REQUIRE(world.isolation_answers[0].notes.size() == 1);
  CHECK(world.isolation_answers[0].notes[0].find("cut in the kernel") == 0);
  CHECK(std::ranges::find(world.log, "netd") == world.log.end());  // P7: nothing is opened before its record
  CHECK(world.controller.cutting());
  SECTION("once for each order, and once for each netd") {
    world.kernel_cut.reset();
    world.pass(seconds(10));
    CHECK_FALSE(world.kernel_cut);
    world.lose(ProcessRole::kNetd);
    world.greet(ProcessRole::kNetd);
    world.pass(seconds(3));
    CHECK(world.kernel_cut);
    world.isolate("b");
    CHECK((world.kernel_cut->all && world.kernel_cut->facilities.empty()));  // both: nothing is to pass
  }
  SECTION("when the record can be had, the rest follows and is told") {
    world.record_good = true;
    world.pass(seconds(3));
    CHECK(world.cut("a"));
    CHECK(world.passes("b"));
    CHECK_FALSE(world.controller.cutting());
    CHECK(world.steps() == Steps{kOrdered, kInForce});
    CHECK(world.isolation_answers.size() == 1);
  }
  SECTION("a netd that cannot is an alarm, and whoever waits is told that it is not in force") {
    world.netd_good = false;
    const int before = world.alarms;
    world.isolate("b");
    CHECK(world.alarms > before);
    CHECK(world.isolation_answers.size() == 1);
    world.pass(seconds(4));
    REQUIRE(world.isolation_answers.size() == 2);
    CHECK_FALSE(world.isolation_answers[1].good);
  }
}

TEST_CASE("isolation: with a record that can be had a start is cut like a change, without a word to the kernel alone") {
  IsolationWorld world;
  world.begin();
  world.isolate("a");
  CHECK_FALSE(world.kernel_cut);
}

namespace {

Candidate with_many_rows(const std::vector<std::string>& names) {
  auto wanted = of(names);
  wanted.plan.permissions.resize(30'000, wanted.plan.permissions.back());
  return wanted;
}

}  // namespace

TEST_CASE("isolation: of a long plan the kernel is told alone, first, and whoever waits knows it when that is done") {
  IsolationWorld world;
  world.give(with_many_rows({"a", "b"}), ChangeReason::kStart, 0);
  world.greet_all();
  world.log.clear();
  SECTION("before any process has the plan") {
    world.tunneld_answers = false;
    world.isolate("a");
    REQUIRE(world.kernel_cut);
    CHECK((world.kernel_cut->plan_follows && !world.kernel_cut->all));
    CHECK(world.kernel_cut->facilities == std::vector<config::value::FacilityName>{{"a"}});
    CHECK(std::ranges::find(world.log, "cut") < std::ranges::find(world.log, "netd"));
    REQUIRE(world.isolation_answers.size() == 1);
    CHECK(world.isolation_answers[0].good);
    CHECK(world.isolation_answers[0].notes.size() == 1);
    CHECK(world.controller.cutting());
    CHECK(world.steps() == Steps{kOrdered});  // not everywhere yet
    const int before = world.alarms;
    world.pass(seconds(4));
    CHECK(world.alarms > before);  // the rest is late, and that is told
    CHECK(world.isolation_answers.size() == 1);
  }
  SECTION("and where it is everywhere a moment later that is on record") {
    world.isolate("a");
    CHECK(world.cut("a"));
    CHECK_FALSE(world.controller.cutting());
    CHECK(world.steps() == Steps{kOrdered, kInForce});
    CHECK(world.isolation_answers.size() == 1);
  }
  SECTION("a word of it that the kernel does not answer changes nothing") {
    world.netd_answers = false;
    world.isolate("a");
    CHECK(world.isolation_answers.empty());
    world.pass(seconds(4));
    REQUIRE(world.isolation_answers.size() == 1);
    CHECK_FALSE(world.isolation_answers[0].good);
  }
}
