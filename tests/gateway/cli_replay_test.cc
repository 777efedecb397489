// sekisho diff --replay, apply --replay: what a person is told, the JSON form, exit statuses.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "config/moment.h"
#include "gateway/audit/flow_table.h"
#include "gateway/audit/record.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli_replay.h"
#include "gateway/daemon/last_good.h"
#include "gateway/daemon/uses_file.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/control_socket.h"
#include "gateway/os/record_files.h"
#include "policy/compile.h"
#include "tests/gateway/cli_told.h"

using namespace gateway::daemon;
using gateway::tests::has;
using gateway::tests::Told;
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

// A gateway's folder: its configuration, another one beside it, what ran last, and records.
struct World {
  std::string folder;
  std::uint64_t sequence = 0;
  int zone = 540;
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
  // Of `ago` before now, by a gateway `zone` minutes before UTC.
  void record(std::chrono::seconds ago, const std::string& kind, nlohmann::ordered_json fields) {
    const auto time = gateway::os::wall_now() - ago;
    write("state/records/" + gateway::audit::to_date(time, zone) + ".jsonl",
          gateway::audit::render({kind, std::move(fields)}, ++sequence, {time, {}, zone}));
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
    return gateway::tests::told(folder, words);
  }
};

// Of this process; by its POSIX form, as no machine needs tzdata for it.
struct TimeZone {
  explicit TimeZone(const char* name) {
    if (const char* was = std::getenv("TZ")) before = was;
    setenv("TZ", name, 1);
    tzset();
  }
  ~TimeZone() {
    before ? setenv("TZ", before->c_str(), 1) : unsetenv("TZ");
    tzset();
  }
  std::optional<std::string> before;
};

// The control socket of a gateway, which tells its open flows as accessd does, `most` at a time.
class Gateway {
 public:
  enum class Kind { kOurs, kBeforePages, kRefusing };
  Gateway(const World& world, std::size_t most, Kind kind = Kind::kOurs)
      : most_(most),
        kind_(kind),
        socket_(std::move(*gateway::os::ControlSocket::create(world.folder + "/control.sock", kToken, loop_))) {
    const auto loaded = gateway::os::load_configuration(world.folder + "/sekisho.json", gateway::os::wall_now(),
                                                        gateway::os::KeyFiles::kLeave);
    plan_ = policy::compile(loaded.config, gateway::os::wall_now()).plan;
    flows_.set_plan(plan_, records_);
  }
  void open_flow(std::chrono::seconds ago) {
    const auto now = gateway::os::record_time();
    const auto& row = plan_.permissions.at(0);
    gateway::audit::ConntrackEvent event;
    event.mark = row.rule.number;
    event.original = {*config::IpAddress::parse("100.64.1.9"), row.destination.address(), 6, ++port_, 443};
    event.started = now.wall - ago;
    flows_.on_event(event, now, records_);
  }
  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) turn();
    });
  }
  // How often it was asked for `verb`; to be called when nobody asks.
  [[nodiscard]] std::size_t asked(const std::string& verb) {
    if (thread_.joinable()) thread_.request_stop(), thread_.join();
    return static_cast<std::size_t>(std::ranges::count(verbs_, verb));
  }

 private:
  static constexpr std::uint32_t kToken = 18;
  void turn() {
    std::vector<gateway::os::ControlSocket::Request> requests;
    std::vector<std::uint64_t> lost;
    const auto now = gateway::os::boot_now();
    for (const auto& ready : loop_.wait(now + std::chrono::milliseconds(20)))
      socket_.on_ready(ready, now, loop_, requests, lost);
    for (const auto& request : requests) socket_.send(request.client, answer(Json::parse(request.line)), loop_);
  }
  std::string answer(Json request) {
    verbs_.push_back(request["verb"]);
    if (request["verb"] != "show" || kind_ == Kind::kRefusing) return error_line("refused", "not now");
    if (kind_ == Kind::kBeforePages) request.erase("began_before");
    auto told = Json::parse(flows_answer(flows_, gateway::os::record_time(), request, most_));
    if (kind_ == Kind::kBeforePages) told["result"].erase("left_out");
    return one_line(told);
  }

  std::size_t most_;
  Kind kind_;
  gateway::os::EventLoop loop_ = *gateway::os::EventLoop::create();
  gateway::os::ControlSocket socket_;
  policy::Plan plan_;
  gateway::audit::FlowTable flows_;
  std::vector<gateway::audit::Record> records_;
  std::vector<std::string> verbs_;
  std::uint16_t port_ = 40'000;
  std::jthread thread_;
};

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

TEST_CASE("cli: diff --replay reads all records of the span, whatever time zone named their files") {
  for (const auto& [ours, theirs] : {std::pair("<+14>-14", -12 * 60), std::pair("<-12>12", 14 * 60)}) {
    const TimeZone zone(ours);
    World world;
    world.zone = theirs;
    world.flow(hours(23)), world.flow(hours(1));
    const auto found = world.told({"diff", "--replay", "1d", "--json", world.folder + "/without.json"});
    INFO(ours << ": " << found.out << found.err);
    CHECK(found.json()["flows"] == 2);
    CHECK(found.json()["stops"] == 2);
    // What lies in a file of an earlier day by its name alone is no earlier record.
    CHECK(found.json()["records"]["reaches_back"] == false);
  }
}

TEST_CASE("cli: diff --replay reaches back when there is a record, or a file, of before the span") {
  World record, file;
  record.flow(hours(25)), record.flow(hours(23));
  CHECK(record.told({"diff", "--replay", "1d", "--json"}).json()["records"]["reaches_back"] == true);
  file.flow(hours(24 * 9)), file.flow(hours(23));
  CHECK(file.told({"diff", "--replay", "1d", "--json"}).json()["records"]["reaches_back"] == true);
  CHECK(file.told({"diff", "--replay", "1d", "--json"}).json()["records"]["read"] == 1);
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
  const auto held = world.told({"apply", "--replay", "2d"});
  CHECK(held.status == cli::kFindings);
  CHECK(has(held.err, "not applied, because 1 record could not be read"));
  CHECK(has(world.told({"apply", "--replay", "2d", "--stop-flows"}).err, "no gateway answers"));  // it went on
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

TEST_CASE("cli: --replay asks the gateway for each flow that began before the span, however many are newer") {
  World world;
  world.flow(hours(5));
  Gateway gateway(world, 2);
  for (const int ago : {40, 1, 30, 2, 50, 60, 70, 3, 4, 2, 1}) gateway.open_flow(hours(ago));
  gateway.start();
  const auto found = world.told({"diff", "--replay", "1d", "--json", world.folder + "/without.json"});
  INFO(found.out << found.err);
  CHECK(found.json()["gateway_asked"] == true);
  CHECK(found.json()["open_left_out"] == 0);
  CHECK(found.json()["flows"] == 6);  // five that began before, and the one on record
  CHECK(found.json()["stops"] == 6);
  CHECK(gateway.asked("show") == 3);
}

TEST_CASE("cli: open flows that the gateway does not tell are said, are no quiet answer, and hold an apply back") {
  World world;
  world.flow(hours(5));
  const auto [kind, most] = GENERATE(std::pair(Gateway::Kind::kBeforePages, 3), std::pair(Gateway::Kind::kOurs, 0));
  Gateway gateway(world, static_cast<std::size_t>(most), kind);
  for (const int ago : {40, 50, 60, 1, 2}) gateway.open_flow(hours(ago));
  gateway.start();
  const auto found = world.told({"diff", "--replay", "1d"});
  INFO(found.out << found.err);
  const std::string left_out = kind == Gateway::Kind::kOurs ? "3" : "2";
  CHECK(found.status == cli::kFindings);
  CHECK(has(found.out, "of which 0 would stop"));
  CHECK(has(found.out, "note: " + left_out + " open flows could not be asked"));
  const auto json = world.told({"diff", "--replay", "1d", "--json"}).json();
  CHECK(json["quiet"] == false);
  CHECK(std::to_string(json["open_left_out"].get<int>()) == left_out);
  const auto held = world.told({"apply", "--replay", "1d"});
  CHECK(held.status == cli::kFindings);
  CHECK(has(held.err, "not applied, because " + left_out + " open flows were not asked; --stop-flows"));
  CHECK(has(world.told({"apply", "--replay", "1d", "--stop-flows"}).err, "not now"));
  CHECK(gateway.asked("apply") == 1);
}

TEST_CASE("cli: a gateway that does not tell its open flows is none without any, and holds an apply back") {
  World world;
  world.flow(hours(5));
  Gateway gateway(world, 10, Gateway::Kind::kRefusing);
  gateway.start();
  const auto found = world.told({"diff", "--replay", "1d"});
  INFO(found.out << found.err);
  CHECK(has(found.out, "flows that began before and go on are not in it: the gateway told no flows: not now"));
  const auto held = world.told({"apply", "--replay", "1d"});
  CHECK(held.status == cli::kCouldNotRun);
  CHECK(has(held.err, "not applied, because which flows are open longer is not known: "));
  CHECK(gateway.asked("apply") == 0);
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
