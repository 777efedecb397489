// sekisho diff --replay, apply --replay: what a person is told, the JSON form, exit statuses.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "config/moment.h"
#include "gateway/audit/record.h"
#include "gateway/daemon/cli.h"
#include "gateway/daemon/cli_replay.h"
#include "gateway/daemon/last_good.h"
#include "gateway/daemon/uses_file.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "policy/compile.h"

using namespace gateway::daemon;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

constexpr const char* kSite = R"({
  "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat" },
  "services": { "karte": { "title": "電子カルテ参照", "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
  "facilities": {
    "hakodate": { "title": "函館総合病院", "role": "disclosing", "networks": [{ "real": "192.168.1.0/24", "seen_as": "100.64.1.0/24" }],
      "may_use": [MAY_USE],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:a", "source": ["198.51.100.1"], "authentication": { "psk_file": "keys/a.psk" } } } }
})";

std::string site(const std::string& may_use) {
  std::string text = kSite;
  return text.replace(text.find("MAY_USE"), 7, may_use);
}

struct Told {
  int status = -1;
  std::string out, err;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

// A gateway's folder: its configuration, another one beside it, what ran last, and records.
struct World {
  std::string folder;
  std::uint64_t sequence = 0;
  World() {
    char name[] = "/tmp/acd-replay-XXXXXX";
    folder = mkdtemp(name);
    fs::create_directories(folder + "/state/records");
    write("sekisho.json", site("\"karte\""));
    write("without.json", site(""));
    const auto now = gateway::os::wall_now();
    const auto loaded = gateway::os::load_configuration(folder + "/sekisho.json", now, gateway::os::KeyFiles::kLeave);
    REQUIRE_FALSE(config::has_errors(loaded.diagnostics));
    REQUIRE(keep_last_good(folder + "/state", {{1}, policy::compile(loaded.config, now).plan, {}, {}}));
  }
  ~World() { fs::remove_all(folder); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name, std::ios::app) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(folder + "/" + name).rdbuf();
    return out.str();
  }
  // Of `ago` before now.
  void record(std::chrono::seconds ago, const std::string& kind, nlohmann::ordered_json fields) {
    const auto time = gateway::os::wall_now() - ago;
    write("state/records/" + gateway::audit::to_date(time, 540) + ".jsonl",
          gateway::audit::render({kind, std::move(fields)}, ++sequence, {time, {}, 540}));
  }
  void flow(std::chrono::seconds ago, const std::string& host = "9") {
    record(ago, "flow.begin",
           {{"flow", sequence + 1},
            {"direction", "facility-to-service"},
            {"facility", "hakodate"},
            {"service", "karte"},
            {"rule", 5},
            {"rule_origin", "facilities.hakodate.may_use[0] (old.json:9:9)"},
            {"protocol", "tcp"},
            {"source", "100.64.1." + host},
            {"source_real", "192.168.1." + host},
            {"source_port", 40'000 + sequence},
            {"destination", "10.80.0.10"},
            {"destination_real", "10.80.0.10"},
            {"destination_port", 443}});
  }
  [[nodiscard]] Told told(Words words) const {
    words.insert(words.end(),
                 {"--config", folder + "/sekisho.json", "--state", folder + "/state", "--runtime", folder});
    const int out = open((folder + "/out").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    const int err = open((folder + "/err").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    std::fflush(nullptr);
    const int kept_out = dup(1), kept_err = dup(2);
    dup2(out, 1), dup2(err, 2);
    const int status = cli::run(words);
    std::fflush(nullptr);
    dup2(kept_out, 1), dup2(kept_err, 2);
    for (const int each : {out, err, kept_out, kept_err}) close(each);
    return {status, read("out"), read("err")};
  }
};

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

using std::chrono::hours;

}  // namespace

TEST_CASE("cli: diff --replay of what runs finds nothing") {
  World world;
  world.flow(hours(40)), world.flow(hours(3));
  const auto found = world.told({"diff", "--replay", "1d"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFine);
  CHECK(has(found.out, "flows that passed: 1, of which 0 would stop"));
  CHECK(has(found.out, "would newly pass: 0"));
  CHECK(has(found.out, "no gateway answers"));
}

TEST_CASE("cli: diff --replay FILE names the facility, both addresses, the count and both lines") {
  World world;
  world.flow(hours(40)), world.flow(hours(5)), world.flow(hours(3));
  const auto found = world.told({"diff", "--replay", "1d", world.folder + "/without.json"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFindings);
  for (const auto* words :
       {"hakodate (函館総合病院)", "would stop: 100.64.1.9 (192.168.1.9) -> 10.80.0.10 tcp/443 to karte 電子カルテ参照",
        "2 flows, last 2", "passed by facilities.hakodate.may_use[0] (old.json:9:9)",
        "denied: ", "flows that passed: 2, of which 2 would stop"})
    CHECK(has(found.out, words));
}

TEST_CASE("cli: diff --replay --json is whole and versioned") {
  World world;
  world.flow(hours(5));
  world.record(hours(4), "refused",
               {{"reason", "not_permitted"},
                {"facility", "hakodate"},
                {"protocol", "tcp"},
                {"source", "100.64.1.9"},
                {"source_port", 1},
                {"destination", "10.80.0.10"},
                {"destination_port", 22}});
  world.record(hours(4), "refused.summary", {{"reason", "not_permitted"}, {"count", 9}, {"total", 9}});
  auto text = site("\"karte\"");
  text.replace(text.find("tcp/443"), 7, "tcp/22");
  world.write("other.json", text);
  const auto found = world.told({"diff", "--replay", "7d", "--json", world.folder + "/other.json"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFindings);
  const auto json = found.json();
  CHECK(json["version"] == 1);
  CHECK(json["flows"] == 1);
  CHECK(json["stops"] == 1);
  CHECK(json["opens"] == 1);
  CHECK(json["quiet"] == false);
  CHECK(json["running_known"] == true);
  CHECK(json["gateway_asked"] == false);
  CHECK(json["records"]["read"] == 3);
  CHECK(json["records"]["refused_packets"] == 9);
  CHECK(json["records"]["reaches_back"] == false);
  REQUIRE(json["findings"].size() == 2);
  const auto& stops = json["findings"][0];
  CHECK(stops["effect"] == "stops");
  CHECK(stops["facility"] == "hakodate");
  CHECK(stops["title"] == "函館総合病院");
  CHECK(stops["source"] == "100.64.1.9");
  CHECK(stops["source_real"] == "192.168.1.9");
  CHECK(stops["count"] == 1);
  CHECK(stops["rule_origin"] == "facilities.hakodate.may_use[0] (old.json:9:9)");
  CHECK(has(stops["text"], "this port is not open; the nearest line is facilities.hakodate.may_use[0] ("));
  const auto& opens = json["findings"][1];
  CHECK(opens["effect"] == "opens");
  CHECK(opens["reason"] == "not_permitted");
  CHECK(has(opens["origin"], "facilities.hakodate.may_use[0] ("));
  CHECK(opens["until"].is_null());
}

TEST_CASE("cli: a record that cannot be read is counted and said, and is no quiet answer") {
  World world;
  world.flow(hours(5));
  const auto day = gateway::audit::to_date(gateway::os::wall_now() - hours(5), 540);
  world.write("state/records/" + day + ".jsonl", "not a record\n");
  world.flow(hours(4));
  const auto found = world.told({"diff", "--replay", "2d"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFindings);
  CHECK(has(found.out, "note: 1 record could not be read"));
  CHECK(has(found.out, day + ".jsonl:2: is no JSON"));
  CHECK(has(found.out, "flows that passed: 2"));
}

TEST_CASE("cli: records that do not reach back so far, gaps and sums are said") {
  World world;
  world.flow(hours(5));
  world.sequence += 4;
  world.record(hours(4), "flow.summary", {{"facility", "hakodate"}, {"not_written", {{"flow.begin", 30}}}});
  const auto found = world.told({"diff", "--replay", "7d"});
  INFO(found.out << found.err);
  CHECK(has(found.out, "the records reach back only to 2"));
  CHECK(has(found.out, "4 records are missing"));
  CHECK(has(found.out, "30 flows were only summed"));
}

TEST_CASE("cli: without a last good plan it is said that what runs is not known") {
  World world;
  world.flow(hours(5));
  fs::remove_all(world.folder + "/state/last-good");
  const auto found = world.told({"diff", "--replay", "7d", world.folder + "/without.json"});
  CHECK(found.status == cli::kFindings);
  CHECK(has(found.out, "what runs is not known"));
}

TEST_CASE("cli: --replay says what is wrong with its span, its files and its use") {
  World world;
  for (const auto& [span, words] :
       std::vector<std::pair<std::string, std::string>>{{"7", "has no unit"},
                                                        {"7x", "is no unit"},
                                                        {"", "is no time span"},
                                                        {"d", "is no time span"},
                                                        {"-7d", "is no time span"},
                                                        {"7dd", "is no time span"},
                                                        {"0d", "out of range"},
                                                        {"1831d", "out of range"},
                                                        {"4294967295w", "out of range"},
                                                        {"99999999999d", "is no time span"}}) {
    const auto found = world.told({"diff", "--replay=" + span});
    INFO(span << ": " << found.err);
    CHECK(found.status == cli::kCouldNotRun);
    CHECK(has(found.err, words));
  }
  CHECK(cli::parse_span("90m") == std::chrono::minutes(90));
  CHECK(cli::parse_span("2w") == hours(24 * 14));
  CHECK(cli::parse_span("1830d") == hours(24 * 1830));
  CHECK(has(world.told({"diff", "some.json"}).err, "FILE and --at are for --replay"));
  CHECK(has(world.told({"apply", "--stop-flows"}).err, "say --replay SPAN too"));
  world.write("broken.json", "{");
  CHECK(world.told({"diff", "--replay", "1d", world.folder + "/broken.json"}).status == cli::kCouldNotRun);
  fs::remove_all(world.folder + "/state/records");
  const auto found = world.told({"diff", "--replay", "1d"});
  CHECK(found.status == cli::kCouldNotRun);
  CHECK(has(found.err, "there are no records in " + world.folder + "/state/records"));
}

TEST_CASE("cli: apply --replay does not apply what would stop recorded flows, unless that is wanted") {
  World world;
  world.flow(hours(5));
  world.write("next.json", "");
  fs::rename(world.folder + "/without.json", world.folder + "/sekisho.json");
  const auto held = world.told({"apply", "--replay", "1d"});
  INFO(held.out << held.err);
  CHECK(held.status == cli::kFindings);
  CHECK(has(held.out, "would stop: "));
  CHECK(has(held.err, "not applied, because 1 recorded flow that passed would stop; --stop-flows"));
  // Wanted: it goes on to the gateway, of which there is none.
  const auto wanted = world.told({"apply", "--replay", "1d", "--stop-flows"});
  CHECK(wanted.status == cli::kCouldNotRun);
  CHECK(has(wanted.err, "no gateway answers"));
  const auto json = world.told({"apply", "--replay", "1d", "--json"});
  CHECK(json.out.empty());
  CHECK(has(json.err, "would stop: "));
}

TEST_CASE(
    "cli: check warns of what nobody has used, where a gateway has watched it, and says where it has not long enough") {
  World world;
  fs::create_directory(world.folder + "/keys");
  world.write("keys/a.psk", "YuD6PIk0Y7fTHPbNrZpSeEYjO9OsXzqvWMzrDYAiSUs=\n");
  fs::permissions(world.folder + "/keys/a.psk", fs::perms::owner_read | fs::perms::owner_write);
  const auto now = gateway::os::wall_now();
  const auto loaded =
      gateway::os::load_configuration(world.folder + "/sekisho.json", now, gateway::os::KeyFiles::kLeave);
  const auto plan = policy::compile(loaded.config, now).plan;
  const auto watched_for = [&](int days) {
    policy::RuleUses uses;
    for (const auto& row : plan.permissions) uses[row.rule.number] = {now - hours(24 * days), std::nullopt};
    REQUIRE(keep_uses(world.folder + "/state", uses));
  };
  const auto before = world.told({"check"});  // nothing was watched here
  INFO(before.out << before.err);
  CHECK(before.status == cli::kFine);
  CHECK_FALSE(has(before.out, "nobody has used"));
  CHECK_FALSE(has(before.out, "note:"));
  watched_for(120);
  const auto unused = world.told({"check"});
  INFO(unused.out << unused.err);
  CHECK(unused.status == cli::kFine);
  CHECK(
      has(unused.out, "nobody has used this permission for 120 days (hakodate -> karte; not once since it is watched"));
  CHECK(has(unused.out, "facilities.hakodate.may_use[0]"));
  watched_for(30);
  const auto early = world.told({"check"});
  CHECK_FALSE(has(early.out, "nobody has used"));
  CHECK(has(early.out, "note: 1 permission is not used yet, but not watched for 90 days either"));
  watched_for(120);
  world.write("state/rule-uses", "x");
  CHECK(has(world.told({"check"}).out, "which permissions are not used is not known"));
  const auto json = world.told({"check", "--json"}).json();
  CHECK(json["notes"].size() == 1);
}
