// Pending -> confirmed | rolled back: each step and each refusal of the state machine, what a start makes of a trial,
// and the words for each facility.
#include <catch2/catch.hpp>

#include <algorithm>

#include "gateway/core/change_effect.h"
#include "gateway/core/change_history.h"

using namespace gateway::core;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

const WallTime kWall{seconds(1'700'000'000)};
const Instant kNow{seconds(1000)};

ChangeEntry entry(std::uint64_t generation, const std::string& digest = "") {
  ChangeEntry made;
  made.generation = {generation};
  made.digest = digest.empty() ? "digest " + std::to_string(generation) : digest;
  made.author = "uid 0 (root), pid 812";
  made.at = kWall;
  return made;
}

Trial trial(std::vector<std::string> up = {}, std::uint32_t limit = 0) {
  Trial made;
  made.boot = "boot-1";
  made.time = seconds(600);
  made.up = std::move(up);
  made.down_limit = limit;
  return made;
}

// Generation 1 runs, 2 is tried and applied.
ChangeHistory tried(std::vector<std::string> up = {}, std::uint32_t limit = 0) {
  ChangeHistory history;
  history.adopted(entry(1));
  history.begin(entry(2), trial(std::move(up), limit));
  history.applied(kNow, kWall);
  return history;
}

ChangeState state(const ChangeHistory& history, std::uint64_t generation) {
  REQUIRE(history.entry({generation}) != nullptr);
  return history.entry({generation})->state;
}

TunnelStatus status(const std::string& facility, bool up, Instant since) {
  TunnelStatus made;
  made.facility = facility;
  made.up = up;
  made.since = since;
  return made;
}

}  // namespace

TEST_CASE("history: a change without confirmation is what can be gone back to") {
  ChangeHistory history;
  CHECK_FALSE(history.target(std::nullopt));
  history.adopted(entry(1));
  CHECK(history.confirmed().number == 1);
  CHECK_FALSE(history.target(std::nullopt));
  history.adopted(entry(2));
  CHECK(history.target(std::nullopt) == Generation{1});
  CHECK(history.target(1) == Generation{1});
  CHECK_FALSE(history.target(2));
  CHECK_FALSE(history.target(7));
  history.adopted(entry(3, "digest 2"));  // nothing is different
  CHECK(history.entries().size() == 2);
  CHECK(history.highest().number == 3);
}

TEST_CASE("history: a trial is confirmed by somebody's word, within its time") {
  auto history = tried();
  CHECK(history.waits());
  CHECK(history.confirmed().number == 1);
  CHECK(state(history, 2) == ChangeState::kPending);
  REQUIRE(history.confirm("uid 5", kNow + seconds(599), kWall));
  CHECK(history.confirmed().number == 2);
  CHECK(state(history, 2) == ChangeState::kConfirmed);
  CHECK(history.entry({2})->decided_by == "uid 5");
  CHECK_FALSE(history.trial());
  CHECK_FALSE(history.confirm("uid 5", kNow, kWall));  // once
}

TEST_CASE("history: a second too late is too late") {
  auto history = tried();
  CHECK_FALSE(history.overdue(kNow + seconds(599)));
  CHECK(history.overdue(kNow + seconds(600)));
  CHECK_FALSE(history.confirm("uid 5", kNow + seconds(600), kWall));
  CHECK(history.waits());
}

TEST_CASE("history: the time counts from when it was applied, not from when it was begun") {
  ChangeHistory history;
  history.adopted(entry(1));
  history.begin(entry(2), trial());
  CHECK_FALSE(history.waits());
  CHECK_FALSE(history.overdue(kNow + hours(100)));
  CHECK_FALSE(history.confirm("uid 5", kNow, kWall));
  CHECK_FALSE(history.target(std::nullopt));
  history.applied(kNow + seconds(60), kWall);
  CHECK_FALSE(history.overdue(kNow + seconds(659)));
  CHECK(history.overdue(kNow + seconds(660)));
}

TEST_CASE("history: a wall clock that jumps moves nothing") {
  for (const auto wall : {WallTime{}, kWall + hours(24 * 365 * 50)}) {
    auto history = tried();
    history.note({5});
    CHECK_FALSE(history.overdue(kNow + seconds(599)));
    REQUIRE(history.confirm("uid 5", kNow + seconds(599), wall));
    CHECK(state(history, 2) == ChangeState::kConfirmed);
  }
}

TEST_CASE("history: a trial taken back; its files are held until another change is applied") {
  auto history = tried();
  CHECK(history.target(std::nullopt) == Generation{1});
  CHECK(history.target(1) == Generation{1});
  CHECK_FALSE(history.target(2));
  history.roll_back({1}, "timer", "not confirmed in time", kWall);
  CHECK(state(history, 2) == ChangeState::kRolledBack);
  CHECK(history.entry({2})->why == "not confirmed in time");
  CHECK(history.confirmed().number == 1);
  CHECK(history.held() == Generation{2});
  CHECK(history.kept() == std::set<std::uint64_t>{1, 2});
  CHECK_FALSE(history.target(2));  // forward is apply's way
  history.adopted(entry(4, "digest 1"));
  CHECK_FALSE(history.held());
}

TEST_CASE("history: what could not be applied leaves no trial") {
  ChangeHistory history;
  history.adopted(entry(1));
  history.begin(entry(2), trial());
  history.failed("netd: no such device", kWall);
  CHECK(state(history, 2) == ChangeState::kFailed);
  CHECK_FALSE(history.trial());
  CHECK(history.held() == Generation{2});  // its files are no start's
  CHECK(history.confirmed().number == 1);
}

TEST_CASE("history: who asks for a trial keeps a start from the files until something is applied") {
  for (const auto last : {0, 1, 2, 3}) {
    ChangeHistory history;
    history.adopted(entry(1));
    history.ask("uid 5");
    CHECK(decode<ChangeHistory>(encode(history))->asked_by() == "uid 5");
    if (last == 0) history.unask();
    if (last == 1) history.adopted(entry(2));
    if (last == 2) history.begin(entry(2), trial());
    if (last == 3) history.roll_back({1}, "uid 0", "", kWall);
    CHECK(history.asked_by().empty());
  }
}

TEST_CASE("history: far back takes every newer change back") {
  ChangeHistory history;
  for (std::uint64_t each = 1; each <= 4; ++each) history.adopted(entry(each));
  history.roll_back({2}, "uid 0", "", kWall);
  CHECK(state(history, 1) == ChangeState::kConfirmed);
  CHECK(state(history, 3) == ChangeState::kRolledBack);
  CHECK(state(history, 4) == ChangeState::kRolledBack);
  CHECK(history.held() == Generation{4});
  CHECK(history.target(std::nullopt) == Generation{1});
}

TEST_CASE("history: a canary ends nothing that was taken back before it, confirmed or not") {
  const auto canary = [](std::uint64_t generation) {
    auto made = entry(generation);
    made.canary = "alpha";
    return made;
  };
  auto held = tried();
  held.roll_back({1}, "timer", "", kWall);
  REQUIRE(held.held() == Generation{2});
  held.begin(canary(3), trial());
  held.applied(kNow, kWall);
  auto confirmed = held;
  REQUIRE(confirmed.confirm("uid 5", kNow, kWall));
  CHECK(confirmed.confirmed() == Generation{3});
  CHECK(confirmed.held_all() == std::vector<Generation>{{2}});
  auto taken_back = held;
  taken_back.roll_back({1}, "uid 5", "", kWall);
  CHECK(taken_back.held() == Generation{3});
  CHECK(taken_back.held_all() == std::vector<Generation>{{3}, {2}});
  CHECK(taken_back.kept() == std::set<std::uint64_t>{1, 2, 3});
  const auto read = decode<ChangeHistory>(encode(taken_back));
  REQUIRE(read);
  CHECK(read->held_all() == taken_back.held_all());
  CHECK(read->entry({3})->canary == "alpha");
  CHECK(read->entry({2})->canary.empty());
  auto failed = held;
  failed.failed("netd: no such device", kWall);
  CHECK(failed.held_all() == std::vector<Generation>{{3}, {2}});
  // The whole of the files: applied, or tried and taken back itself.
  auto adopted = taken_back;
  adopted.adopted(entry(4));
  CHECK(adopted.held_all().empty());
  taken_back.begin(entry(4), trial());
  taken_back.applied(kNow, kWall);
  auto whole = taken_back;
  REQUIRE(whole.confirm("uid 5", kNow, kWall));
  CHECK(whole.held_all().empty());
  taken_back.roll_back({1}, "timer", "", kWall);
  CHECK(taken_back.held_all() == std::vector<Generation>{{4}});
}

TEST_CASE("history: one that was written before there were canaries is read on") {
  auto octets = encode(tried({"alpha"}, 1));
  octets.resize(octets.size() - 8);  // two lists with nothing in them
  CHECK_FALSE(decode<ChangeHistory>(octets));
  octets[0] = 1;
  const auto read = decode<ChangeHistory>(octets);
  REQUIRE(read);
  CHECK(read->waits());
  octets[0] = 3;
  CHECK_FALSE(decode<ChangeHistory>(octets));
}

TEST_CASE("history: a canary of no entry is no history") {
  auto canary = entry(1);
  canary.canary = "alpha";
  ChangeHistory history;
  history.adopted(canary);
  auto octets = encode(history);
  REQUIRE(decode<ChangeHistory>(octets));
  octets[octets.size() - 4 - 5 - 4 - 8] ^= 1;  // its generation, before the length and the name
  CHECK_FALSE(decode<ChangeHistory>(octets));
}

TEST_CASE("history: what a start makes of a trial") {
  ChangeHistory begun;
  begun.adopted(entry(1));
  CHECK(begun.over_at_start("boot-1", kNow).empty());
  begun.begin(entry(2), trial());
  CHECK_FALSE(begun.over_at_start("boot-1", kNow).empty());  // it was never wholly applied
  const auto history = tried();
  CHECK(history.over_at_start("boot-1", kNow + seconds(599)).empty());
  CHECK_FALSE(history.over_at_start("boot-1", kNow + seconds(600)).empty());
  // Another boot: its clock begins at zero, so the deadline says nothing.
  CHECK_FALSE(history.over_at_start("boot-2", Instant(seconds(5))).empty());
  CHECK_FALSE(history.over_at_start("", kNow).empty());
}

TEST_CASE("history: only who was up before, is down now and is still to be served counts, and not at once") {
  const auto history = tried({"charlie", "alpha", "bravo"}, 2);
  const auto at = [](int after) { return kNow + seconds(after); };
  const std::vector<TunnelStatus> tunnels{status("alpha", false, at(0)), status("bravo", true, at(0)),
                                          status("delta", false, at(0))};  // charlie is no longer configured
  CHECK(history.lost(tunnels, at(29)).empty());
  CHECK(history.lost(tunnels, at(30)) == std::vector<std::string>{"alpha"});
  CHECK(ChangeHistory().lost(tunnels, at(30)).empty());
  auto cut = history;  // who is cut off by an order is not lost by the change, and comes back when it comes
  cut.leave_out("bravo");
  CHECK(cut.lost(tunnels, at(30)) == std::vector<std::string>{"alpha"});
  cut.leave_out("alpha");
  CHECK(cut.lost(tunnels, at(30)).empty());
  auto stopped = history;
  stopped.leave_out("");
  CHECK(stopped.lost(tunnels, at(30)).empty());
}

TEST_CASE("history: bounded, and never without what runs") {
  ChangeHistory history;
  history.adopted(entry(1));
  history.begin(entry(2), trial());
  history.applied(kNow, kWall);
  REQUIRE(history.confirm("uid 0", kNow, kWall));
  for (std::uint64_t each = 3; each < 1000; ++each) {
    auto next = entry(each);
    next.difference.assign(ChangeHistory::kMostLines + 10, "+ permission");
    history.adopted(std::move(next));
  }
  CHECK(history.entries().size() == ChangeHistory::kMostEntries);
  CHECK(history.entries().back().difference.size() == ChangeHistory::kMostLines);
  CHECK(history.entries().back().lines == ChangeHistory::kMostLines + 10);
  CHECK(history.kept().size() == ChangeHistory::kMostKept);
  CHECK(history.kept().contains(999));
  history.forget_kept({998});
  CHECK(history.target(std::nullopt) == Generation{997});
  // A long row of trials taken back pushes out the oldest, never their base.
  for (std::uint64_t each = 1000; each < 1300; ++each) {
    history.begin(entry(each), trial());
    history.applied(kNow, kWall);
    history.roll_back({999}, "timer", "", kWall);
  }
  CHECK(history.entries().size() == ChangeHistory::kMostEntries);
  CHECK(history.confirmed_entry() != nullptr);
  CHECK(history.held() == Generation{1299});
}

TEST_CASE("history: its octets come back, and no other octets do") {
  const auto history = tried({"alpha"}, 1);
  const auto octets = encode(history);
  const auto read = decode<ChangeHistory>(octets);
  REQUIRE(read);
  CHECK(read->waits());
  CHECK(read->trial()->up == std::vector<std::string>{"alpha"});
  CHECK(read->trial()->deadline == kNow + seconds(600));
  CHECK(encode(*read) == octets);
  for (std::size_t size = 0; size < octets.size(); ++size)
    CHECK_FALSE(decode<ChangeHistory>(std::span(octets).first(size)));
  int taken = 0;  // every octet turned over: an error or a history that is consistent, never anything else
  for (std::size_t at = 0; at < octets.size(); ++at) {
    auto damaged = octets;
    damaged[at] ^= 0xff;
    if (const auto other = decode<ChangeHistory>(damaged)) {
      ++taken;
      CHECK((!other->trial() || other->trial()->base == other->confirmed()));
    }
  }
  CHECK(taken > 0);  // texts and times have no wrong value: the digest before the file finds those
}

TEST_CASE("trial time: a number and a unit within bounds") {
  CHECK(parse_trial_time("10m") == Duration(seconds(600)));
  CHECK(parse_trial_time("5s") == Duration(seconds(5)));
  CHECK(parse_trial_time("24h") == Duration(hours(24)));
  for (const auto* wrong : {"", "10", "m", "4s", "25h", "1441m", "86401s", "10 m", "10mm", "-5m", "1d", "99999999999h"})
    CHECK_FALSE(parse_trial_time(wrong));
}

namespace {

policy::Permission permission(const std::string& from, const std::string& name, std::uint16_t port) {
  policy::Permission made;
  made.from_facility = {from};
  made.name = name;
  made.source = *config::value::Prefix::parse("10.1.0.0/24");
  made.destination = *config::value::Prefix::parse("10.80.0.10/32");
  made.port = {config::value::IpProtocol::kTcp, port, port};
  return made;
}

policy::FacilityPlan facility(const std::string& name, const std::string& key = "k") {
  policy::FacilityPlan made;
  made.name = {name};
  made.title = name + " hospital";
  made.wireguard.public_key = key;
  return made;
}

const ChangeEffect* effect_of(const std::vector<ChangeEffect>& effects, const std::string& facility) {
  const auto found = std::ranges::find(effects, facility, &ChangeEffect::facility);
  return found == effects.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("effects: each facility that is touched, in words, and no other") {
  policy::Plan before;
  before.facilities = {facility("alpha"), facility("bravo"), facility("charlie")};
  before.permissions = {permission("alpha", "karte", 443)};
  auto after = before;
  after.facilities = {facility("alpha"), facility("bravo", "other"), facility("delta")};
  auto exchange = permission("bravo", "alpha/images", 104);
  exchange.to_facility = {"alpha"};
  after.permissions = {permission("alpha", "karte", 8443), exchange};
  const auto found = effects(before, after);
  REQUIRE(found.size() == 4);
  const auto* alpha = effect_of(found, "alpha");
  REQUIRE(alpha != nullptr);
  CHECK(alpha->title == "alpha hospital");
  CHECK(alpha->lines ==
        std::vector<std::string>{"may no longer open karte 10.80.0.10 tcp/443 from 10.1.0.0/24",
                                 "may newly open karte 10.80.0.10 tcp/8443 from 10.1.0.0/24",
                                 "is newly opened to bravo: alpha/images 10.80.0.10 tcp/104 from 10.1.0.0/24"});
  CHECK(effect_of(found, "bravo")->lines.size() == 2);
  CHECK(effect_of(found, "bravo")->lines[0].starts_with("its WireGuard key is another"));
  CHECK(effect_of(found, "charlie")->lines[0].starts_with("is served no longer"));
  CHECK(effect_of(found, "delta")->lines[0].starts_with("is new: WireGuard"));
  CHECK(effects(before, before).empty());
  auto sooner = before;
  sooner.permissions[0].until = kWall;
  CHECK(effects(before, sooner)[0].lines[0].starts_with("what it may open now has an end"));
  CHECK(effects(before, sooner).size() == 1);
}

TEST_CASE("brought again: what was rolled back and is still in the files, not what is otherwise now") {
  policy::Plan running;
  running.facilities = {facility("alpha"), facility("bravo")};
  auto rolled_back = running;
  rolled_back.facilities[0].wireguard.public_key = "wrong";
  rolled_back.permissions = {permission("bravo", "karte", 443)};
  CHECK(brought_again(running, rolled_back, running).empty());
  CHECK(brought_again(running, rolled_back, rolled_back).size() == 2);
  auto mended = rolled_back;
  mended.facilities[0].wireguard.public_key = "right";
  mended.facilities.push_back(facility("charlie"));
  const auto again = brought_again(running, rolled_back, mended);
  REQUIRE(again.size() == 1);
  CHECK(again[0].starts_with("+ permission bravo"));
}
