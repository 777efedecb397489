// The controller in every order: start, reload, each process lost at each step, failures put back, end dates, last
// good.
#include "tests/gateway/controller_world.h"

using namespace controller_world;

TEST_CASE("controller: start records, then keys, netd, descriptors, tunneld, ready") {
  World world;
  world.give(candidate("a"), ChangeReason::kStart, 0);
  CHECK(world.log == Log{"record"});
  world.greet_all();
  CHECK(world.log == Log{"record", "keys", "netd", "descriptors", "tunneld", "record", "changed", "keep", "ready"});
  CHECK(world.runs("a"));
  CHECK(world.records[0].step == ChangeRecord::Step::kApplying);
  CHECK(world.records[1].step == ChangeRecord::Step::kApplied);
  CHECK(world.tunneld_has_descriptors);
}

TEST_CASE("controller: processes may come in any order") {
  std::vector roles{ProcessRole::kNetd, ProcessRole::kTunneld, ProcessRole::kKeyd};
  std::ranges::sort(roles);
  do {
    World world;
    for (const auto role : roles) world.greet(role);
    CHECK(world.log == Log{"close"});  // netd has nothing that may run
    world.give(candidate("a"), ChangeReason::kStart, 0);
    CHECK(world.runs("a"));
  } while (std::ranges::next_permutation(roles).found);
}

TEST_CASE("controller: nothing is applied without its durable record (P7)") {
  World world;
  world.start();
  world.record_good = false;
  world.give(candidate("b"));
  CHECK(world.log == Log{"record", "record"});  // applying, failed
  CHECK(world.runs("a"));
  REQUIRE(world.answers.size() == 1);
  CHECK_FALSE(world.answers[0].good);
  world.record_good = true;
  world.give(candidate("b"));
  CHECK(world.runs("b"));
}

TEST_CASE("controller: at start too, nothing runs before its record, and it is tried again") {
  World world;
  world.record_good = false;
  world.give(candidate("a"), ChangeReason::kStart, 0);
  world.greet_all();
  CHECK(world.netd_has.empty());
  CHECK(world.alarms > 0);
  world.record_good = true;
  world.pass(seconds(2));
  CHECK(world.runs("a"));
}

TEST_CASE("controller: a reload brings the difference and the digests into the record") {
  World world;
  world.start();
  const auto before = world.controller.running_digest();
  world.give(candidate("b"));
  CHECK(world.runs("b"));
  REQUIRE(world.answers.size() == 1);
  CHECK(world.answers[0].good);
  CHECK(world.answers[0].difference == std::vector<std::string>{"- facility a ()", "+ facility b ()"});
  CHECK(world.records[0].digest_before == before);
  CHECK(world.records[0].digest_after == world.controller.running_digest());
  CHECK(before != world.controller.running_digest());
  CHECK(world.records[0].request.comment == "why");
  CHECK(std::ranges::count(world.log, "descriptors") == 0);
}

TEST_CASE(
    "controller: another content of a file of certificates is in the difference, and on record before it counts") {
  World world;
  world.start("a");
  auto first = candidate("a"), second = candidate("a");
  first.credentials = {{"ca.pem", "11"}, {"list.pem", "22"}};
  second.credentials = {{"ca.pem", "11"}, {"list.pem", "33"}};
  world.give(first);
  CHECK(world.answers.back().difference.empty());  // they are new with the line that names them
  const std::vector<std::string> line{"~ file list.pem: 22 is now 33"};
  CHECK(world.controller.difference_to(second) == line);
  world.give(second);
  CHECK(world.answers.back().difference == line);
  CHECK(world.records[world.records.size() - 2].step == ChangeRecord::Step::kApplying);
  CHECK(world.records[world.records.size() - 2].difference == world.answers.back().difference);
  world.give(candidate("a"), ChangeReason::kExpiry);  // reads no files
  world.give(second);
  CHECK(world.answers.back().difference.empty());
}

TEST_CASE("controller: the marks of the keys go to tunneld with each change, and to a restarted one") {
  World world;
  world.start("a");
  CHECK(world.tunneld_has_marks.empty());  // the gateway's private key has none
  world.key_mark = 7;
  world.give(candidate("a"));
  const std::vector<KeyMark> first{{"keys/gateway.key", 7}}, second{{"keys/gateway.key", 8}};
  CHECK(world.tunneld_has_marks == first);
  world.key_mark = 8;  // the same plan, another content of the file
  world.give(candidate("a"));
  CHECK(world.tunneld_has_marks == second);
  const std::string line = "~ key keys/gateway.key: another key";
  CHECK(world.answers.back().difference == std::vector<std::string>{line});
  CHECK(world.records.back().difference == std::vector<std::string>{line});
  world.tunneld_has_marks.clear();
  world.lose(ProcessRole::kTunneld), world.greet(ProcessRole::kTunneld);
  CHECK(world.tunneld_has_marks == second);
  world.key_mark = 9, world.keys_good = false;  // keyd refuses: no mark of a change that is none
  world.give(candidate("a"));
  CHECK(world.tunneld_has_marks == second);
}

TEST_CASE("controller: a configuration with errors changes nothing and says why") {
  World world;
  world.start();
  auto bad = candidate("b");
  bad.errors = {"sekisho.json:1:1: error"};
  world.give(bad);
  CHECK(world.log == Log{"record"});
  CHECK(world.records[0].step == ChangeRecord::Step::kRefused);
  REQUIRE(world.answers.size() == 1);
  CHECK(world.answers[0].errors == bad.errors);
  CHECK(world.runs("a"));
  CHECK_FALSE(world.use_last_good);
}

TEST_CASE("controller: a change that a process cannot apply is put back everywhere") {
  World world;
  world.start();
  SECTION("keyd") {
    world.keys_good = false;
  }
  SECTION("netd") {
    world.netd_good = false;
  }
  SECTION("tunneld") {
    world.tunneld_good = false;
  }
  world.give(candidate("b"));
  CHECK_FALSE(world.controller.settled());
  REQUIRE(world.answers.size() == 1);
  CHECK_FALSE(world.answers[0].good);
  CHECK(world.records[1].step == ChangeRecord::Step::kFailed);
  world.keys_good = world.netd_good = world.tunneld_good = true;
  world.pass(seconds(2));
  CHECK(world.runs("a"));
}

TEST_CASE("controller: a process lost at each step gets everything again") {
  for (const auto lost : {ProcessRole::kKeyd, ProcessRole::kNetd, ProcessRole::kTunneld}) {
    for (int step = 0; step < 4; ++step) {
      World world;
      world.start();
      world.keys_answer = step != 0, world.netd_answers = step != 1, world.tunneld_answers = step != 2;
      world.give(candidate("b"));
      world.lose(lost);
      world.keys_answer = world.netd_answers = world.tunneld_answers = true;
      world.greet(lost);
      // Whoever was asked but will not answer any more is asked again after the reply time.
      world.pass(seconds(31));
      world.pass(seconds(3));
      INFO("lost " << static_cast<int>(lost) << " at step " << step);
      CHECK(world.controller.settled());
      CHECK((world.runs("a") || world.runs("b")));
    }
  }
}

TEST_CASE("controller: a restarted tunneld is given the plan and the descriptors held") {
  World world;
  world.start();
  world.lose(ProcessRole::kTunneld);
  CHECK_FALSE(world.controller.settled());
  world.tunneld_has.clear(), world.tunneld_has_descriptors = false;
  world.greet(ProcessRole::kTunneld);
  CHECK(world.log == Log{"tunneld"});
  CHECK(world.tunneld_has_descriptors);
  CHECK(world.runs("a"));
}

TEST_CASE("controller: a restarted netd is given the plan; tunneld is left alone") {
  World world;
  world.start();
  world.lose(ProcessRole::kNetd);
  world.netd_has.clear();
  world.greet(ProcessRole::kNetd);
  CHECK(world.log == Log{"netd"});
  CHECK(world.runs("a"));
}

TEST_CASE("controller: descriptors that come unasked go on to tunneld") {
  World world;
  world.start();
  Actions actions;
  world.controller.on_descriptors({true, "", "sekisho0", {{{IpAddress::v4({203, 0, 113, 10}), 51820}}}}, world.now,
                                  actions);
  world.carry_out(std::move(actions));
  CHECK(world.log == Log{"tunneld"});
}

TEST_CASE("controller: sockets the plan does not name are refused") {
  World world;
  world.sockets_good = false;
  world.give(candidate("a"), ChangeReason::kStart, 0);
  world.greet_all();
  CHECK_FALSE(world.controller.settled());
  CHECK(std::ranges::count(world.log, "tunneld") == 0);
}

TEST_CASE("controller: an end date recompiles by itself, and a full disk cannot keep the permission alive (P6)") {
  World world;
  auto first = candidate("a");
  first.next_change = world.wall + seconds(30);
  world.give(first, ChangeReason::kStart, 0);
  world.greet_all();
  REQUIRE(world.controller.next_deadline(world.wall, world.now) == world.now + seconds(30));
  world.pass(seconds(29));
  CHECK_FALSE(world.recompile);
  world.pass(seconds(1));
  REQUIRE(world.recompile);
  world.record_good = false;
  world.give(candidate("ended"), ChangeReason::kExpiry, 0);
  CHECK(world.runs("ended"));
  CHECK(world.alarms > 0);
}

TEST_CASE("controller: a rollback that a process cannot apply is tried again, and never without its record") {
  World world;
  world.start();
  world.give(candidate("b"));
  REQUIRE(world.runs("b"));
  world.netd_good = false;
  world.give(candidate("a"), ChangeReason::kRollback);
  CHECK_FALSE(world.answers.back().good);  // the person is told at once
  CHECK_FALSE(world.controller.settled());
  CHECK(world.alarms > 0);
  world.netd_good = true, world.record_good = false;
  world.pass(seconds(2));
  CHECK(world.runs("a"));  // its record was durable before
  world.give(candidate("b"), ChangeReason::kRollback);
  CHECK_FALSE(world.runs("b"));
  world.record_good = true;
  world.pass(seconds(2));
  CHECK(world.runs("b"));
}

TEST_CASE("controller: what a change is made of comes with the record that it is about to be applied") {
  World world;
  auto wanted = candidate("a");
  wanted.sources = std::make_shared<const std::vector<config::SourceFile>>(1, config::SourceFile{"a.json", "{}"});
  Actions actions;
  world.controller.on_candidate(std::move(wanted), {1, ChangeReason::kStart, "start", ""}, world.now, actions);
  const auto* record = std::get_if<action::AppendRecord>(&actions.front());
  REQUIRE(record != nullptr);
  REQUIRE(record->kept);
  CHECK(record->kept->plan->facilities[0].name.text == "a");
  CHECK(record->kept->keys.size() == 1);
  CHECK(record->kept->sources->at(0).path == "a.json");
}

TEST_CASE("controller: a wall clock that is set back does not put the look at end dates off for more than a minute") {
  World world;
  auto first = candidate("a");
  first.next_change = world.wall + seconds(86'400);
  world.give(first, ChangeReason::kStart, 0);
  world.greet_all();
  CHECK(world.controller.next_deadline(world.wall, world.now) == world.now + seconds(60));
}

TEST_CASE("controller: a bad configuration at start asks for the last good one") {
  World world(7);
  auto bad = candidate("a");
  bad.errors = {"bad"};
  world.give(bad, ChangeReason::kStart, 0);
  REQUIRE(world.use_last_good);
  world.give(candidate("kept"), ChangeReason::kLastGood, 0);
  world.greet_all();
  CHECK(world.runs("kept"));
  CHECK(world.controller.from_last_good());
  CHECK(std::ranges::count(world.log, "keep") == 1);
  CHECK(world.controller.running_generation().number == 8);
}

TEST_CASE("controller: every applied change is kept with its generation, so that none comes twice") {
  World world;
  world.start();
  world.give(candidate("a"));  // nothing is different
  CHECK(std::ranges::count(world.log, "keep") == 1);
}

TEST_CASE("controller: a silent process fails the change after 30 s") {
  World world;
  world.start();
  world.netd_answers = false;
  world.give(candidate("b"));
  CHECK(world.answers.empty());
  world.netd_answers = true;
  world.pass(seconds(31));
  REQUIRE(world.answers.size() == 1);
  CHECK_FALSE(world.answers[0].good);
  CHECK(world.runs("a"));
}

TEST_CASE("controller: while a first start is being tried again, a newer configuration replaces it") {
  World world;
  world.netd_good = false;
  world.give(candidate("a"), ChangeReason::kStart, 0);
  world.greet_all();
  CHECK_FALSE(world.controller.settled());
  world.netd_good = true;
  world.give(candidate("b"));
  CHECK(world.runs("b"));
}

// P7: only the record of this change allows it, whatever was asked to be written before.
TEST_CASE("controller: a change goes on with the ticket of its own record alone") {
  World world;
  world.greet_all();
  std::vector<std::uint64_t> tickets;
  const auto asked = [&](const Actions& actions) {
    for (const auto& each : actions)
      if (const auto* append = std::get_if<action::AppendRecord>(&each); append != nullptr && append->ticket != 0)
        tickets.push_back(append->ticket);
    return std::ranges::any_of(actions,
                               [](const auto& each) { return std::holds_alternative<action::ConfigureKeyd>(each); });
  };
  const auto give = [&](const char* facility) {
    Actions actions;
    world.controller.on_candidate(candidate(facility), {1, ChangeReason::kStart, "", ""}, world.now, actions);
    return asked(actions);
  };
  const auto recorded = [&](std::uint64_t ticket, bool durable) {
    Actions actions;
    world.controller.on_recorded(ticket, durable, world.now, actions);
    return asked(actions);
  };
  REQUIRE_FALSE(give("a"));
  REQUIRE(tickets.size() == 1);
  REQUIRE_FALSE(recorded(tickets[0], false));  // it is tried again, until another takes its place
  REQUIRE_FALSE(give("b"));
  REQUIRE(tickets.size() == 2);
  CHECK_FALSE(recorded(0, true));
  CHECK_FALSE(recorded(tickets[0], true));
  CHECK_FALSE(recorded(tickets[1] + 1, true));
  CHECK(recorded(tickets[1], true));
  Actions late;
  world.controller.on_recorded(tickets[1], false, world.now, late);  // taken back: it is under way
  CHECK(late.empty());
}

TEST_CASE("controller: an answer about another generation settles nothing") {
  World world;
  world.start();
  const auto running = world.controller.running_generation();
  const Generation next{running.number + 1};
  Actions actions;
  const auto log = [&] {
    world.carry_out(std::exchange(actions, {}));
    return std::exchange(world.log, {});
  };
  world.netd_answers = world.tunneld_answers = false;
  world.give(candidate("b"));
  CHECK(log() == Log{"record", "keys", "netd"});
  world.controller.on_plan_applied({running, true, ""}, world.now, actions);
  CHECK(log().empty());
  world.controller.on_plan_applied({running, false, "late"}, world.now, actions);
  CHECK(log().empty());
  world.controller.on_plan_applied({next, true, ""}, world.now, actions);
  CHECK(log() == Log{"tunneld"});
  world.controller.on_tunnels_configured({running, true, ""}, world.now, actions);
  CHECK(log().empty());
  CHECK_FALSE(world.controller.settled());
  world.controller.on_tunnels_configured({next, true, ""}, world.now, actions);
  (void)log();
  CHECK(world.controller.running_generation().number == next.number);
}

TEST_CASE("controller: changes wait their turn, and too many are refused") {
  World world;
  world.start();
  world.netd_answers = false;
  for (std::uint64_t id = 1; id <= Controller::kMostWaiting + 2; ++id)
    world.give(candidate("b"), ChangeReason::kRequest, id);
  CHECK(world.answers.size() == 1);
  CHECK_FALSE(world.answers[0].good);
  // What has been written down as taken back must be taken back.
  CHECK_FALSE(world.controller.rolling_back());
  world.give(candidate("c"), ChangeReason::kRollback, 0);
  CHECK(world.answers.size() == 1);
  CHECK(world.controller.rolling_back());
  world.netd_answers = true;
  world.pass(Controller::kReplyTime);
  world.pass(Controller::kRetryTime);
  CHECK(world.runs("c"));
  CHECK_FALSE(world.controller.rolling_back());
}

TEST_CASE("controller: a rollback that does not succeed is told once, and tried until it does") {
  World world;
  world.start();
  world.keys_good = false;
  world.give(candidate("c"), ChangeReason::kRollback, 0);
  for (int i = 0; i < 10; ++i) world.pass(Controller::kRetryTime);
  CHECK(world.alarms == 1);
  CHECK(world.controller.rolling_back());
  world.keys_good = true;
  world.pass(Controller::kRetryTime);
  CHECK(world.runs("c"));
}

TEST_CASE("candidate: keys are named once and found beside the configuration") {
  auto plan = plan_named("a");
  plan.facilities[0].wireguard.preshared_key = "keys/a.psk";
  const auto keys = key_sources(plan, "/etc/sekisho");
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].path == "/etc/sekisho/keys/a.psk");
  CHECK(keys[0].kind == KeySource::Kind::kPreshared);
  CHECK(keys[1].kind == KeySource::Kind::kWireguardPrivate);
}

TEST_CASE("candidate: ended permissions are left out, the next end is named") {
  auto plan = plan_named("a");
  const WallTime now{seconds(100)};
  for (const auto end : {50, 100, 150, 200}) {
    policy::Permission permission;
    permission.until = WallTime(seconds(end));
    plan.permissions.push_back(permission);
  }
  plan.permissions.push_back({});
  const auto left = without_ended(plan, {}, now);
  CHECK(left.plan.permissions.size() == 3);
  CHECK(left.next_change == WallTime(seconds(150)));
}

TEST_CASE(
    "controller: while a start is being proved a netd that outlived accessd goes on; with nothing to run it closes") {
  World world;
  world.controller.expect_start();
  world.greet_all();
  CHECK(world.log.empty());
  SECTION("it is proved") {
    world.give(candidate("a"), ChangeReason::kStart, 0);
    CHECK(world.runs("a"));
    CHECK(std::ranges::find(world.log, "close") == world.log.end());
  }
  SECTION("it is not, and none was kept") {
    auto bad = candidate("a");
    bad.errors = {"the plan was not proved"};
    world.give(bad, ChangeReason::kStart, 0);
    CHECK(world.use_last_good);
    Actions actions;
    world.controller.on_nothing_to_run(actions);
    world.carry_out(std::move(actions));
    CHECK(world.log.back() == "close");
    world.lose(ProcessRole::kNetd);
    world.log.clear();
    world.greet(ProcessRole::kNetd);
    CHECK(world.log == Log{"close"});
  }
  SECTION("something runs by then") {
    world.give(candidate("a"), ChangeReason::kKept, 0);
    world.log.clear();
    Actions actions;
    world.controller.on_nothing_to_run(actions);
    CHECK(actions.empty());
  }
}

TEST_CASE("controller: an end date is asked about once, until what came of it is given") {
  World world;
  auto wanted = candidate("a");
  wanted.next_change = world.wall + seconds(10);
  world.give(wanted, ChangeReason::kStart, 0);
  world.greet_all();
  world.pass(seconds(10));
  REQUIRE(world.recompile);
  world.recompile = false;
  world.pass(seconds(1));
  CHECK_FALSE(world.recompile);  // it is being proved
  wanted.next_change = world.wall + seconds(5);
  world.give(wanted, ChangeReason::kExpiry, 0);
  world.pass(seconds(5));
  CHECK(world.recompile);
}

TEST_CASE("controller: only what is wanted now may still be sent") {
  World world;
  world.start();
  const auto running = world.controller.running_generation();
  CHECK(world.controller.wants(running));
  CHECK_FALSE(world.controller.wants({running.number + 1}));
  world.netd_answers = false;
  world.give(candidate("b"));
  CHECK_FALSE(world.controller.wants(running));
  CHECK(world.controller.wants({running.number + 1}));
  CHECK_FALSE(world.controller.waits_for(1));  // recorded long ago
}
