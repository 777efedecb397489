// Lines of the configuration that nobody has used for long.
#include <catch2/catch.hpp>

#include "policy/compile.h"
#include "policy/line_use.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using policy::RuleUses;

namespace {

constexpr std::int64_t kDay = 86'400, kNow = 200 * kDay;

// Two lines of one facility, of two rows (karte: tcp/443, tcp/80) and one (portal).
config::GatewayConfig two_lines() {
  auto config = sample_config();
  config.files = {"x.json"};
  config.services = {service("karte", {"10.80.0.10"}, {"tcp/443", "tcp/80"}),
                     service("portal", {"10.80.0.11"}, {"tcp/443"})};
  config.facilities = {facility("hakodate", {network("10.1.0.0/24")}, {"karte", "portal"})};
  config.facilities[0].may_use_at = {{0, 14, 18}, {0, 14, 27}};
  config.exchanges.clear(), config.inside_may_reach.clear();
  return config;
}

struct World {
  config::GatewayConfig config = two_lines();
  policy::Plan plan = policy::compile(config, at_second(kNow)).plan;
  RuleUses uses;
  // Of each row of that service.
  void watch(const std::string& name, std::int64_t since, std::optional<std::int64_t> last, std::size_t only = 9) {
    std::size_t n = 0;
    for (const auto& row : plan.permissions)
      if (row.name == name && (only == 9 || n++ == only))
        uses[row.rule.number] = {at_second(since), last ? std::optional(at_second(*last)) : std::nullopt};
  }
  [[nodiscard]] policy::Unused unused(std::uint32_t days = 90) const {
    return policy::unused(policy::line_uses(plan, uses), days, at_second(kNow));
  }
};

}  // namespace

TEST_CASE("line use: a line is the sum of its rows, by its place") {
  World world;
  world.watch("karte", 10 * kDay, std::nullopt);
  world.watch("karte", 5 * kDay, 150 * kDay, 1);
  const auto lines = policy::line_uses(world.plan, world.uses);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].name == "karte");
  CHECK(lines[0].rows == 2);
  CHECK(lines[0].origin == "facilities.hakodate.may_use[0] (x.json:14:18)");
  CHECK(lines[0].since == at_second(5 * kDay));
  CHECK(lines[0].last == at_second(150 * kDay));
  CHECK_FALSE(lines[1].since);
}

TEST_CASE("line use: unused is what was watched for so long and not used in it") {
  World world;
  world.watch("karte", 0, 150 * kDay);
  world.watch("portal", 0, 100 * kDay);
  REQUIRE(world.unused().lines.size() == 1);
  CHECK(world.unused().lines[0].name == "portal");
  CHECK(world.unused(49).lines.size() == 2);
  CHECK(world.unused(101).lines.empty());
  CHECK(world.unused(0).lines.empty());
  // One row that is used keeps the line.
  world.watch("karte", 0, std::nullopt);
  world.watch("karte", 0, 199 * kDay, 0);
  CHECK(world.unused().lines.size() == 1);
  // To the second.
  world.watch("portal", 0, kNow - 90 * kDay);
  CHECK(world.unused().lines.size() == 1);
  world.watch("portal", 0, kNow - 90 * kDay + 1);
  CHECK(world.unused().lines.empty());
}

TEST_CASE("line use: what is not watched for so long is not called unused, and that is said") {
  World world;
  world.watch("karte", 150 * kDay, std::nullopt);
  const auto found = world.unused();
  CHECK(found.lines.empty());
  CHECK(found.too_new == 2);  // portal is not watched at all
  CHECK(found.watched == at_second(150 * kDay));
  world.watch("karte", 105 * kDay, 120 * kDay);
  CHECK(world.unused().lines.empty());
  CHECK(world.unused(85).lines.empty());
  CHECK(world.unused(80).lines.size() == 1);
}

TEST_CASE("line use: the warning names the line, its place and its days") {
  World world;
  world.watch("karte", 0, 100 * kDay);
  world.watch("portal", 20 * kDay, std::nullopt);
  const auto warnings = policy::to_warnings(world.config, world.unused(), 90, at_second(kNow));
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].severity == config::Severity::kWarning);
  CHECK(warnings[0].at == config::Position{0, 14, 18});
  CHECK(warnings[0].key_path == "facilities.hakodate.may_use[0]");
  CHECK(warnings[0].message.find(
            "nobody has used this permission for 100 days (hakodate -> karte; last used 1970-04-11") == 0);
  CHECK(warnings[1].at == config::Position{0, 14, 27});
  CHECK(warnings[1].message.find("for 180 days (hakodate -> portal; not once since it is watched, 1970-01-21") !=
        std::string::npos);
}

TEST_CASE("line use: exchanges and lines from inside have their places") {
  auto config = sample_config();
  config.files = {"x.json"};
  for (std::size_t i = 0; i < config.exchanges.size(); ++i)
    config.exchanges[i].at = {0, 40 + static_cast<unsigned>(i), 3};
  for (std::size_t i = 0; i < config.inside_may_reach.size(); ++i)
    config.inside_may_reach[i].at = {0, 60 + static_cast<unsigned>(i), 3};
  const auto plan = policy::compile(config, at_second(10)).plan;
  RuleUses uses;
  for (const auto& row : plan.permissions) uses[row.rule.number] = {at_second(0), std::nullopt};
  const auto found = policy::unused(policy::line_uses(plan, uses), 1, at_second(2 * kDay));
  std::size_t exchanges = 0, inside = 0;
  for (const auto& each : policy::to_warnings(config, found, 1, at_second(2 * kDay))) {
    const bool exchange = each.key_path.starts_with("exchanges["),
               from_inside = each.key_path.starts_with("inside_may_reach[");
    exchanges += exchange, inside += from_inside;
    if (exchange || from_inside) CHECK(each.at.line >= (exchange ? 40u : 60u));
  }
  CHECK(exchanges > 0);
  CHECK(inside > 0);
}
