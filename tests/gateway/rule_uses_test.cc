// When permissions were last used: watched, kept over restarts, shown.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/audit/rule_uses.h"
#include "gateway/daemon/uses_file.h"
#include "gateway/daemon/uses_views.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace gateway;
using namespace tests;
namespace fs = std::filesystem;

namespace {

policy::Plan sample_plan() {
  return policy::compile(sample_config(), at_second(10)).plan;
}

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/acd-uses-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("rule uses: rows are watched from when a plan has them, and keep their past") {
  const auto plan = sample_plan();
  const auto rule = plan.permissions.at(0).rule.number;
  audit::WatchedRules watched;
  watched.used(rule, at_second(5));
  CHECK(watched.uses().empty());  // no plan had it
  watched.set_plan(plan, at_second(10));
  CHECK(watched.uses().size() == plan.permissions.size());
  CHECK(watched.changed());
  watched.kept();
  watched.set_plan(plan, at_second(20));
  CHECK_FALSE(watched.changed());
  watched.used(rule, at_second(30));
  CHECK(watched.changed());
  watched.used(rule, at_second(25));  // a clock that was set back
  CHECK(watched.uses().at(rule) == policy::RuleUse{at_second(10), at_second(30)});
}

TEST_CASE("rule uses: a row that went and came back has its past; after long it is forgotten") {
  const auto plan = sample_plan();
  const auto rule = plan.permissions.at(0).rule.number;
  audit::WatchedRules watched;
  watched.set_plan(plan, at_second(0));
  watched.used(rule, at_second(5));
  watched.set_plan({}, at_second(100));
  watched.set_plan(plan, at_second(200));
  CHECK(watched.uses().at(rule) == policy::RuleUse{at_second(0), at_second(5)});
  watched.set_plan({}, at_second(6) + audit::WatchedRules::kRemember);
  CHECK(watched.uses().empty());
}

TEST_CASE("rule uses: a clock that was years ahead is put right with the next plan") {
  const auto plan = sample_plan();
  const auto rule = plan.permissions.at(0).rule.number;
  audit::WatchedRules watched;
  watched.set_plan(plan, at_second(1'000'000'000));
  watched.used(rule, at_second(1'000'000'001));
  watched.set_plan(plan, at_second(50));
  CHECK(watched.uses().at(rule) == policy::RuleUse{at_second(50), at_second(50)});
}

TEST_CASE("rule uses: a flow that stays open uses its permission, however old it is") {
  const auto plan = sample_plan();
  audit::FlowTable flows;
  std::vector<audit::Record> records;
  flows.set_plan(plan, records);
  audit::ConntrackEvent event;
  event.original.source = address("10.1.0.5"), event.original.destination = address("10.80.0.10");
  event.original.protocol = 6, event.original.destination_port = 443;
  event.mark = plan.permissions.at(0).rule.number;
  flows.on_event(event, {at_second(1), {}, 0}, records);
  REQUIRE(flows.size() == 1);
  audit::WatchedRules watched;
  watched.set_plan(plan, at_second(0));
  watched.used_by(flows, at_second(1'000'000));
  CHECK(watched.uses().at(event.mark).last == at_second(1'000'000));
}

TEST_CASE("rule uses: kept and read back; what is damaged is said and not used") {
  const Folder folder;
  const auto none = daemon::read_uses(folder.path);
  REQUIRE(none);
  CHECK_FALSE(*none);
  const policy::RuleUses uses{{7, {at_second(1), std::nullopt}}, {9, {at_second(2), at_second(3)}}};
  REQUIRE(daemon::keep_uses(folder.path, uses));
  CHECK(*daemon::read_uses(folder.path) == uses);
  std::fstream file(folder.path + "/rule-uses", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(40);
  file.put('x');
  file.close();
  const auto damaged = daemon::read_uses(folder.path);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().find("rule-uses: is damaged") != std::string::npos);
}

TEST_CASE("rule uses: the view has all, of one facility, or what is unused") {
  const auto plan = sample_plan();
  policy::RuleUses uses;
  constexpr std::int64_t kDay = 86'400;
  for (const auto& row : plan.permissions) uses[row.rule.number] = {at_second(0), at_second(50 * kDay)};
  const auto& some = plan.permissions.at(0);
  for (const auto& row : plan.permissions)
    if (row.origin == some.origin) uses[row.rule.number].last = std::nullopt;
  const auto view = [&](const daemon::LineUsesQuestion& question) {
    return daemon::line_uses_view(plan, uses, question, at_second(100 * kDay));
  };
  const auto all = view({"", 0, 90});
  CHECK(all["permissions"].size() == all["all"]);
  CHECK(all["unused"] == 1);
  CHECK(all["unused_after_days"] == 90);
  const auto unused = view({"", 90, 90});
  REQUIRE(unused["permissions"].size() == 1);
  CHECK(unused["permissions"][0]["origin"] == some.origin);
  CHECK(unused["permissions"][0]["unused_days"] == 100);
  CHECK(unused["permissions"][0]["last_used"].is_null());
  CHECK(view({"", 50, 90})["permissions"].size() == all["permissions"].size());
  for (const auto& each : view({"hakodate", 0, 90})["permissions"])
    CHECK((each["from"] == "hakodate" || each["to"] == "hakodate"));
  CHECK(view({"nobody", 0, 90})["permissions"].empty());
  // The sums are of the facility that was asked about.
  CHECK(view({some.from_facility.text, 0, 90})["unused"] == 1);
  CHECK(view({"nobody", 0, 90})["unused"] == 0);
}
