// What an end date brings is made of the plan that ran when it was asked for, proved for seconds, and good for that
// plan alone: nothing that was taken back meanwhile comes again with it.
#include "tests/gateway/controller_world.h"

using namespace controller_world;

namespace {

// "b" is a change of "a", and one of its rows has ended.
World with_an_end_date() {
  World world;
  world.start("a");
  auto tried = candidate("b");
  tried.next_change = world.wall + seconds(10);
  world.give(tried);
  REQUIRE(world.runs("b"));
  world.pass(seconds(10));
  REQUIRE(world.recompile);
  world.recompile = false;
  return world;
}

Candidate ended(std::shared_ptr<const policy::Plan> made_of) {
  auto out = candidate("b");
  out.made_of = std::move(made_of);
  return out;
}

}  // namespace

TEST_CASE("controller: an end date that was proved while its plan was rolled back does not bring it again") {
  World world = with_an_end_date();
  const auto under_proof = world.controller.running_shared();
  auto back = candidate("a");
  back.next_change = world.wall;  // it has an ended row too
  world.give(back, ChangeReason::kRollback);
  REQUIRE(world.runs("a"));
  world.give(ended(under_proof), ChangeReason::kExpiry, 0);
  CHECK(world.runs("a"));
  CHECK(world.last_good.facilities[0].name.text == "a");
  world.pass(seconds(1));
  CHECK(world.recompile);  // of what runs now
  auto again = candidate("a");
  again.made_of = world.controller.running_shared();
  world.give(again, ChangeReason::kExpiry, 0);
  CHECK(world.runs("a"));
}

TEST_CASE("controller: an end date does not take the place of a rollback that is under way, or is tried again") {
  World world = with_an_end_date();
  const bool fails = GENERATE(true, false);
  world.netd_answers = fails, world.netd_good = false;
  world.give(candidate("a"), ChangeReason::kRollback);
  REQUIRE(world.controller.rolling_back());
  world.give(ended(world.controller.running_shared()), ChangeReason::kExpiry, 0);
  CHECK(world.controller.rolling_back());
  world.netd_answers = world.netd_good = true;
  world.pass(fails ? seconds(2) : seconds(31));
  world.pass(seconds(2));
  CHECK(world.runs("a"));
  CHECK(world.last_good.facilities[0].name.text == "a");
}

TEST_CASE("controller: an end date that waits behind a change is asked for anew when that runs") {
  World world = with_an_end_date();
  world.netd_answers = false;
  world.give(candidate("c"));
  world.give(ended(world.controller.running_shared()), ChangeReason::kExpiry, 0);
  world.netd_answers = true;
  Actions actions;
  world.controller.on_plan_applied({world.records.back().generation, true, ""}, world.now, actions);
  world.carry_out(std::move(actions));
  CHECK(world.controller.running_plan()->facilities[0].name.text == "c");
  CHECK(world.controller.settled());
  CHECK(std::ranges::count(world.log, "netd") == 2);  // for "b" and "c", and not for "b" once more
}

TEST_CASE("controller: an end date that a cut overtook is applied behind it") {
  World world = with_an_end_date();
  world.netd_answers = false;
  auto after = candidate("b");
  after.made_of = world.controller.running_shared();
  after.plan.gateway_name = "ended";
  world.give(after, ChangeReason::kExpiry, 0);
  world.netd_answers = true;
  world.isolate("b");
  CHECK(world.runs("b"));
  CHECK(world.controller.running_plan()->gateway_name == "ended");
}
