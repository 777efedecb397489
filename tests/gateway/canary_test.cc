// One facility of a candidate tried alone: what becomes of it when it is read, and each way in which it would be more
// than that facility.
#include "gateway/daemon/canary.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/change_views.h"
#include "gateway/daemon/changes.h"
#include "gateway/os/config_files.h"
#include "policy/compile.h"

using namespace gateway;
using namespace gateway::daemon;
using config::SourceFile;
using config::value::FacilityName;
using Files = std::vector<SourceFile>;

namespace {

const config::WallTime kNow{std::chrono::hours(24 * 365 * 56)};
constexpr const char* kPath = "/nowhere/sekisho.json";
constexpr const char* kSite = R"({
  "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat" },
  "services": {
    "karte": { "addresses": ["10.80.0.10"], "ports": ["tcp/443"] },
    "portal": { "addresses": ["10.80.0.20"], "ports": ["tcp/443"] } },
  "facilities": {
    "alpha": { "role": "disclosing", "networks": ["10.1.0.0/24"], "may_use": ["karte"],
      "offers": { "images": { "addresses": ["10.1.0.5"], "ports": ["tcp/104"] } },
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:a", "source": ["198.51.100.1"], "authentication": { "psk_file": "keys/a.psk" } } },
    "bravo": { "role": "viewing", "networks": ["10.2.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:b", "source": ["198.51.100.2"], "authentication": { "psk_file": "keys/b.psk" } } } },
  "exchanges": [ { "from": "bravo", "to": "alpha", "offer": "images", "reason": "x", "until": "2098-12-31" } ],
  "tests": [ { "from": "bravo", "to": "portal", "port": "tcp/443", "expect": "deny" } ]
})";

Files site(std::string_view from = "", std::string_view to = "") {
  std::string text = kSite;
  if (!from.empty()) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  }
  return {{kPath, std::move(text)}};
}

config::Loaded loaded(const Files& files) {
  return os::load_texts(files, kPath, kNow, os::KeyFiles::kLeave);
}

policy::Plan plan_of(const Files& files) {
  return policy::compile(loaded(files).config, kNow).plan;
}

core::Unproved judged(const Files& candidate, const std::string& facility, const Files& running = site()) {
  return judge_canary({{facility}, running}, loaded(candidate), kPath, plan_of(running), kNow);
}

bool has(const std::vector<std::string>& lines, std::string_view words) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

// It must not run, and says so first with `words`.
std::vector<std::string> refused(const Files& candidate, const std::string& facility, std::string_view words) {
  const auto made = judged(candidate, facility);
  CHECK_FALSE(made.needs_proof());
  const auto errors = made.candidate().errors;
  REQUIRE_FALSE(errors.empty());
  CAPTURE(errors);
  CHECK(errors.front().find(words) != std::string::npos);
  CHECK_FALSE(core::proved_here(made).errors.empty());
  return errors;
}

// alpha is given another service, and bravo another network.
Files candidate() {
  auto files = site("\"may_use\": [\"karte\"]", "\"may_use\": [\"karte\", \"portal\"]");
  const std::string from = "10.2.0.0/24";
  files[0].text.replace(files[0].text.find(from), from.size(), "10.22.0.0/24");
  return files;
}

core::ChangeEntry entry_of_canary() {
  core::ChangeEntry entry;
  entry.generation = {2};
  entry.canary = "alpha";
  return entry;
}

}  // namespace

TEST_CASE("canary: its plan is what runs but for that facility, proved as any other") {
  const auto made = judged(candidate(), "alpha");
  CAPTURE(made.candidate().errors);
  REQUIRE(made.needs_proof());
  const auto proved = core::proved_here(made);
  CHECK(proved.errors.empty());
  const auto lines = core::describe_difference(plan_of(site()), proved.plan);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("+ permission alpha"));
  CHECK(has(proved.warnings, "of the candidate only facility alpha is in force; what else is different"));
  const auto bravo = core::proved_here(judged(candidate(), "bravo"));
  CHECK(bravo.errors.empty());
  CHECK_FALSE(has(core::describe_difference(plan_of(site()), bravo.plan), "permission alpha"));
  CHECK(has(core::describe_difference(plan_of(site()), bravo.plan), "10.22.0.0/24"));
}

TEST_CASE("canary: what is left of the candidate is told, also when that is nothing") {
  const auto alone = site("\"may_use\": [\"karte\"]", "\"may_use\": []");
  CHECK(has(judged(alone, "alpha").candidate().warnings, "nothing else is different"));
}

TEST_CASE("canary: what is kept of it compiles to it again, as a start must") {
  auto made = core::proved_here(judged(candidate(), "alpha"));
  REQUIRE(made.sources);
  const auto again = candidate_of({{2}, made.plan, made.keys, *made.sources}, kNow);
  CHECK(again.plan == made.plan);
  CHECK(again.config != nullptr);
  // And a second facility can follow before the whole.
  const auto second = judge_canary({{"bravo"}, *made.sources}, loaded(candidate()), kPath, made.plan, kNow);
  REQUIRE(second.needs_proof());
  CHECK(core::describe_difference(second.candidate().plan, plan_of(candidate())).empty());
}

TEST_CASE("canary: a service that others use too is not changed by the way") {
  const auto moved = site("10.80.0.10", "10.80.0.11");
  const auto errors = refused(moved, "alpha", "changes others too, so it cannot be tried alone");
  CHECK(has(errors, "- permission bravo"));
  CHECK_FALSE(has(errors, "permission alpha"));
  // One that nobody else uses is the facility's own affair.
  auto own = candidate();
  const std::string from = "10.80.0.20";
  own[0].text.replace(own[0].text.find(from), from.size(), "10.80.0.21");
  CHECK(judged(own, "alpha").needs_proof());
}

TEST_CASE("canary: nothing to be tried, nobody's name, the gateway itself") {
  refused(site(), "alpha", "facility alpha is in the candidate as it runs");
  refused(site("10.2.0.0/24", "10.22.0.0/24"), "alpha", "facility alpha is in the candidate as it runs");
  refused(candidate(), "charlie", "there is no facility \"charlie\"");
  refused(site("\"name\": \"dc1\"", "\"name\": \"dc2\""), "alpha", "gateway.name, which holds for every facility");
}

TEST_CASE("canary: a candidate that is not good itself, and a part that does not fit, are refused with why") {
  refused(site("\"portal\", \"port\": \"tcp/443\", \"expect\": \"deny\"",
               "\"karte\", \"port\": \"tcp/443\", \"expect\": \"deny\""),
          "alpha", "expect");
  refused(site("\"may_use\": [\"karte\"]", "\"may_use\": [\"nothing\"]"), "alpha", "there is no service");
  auto swapped = candidate();
  const std::string from = "10.1.0.0/24", offer = "10.1.0.5";
  swapped[0].text.replace(swapped[0].text.find(from), from.size(), "10.2.0.0/24");
  swapped[0].text.replace(swapped[0].text.find(offer), offer.size(), "10.2.0.5");
  const auto errors = refused(swapped, "alpha", "does not fit into what runs");
  CHECK(has(errors, "10.2.0.0/24"));
}

TEST_CASE("canary: what runs is not what its files say: then nothing is put into them") {
  auto other = plan_of(site());
  std::erase_if(other.permissions, [](const auto& row) { return row.from_facility.text == "bravo"; });
  const auto made = judge_canary({{"alpha"}, site()}, loaded(candidate()), kPath, other, kNow);
  REQUIRE_FALSE(made.needs_proof());
  CHECK(has(made.candidate().errors, "+ permission bravo"));
}

TEST_CASE("canary: beyond the facility is everything in which it is no end") {
  const FacilityName alpha{"alpha"};
  const auto before = plan_of(site());
  const auto beyond = [&](const policy::Plan& after) { return core::beyond_canary(before, after, alpha, kNow); };
  CHECK(beyond(before).empty());
  auto after = before;
  std::erase_if(after.permissions, [](const auto& row) { return row.to_facility.text == "alpha"; });
  after.facilities[0].networks.clear();
  after.facilities[0].ike->remote_id = "fqdn:other";
  after.wireguard_port = 51820;
  CHECK(beyond(after).empty());
  std::erase_if(after.facilities, [&](const auto& each) { return each.name == alpha; });
  CHECK(beyond(after).empty());
  for (const int what : {0, 1, 2, 3, 4}) {
    CAPTURE(what);
    after = before;
    if (what == 0) std::erase_if(after.permissions, [](const auto& row) { return row.to_facility.text.empty(); });
    if (what == 1) after.facilities[1].sources.clear();
    if (what == 2) after.facilities.pop_back();
    if (what == 3) after.crypto_profile = config::CryptoProfile::kIpsecStrict;
    if (what == 4) after.facilities[1].ike->remote_id = "fqdn:other";
    CHECK_FALSE(beyond(after).empty());
  }
  // What has ended meanwhile lets nothing pass in either.
  auto ended = before;
  ended.permissions.front().until = kNow;
  after = before;
  after.permissions.erase(after.permissions.begin());
  CHECK(core::beyond_canary(ended, after, {"nobody"}, kNow).empty());
}

TEST_CASE("canary: records, history and answers name the facility, those of other changes do not") {
  core::ChangeRecord record;
  CHECK_FALSE(to_record(record).fields.contains("canary"));
  record.request.canary = "alpha";
  CHECK(to_record(record).fields["canary"] == "alpha");
  core::ChangeHistory history;
  core::ChangeEntry first;
  first.generation = {1};
  first.digest = "of the first";
  history.adopted(first);
  core::Trial trial;
  trial.time = std::chrono::seconds(600);
  history.begin(entry_of_canary(), trial);
  const auto view = history_view(history, {});
  CHECK(view["changes"][0]["canary"] == "alpha");
  CHECK_FALSE(view["changes"][1].contains("canary"));
  CHECK(change_view(history, {}, {}, {})["canary"] == "alpha");
  core::ChangeOutcome outcome;
  outcome.generation = {2};
  CHECK(outcome_view(outcome, history, {})["canary"] == "alpha");
  outcome.generation = {1};
  CHECK_FALSE(outcome_view(outcome, history, {}).contains("canary"));
}
