// The command line: parsing, its sentences, exit statuses, columns, and that facility add makes a configuration that
// holds.
#include "gateway/daemon/cli.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_text.h"

using namespace gateway::daemon;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

const cli::Verb& verb(std::string_view name) {
  for (const auto& each : cli::verbs())
    if (each.name == name) return each;
  throw std::runtime_error("no such verb");
}

struct Site {
  std::string folder;
  Site() {
    char name[] = "/tmp/acd-cli-XXXXXX";
    folder = mkdtemp(name);
    fs::create_directory(folder + "/keys");
    write("sekisho.json", R"({
      "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] }, "inside": { "interface": "dc0" } },
      "services": { "karte": { "title": "電子カルテ参照", "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
      "facilities": {}, "include": ["facilities.d/*.json"] })");
  }
  ~Site() { fs::remove_all(folder); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder + "/" + name) << text; }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(folder + "/" + name).rdbuf();
    return out.str();
  }
  [[nodiscard]] int run(Words words) const {
    words.insert(words.end(),
                 {"--config", folder + "/sekisho.json", "--runtime", folder, "--state", folder + "/state"});
    return cli::run(words);
  }
  [[nodiscard]] Words add() const {
    return {"facility",
            "add",
            "matsumae",
            "--title",
            "松前診療所",
            "--network",
            "10.2.0.0/24",
            "--may-use",
            "karte",
            "--protocol",
            "wireguard",
            "--reason",
            "router without IKEv2",
            "--approved-by",
            "T. Sato",
            "--until",
            "2099-03-31",
            "--source",
            "198.51.100.7",
            "--out",
            folder + "/peer.conf"};
  }
};

// Everything that is printed, and the exit status.
std::pair<int, std::string> told(const Site& site, const Words& words) {
  const auto path = site.folder + "/printed";
  const int to = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  std::fflush(nullptr);
  const int out = dup(1), err = dup(2);
  dup2(to, 1), dup2(to, 2);
  const int status = site.run(words);
  std::fflush(nullptr);
  dup2(out, 1), dup2(err, 2);
  close(out), close(err), close(to);
  return {status, site.read("printed")};
}

const Words kAddIkev2 = {"facility",       "add",       "hakodate", "--title",  "<script>x</script>", "--network",
                         "192.168.1.0/24", "--may-use", "karte",    "--source", "198.51.100.7"};

// What a user without rights is told: exit status and standard error.
std::pair<int, std::string> as_nobody(const Site& site, const Words& words) {
  const auto path = site.folder + "/told";
  const int told = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  std::fflush(nullptr);  // or the child says it once more
  const pid_t child = fork();
  if (child == 0) {
    dup2(told, 2);
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(99);
    const int status = site.run(words);
    std::fflush(nullptr);
    _exit(status);
  }
  close(told);
  int status = 0;
  waitpid(child, &status, 0);
  return {WEXITSTATUS(status), site.read("told")};
}

}  // namespace

TEST_CASE("cli: options, values with '=', repetition") {
  const auto line =
      cli::parse(verb("facility"), Words{"add", "x", "--network=10.1.0.0/24", "--network", "10.2.0.0/24", "--json"});
  REQUIRE(line);
  CHECK(line->words == Words{"add", "x"});
  CHECK(line->values("--network") == Words{"10.1.0.0/24", "10.2.0.0/24"});
  CHECK(line->json());
  CHECK(line->config_file() == "/etc/sekisho/sekisho.json");
}

TEST_CASE("cli: what is wrong is said with what would be right") {
  CHECK(cli::parse(verb("apply"), Words{"--coment", "x"}).error() ==
        "unknown option '--coment', did you mean '--comment'; 'sekisho apply --help' lists them");
  CHECK(cli::parse(verb("apply"), Words{"--comment"}).error() == "--comment needs TEXT");
  CHECK(cli::parse(verb("status"), Words{"--json=1"}).error() == "--json takes no value");
  CHECK(cli::parse(verb("status"), Words{"--config", "a", "--config", "b"}).error() == "--config is given twice");
  CHECK(cli::parse(verb("explain"), Words{"a"}).error() == "'sekisho explain' needs FROM TO[:PORT]");
  CHECK(cli::parse(verb("status"), Words{"now"}).error().starts_with("'now' is too much"));
  CHECK(cli::nearest("statsu", std::vector<std::string_view>{"show", "status"}) == "status");
  CHECK(cli::nearest("zzz", std::vector<std::string_view>{"show", "status"}).empty());
}

TEST_CASE("cli: a change that is tried says what is wrong with it before it asks") {
  const Site site;
  const auto told = [&](Words words) {
    const auto path = site.folder + "/said";
    const int before = dup(2), file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(file, 2);
    CHECK(site.run(std::move(words)) == cli::kCouldNotRun);
    std::fflush(stderr);
    dup2(before, 2);
    close(before), close(file);
    return site.read("said");
  };
  CHECK(told({"apply", "--confirm", "ten"}).starts_with("sekisho: 'ten' is no time to confirm in"));
  CHECK(told({"apply", "--confirm", "10m", "--down", "some"}).find("a number of facilities") != std::string::npos);
  CHECK(told({"apply", "--down", "2"}).find("say --confirm TIME too") != std::string::npos);
  CHECK(told({"apply", "--canary", ""}).find("--canary needs the name of a facility") != std::string::npos);
  CHECK(told({"apply", "--canary", "alpha", "--confirm", "ten"}).find("no time to confirm in") != std::string::npos);
  CHECK(told({"apply", "--canary", "alpha", "--down", "1"}).find("--confirm TIME") == std::string::npos);
  CHECK(told({"apply", "--canary", "alpha", "--replay", "7d"}).find("tries one facility") != std::string::npos);
  CHECK(told({"rollback", "last"}).find("'last' is no generation") != std::string::npos);
  CHECK(told({"history", "--out", site.folder + "/new"}).find("--out needs a generation") != std::string::npos);
  CHECK(told({"history", "3", "--out", site.folder + "/new"}).find("history/3.plan: is missing") != std::string::npos);
  CHECK_FALSE(fs::exists(site.folder + "/new"));
}

TEST_CASE("cli: exit statuses") {
  const Site site;
  CHECK(cli::run(Words{}) == cli::kCouldNotRun);
  CHECK(cli::run(Words{"statsu"}) == cli::kCouldNotRun);
  CHECK(cli::run(Words{"--help"}) == cli::kFine);
  for (const auto& each : cli::verbs()) CHECK(cli::run(Words{std::string(each.name), "--help"}) == cli::kFine);
  for (const auto* name : {"status", "reload", "apply", "confirm", "rollback", "history", "diff"})
    CHECK(site.run({name}) == cli::kCouldNotRun);  // nothing runs
  CHECK(site.run({"show", "nonsense"}) == cli::kCouldNotRun);
  REQUIRE(site.run({"key", "generate", site.folder + "/keys/gateway.key"}) == cli::kFine);
  REQUIRE(site.run(site.add()) == cli::kFine);
  fs::remove(site.folder + "/keys/gateway.key");
  CHECK(site.run({"check"}) == cli::kFindings);  // no key
  site.write("sekisho.json", "{ \"gateway\": ");
  CHECK(site.run({"check"}) == cli::kFindings);
  CHECK(site.run({"run"}) == cli::kFindings);
}

TEST_CASE("cli: a user without rights is told to be root or of the group, and nothing is judged") {
  REQUIRE(geteuid() == 0);
  const Site site;
  REQUIRE(site.run({"key", "generate", site.folder + "/keys/gateway.key"}) == cli::kFine);
  REQUIRE(site.run(site.add()) == cli::kFine);  // WireGuard: the gateway's key is needed
  chmod(site.folder.c_str(), 0755);
  chmod((site.folder + "/facilities.d").c_str(), 0755);
  chmod((site.folder + "/facilities.d/matsumae.json").c_str(), 0644);
  chmod((site.folder + "/sekisho.json").c_str(), 0644);
  chmod((site.folder + "/keys").c_str(), 0700);
  CHECK(site.run({"check"}) == cli::kFine);
  const auto [checked, why] = as_nobody(site, {"check"});  // the key alone cannot be read
  CHECK(checked == cli::kCouldNotRun);
  CHECK(why.find("sudo sekisho check") != std::string::npos);
  chmod((site.folder + "/sekisho.json").c_str(), 0600);
  CHECK(as_nobody(site, {"check"}).first == cli::kCouldNotRun);

  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (site.folder + "/control.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 1) == 0);
  chmod((site.folder + "/control.sock").c_str(), 0660);
  const auto [status, reason] = as_nobody(site, {"status"});
  close(listener);
  CHECK(status == cli::kCouldNotRun);
  CHECK(reason.find("as root") != std::string::npos);
  CHECK(reason.find("group 'root'") != std::string::npos);
  CHECK(reason.find("sekisho run") == std::string::npos);  // the gateway is there: no advice to start one
}

TEST_CASE("cli: check refuses the identities and algorithms that a reload would refuse") {
  const Site site;
  const auto facility = [&](const std::string& name) {
    return std::vector<std::string>{"facility",    "add",       name,    "--role",   "viewing",     "--network",
                                    "10.7.0.0/24", "--may-use", "karte", "--source", "198.51.100.7"};
  };
  REQUIRE(site.run(facility("esashi")) == cli::kFine);
  REQUIRE(site.run({"check"}) == cli::kFine);
  const auto path = site.folder + "/facilities.d/esashi.json";
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto with_id = [&](const std::string& id) {
    auto changed = text;
    changed.replace(changed.find("fqdn:esashi"), 11, id);
    site.write("facilities.d/esashi.json", changed);
    return site.run({"check"});
  };
  CHECK(with_id("dn:CN=rtx, O=Esashi") == cli::kFine);
  CHECK(with_id("dn:CN=rtx, Esashi") == cli::kFindings);
}

TEST_CASE("cli: a configuration that is not there could not be checked") {
  const Site site;
  fs::remove(site.folder + "/sekisho.json");
  CHECK(site.run({"check"}) == cli::kCouldNotRun);
}

TEST_CASE("cli: keys are made 0600, never overwritten, and the public key is that of the file") {
  const Site site;
  const auto path = site.folder + "/keys/gateway.key";
  CHECK(site.run({"key", "generate"}) == cli::kCouldNotRun);  // never to the terminal
  REQUIRE(site.run({"key", "generate", path}) == cli::kFine);
  struct stat facts{};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const auto before = site.read("keys/gateway.key");
  CHECK(before.size() == 45);
  CHECK(site.run({"key", "generate", path}) == cli::kCouldNotRun);
  CHECK(site.read("keys/gateway.key") == before);
  CHECK(site.run({"key", "public", path}) == cli::kFine);
  chmod(path.c_str(), 0644);
  CHECK(site.run({"key", "public", path}) == cli::kCouldNotRun);
}

TEST_CASE("cli: facility add makes a configuration that holds, and explain answers from it") {
  const Site site;
  REQUIRE(site.run({"key", "generate", site.folder + "/keys/gateway.key"}) == cli::kFine);
  REQUIRE(site.run(site.add()) == cli::kFine);
  CHECK(site.run({"check"}) == cli::kFine);
  CHECK(site.run({"verify"}) == cli::kFine);
  CHECK(site.run({"explain", "matsumae", "karte:443"}) == cli::kFine);
  CHECK(site.run({"explain", "matsumae", "karte:tcp/22"}) == cli::kFindings);
  CHECK(site.run({"explain", "nobody", "karte:443"}) == cli::kCouldNotRun);
  CHECK(site.run({"explain", "10.2.0.7", "10.80.0.10:443"}) == cli::kFine);
  CHECK(site.run({"explain", "matsumae", "10.80.0.10:tcp/443"}) == cli::kFine);
  CHECK(site.run({"explain", "10.3.0.7", "karte:443"}) == cli::kFindings);  // nobody's address
  CHECK(site.run({"explain", "10.2.0.7", "10.80.0.11:443"}) == cli::kFindings);
  CHECK(site.run({"explain", "10.2.0.7", "[2001:db8::1]:443"}) == cli::kCouldNotRun);  // two families
  const auto peer = site.read("peer.conf");
  CHECK(peer.find("AllowedIPs = 10.80.0.10/32\n") != std::string::npos);
  CHECK(peer.find("Address = 10.2.0.1/32\n") != std::string::npos);
  CHECK(peer.find("Endpoint = 203.0.113.10:51820\n") != std::string::npos);
  struct stat facts{};
  REQUIRE(stat((site.folder + "/peer.conf").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  // The peer's private key stands in its file alone.
  const auto secret = peer.substr(peer.find("PrivateKey = ") + 13, 44);
  CHECK(site.read("facilities.d/matsumae.json").find(secret) == std::string::npos);
  CHECK(site.read("keys/matsumae.psk").size() == 45);
}

TEST_CASE("cli: facility add never overwrites and leaves nothing behind when it fails") {
  const Site site;
  REQUIRE(site.run({"key", "generate", site.folder + "/keys/gateway.key"}) == cli::kFine);
  site.write("peer.conf", "mine");
  CHECK(site.run(site.add()) == cli::kCouldNotRun);
  CHECK(site.read("peer.conf") == "mine");
  CHECK_FALSE(fs::exists(site.folder + "/keys/matsumae.psk"));
  CHECK_FALSE(fs::exists(site.folder + "/facilities.d/matsumae.json"));
  fs::remove(site.folder + "/peer.conf");
  auto overlapping = site.add();
  std::ranges::replace(overlapping, std::string("10.2.0.0/24"), std::string("10.80.0.0/24"));  // holds the service
  CHECK(site.run(overlapping) == cli::kCouldNotRun);
  CHECK_FALSE(fs::exists(site.folder + "/peer.conf"));
  REQUIRE(site.run(site.add()) == cli::kFine);
  CHECK(site.run(site.add()) == cli::kCouldNotRun);
}

TEST_CASE("cli: facility add makes an IKEv2 facility, if nothing else is said") {
  const Site site;
  const auto [status, text] = told(site, kAddIkev2);
  REQUIRE(status == cli::kFine);
  CHECK(site.run({"check"}) == cli::kFine);  // without any WireGuard key
  CHECK(site.run({"explain", "hakodate", "karte:443"}) == cli::kFine);
  const auto key = site.read("keys/hakodate.psk");
  REQUIRE(key.size() == 45);
  struct stat facts{};
  REQUIRE(stat((site.folder + "/keys/hakodate.psk").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const auto file = site.read("facilities.d/hakodate.json");
  CHECK(file.find("\"remote_id\": \"fqdn:hakodate\"") != std::string::npos);
  CHECK(file.find("\"psk_file\": \"keys/hakodate.psk\"") != std::string::npos);
  CHECK(file.find("preshared_key_file") == std::string::npos);
  for (const auto* words : {"sekisho facility sheet hakodate", "router-config hakodate --vendor yamaha-rtx|nec-ix|"})
    CHECK(text.find(words) != std::string::npos);
  CHECK(text.find(key.substr(0, 44)) == std::string::npos);
  CHECK_FALSE(fs::exists(site.folder + "/hakodate.conf"));
  CHECK(site.run(kAddIkev2) == cli::kCouldNotRun);
  CHECK(site.read("keys/hakodate.psk") == key);
}

TEST_CASE("cli: facility add does not mix the protocols") {
  const Site site;
  const auto refused = [&](Words more, std::string_view why) {
    auto words = kAddIkev2;
    words.insert(words.end(), more.begin(), more.end());
    const auto [status, text] = told(site, words);
    CHECK(status == cli::kCouldNotRun);
    INFO(text);
    CHECK(text.find(why) != std::string::npos);
    CHECK_FALSE(fs::exists(site.folder + "/facilities.d/hakodate.json"));
  };
  refused({"--reason", "x"}, "add --protocol wireguard");
  refused({"--protocol", "wireguard"}, "--reason is missing");
  refused({"--protocol", "ipsec"}, "no protocol");
  refused({"--remote-id", "rtx"}, "remote_id");  // the configuration would have an error
  refused({"--protocol", "wireguard", "--reason", "x", "--approved-by", "y", "--until", "2099-01-01", "--remote-id",
           "fqdn:x"},
          "--remote-id belongs to ikev2");
}

TEST_CASE("cli: router-config and sheet never hold the key") {
  const Site site;
  REQUIRE(site.run({"key", "generate", site.folder + "/keys/gateway.key"}) == cli::kFine);
  site.write("sekisho.json", R"({
    "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
      "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat" },
    "services": { "karte": { "title": "電子カルテ参照", "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
    "include": ["facilities.d/*.json"] })");
  REQUIRE(site.run(kAddIkev2) == cli::kFine);
  REQUIRE(site.run(site.add()) == cli::kFine);
  std::vector<std::string> secrets;
  for (const auto* file : {"keys/hakodate.psk", "keys/matsumae.psk", "keys/gateway.key"})
    secrets.push_back(site.read(file).substr(0, 44));
  const auto clean = [&](const Words& words) {
    const auto [status, text] = told(site, words);
    INFO(text);
    CHECK(status == cli::kFine);
    CHECK(text.size() > 500);
    for (const auto& secret : secrets) CHECK(text.find(secret) == std::string::npos);
    return text;
  };
  for (const auto* vendor : {"yamaha-rtx", "nec-ix", "cisco-ios-xe", "fortigate", "alliedware-plus", "strongswan"}) {
    CHECK(clean({"facility", "router-config", "hakodate", "--vendor", vendor}).find("<PSK: keys/hakodate.psk>") !=
          std::string::npos);
    clean({"facility", "sheet", "hakodate", "--vendor", vendor, "--json"});
  }
  const auto gateway_key = site.run({"key", "public", site.folder + "/keys/gateway.key"});
  CHECK(gateway_key == cli::kFine);
  const auto peer = clean({"facility", "router-config", "matsumae", "--vendor", "wg-quick"});
  CHECK(peer.find("PublicKey = <") == std::string::npos);  // of the gateway: it is open
  clean({"facility", "router-config", "hakodate", "--vendor", "strongswan", "--filter"});
  for (const auto* facility : {"hakodate", "matsumae"})
    for (const auto* language : {"ja", "en"})
      CHECK(clean({"facility", "sheet", facility, "--lang", language}).find("<script") == std::string::npos);
}

TEST_CASE("cli: router-config and sheet say what is wrong") {
  const Site site;
  REQUIRE(site.run(kAddIkev2) == cli::kFine);
  const auto refused = [&](const Words& words, std::string_view why) {
    const auto [status, text] = told(site, words);
    CHECK(status == cli::kCouldNotRun);
    INFO(text);
    CHECK(text.find(why) != std::string::npos);
  };
  refused({"facility", "router-config", "hakodate"}, "--vendor is missing");
  refused({"facility", "router-config", "hakodate", "--vendor", "yamaha-rtc"}, "did you mean 'yamaha-rtx'");
  refused({"facility", "router-config", "hakodate", "--vendor", "juniper"}, "there are yamaha-rtx, nec-ix");
  refused({"facility", "router-config", "hakodat", "--vendor", "strongswan"}, "did you mean 'hakodate'");
  refused({"facility", "router-config", "hakodate", "--vendor", "wg-quick"}, "IKEv2 tunnel");
  refused({"facility", "router-config", "hakodate", "--vendor", "yamaha-rtx"}, "ipsec-compat");  // strict by default
  refused({"facility", "sheet", "hakodate", "--lang", "fr"}, "ja or en");
  refused({"facility", "shet", "hakodate"}, "did you mean 'sheet'");
  site.write("mine.html", "mine");
  refused({"facility", "sheet", "hakodate", "--out", site.folder + "/mine.html"}, "not overwritten");
  CHECK(site.read("mine.html") == "mine");
  REQUIRE(site.run({"facility", "sheet", "hakodate", "--out", site.folder + "/new.html"}) == cli::kFine);
  CHECK(site.read("new.html").starts_with("<!DOCTYPE html>"));
}

TEST_CASE("cli: Japanese titles keep the columns") {
  CHECK(cli::display_width("函館総合病院") == 12);
  CHECK(cli::display_width("dc1") == 3);
  CHECK(cli::display_width("が") == 2);
  CHECK(cli::display_width("か\xe3\x82\x99") == 2);  // with a combining mark
  cli::Table table({"NAME", "X"});
  table.add({"函館", "1"});
  table.add({"matsumae", "2"});
  CHECK(table.to_string() == "NAME      X\n函館      1\nmatsumae  2\n");
}

TEST_CASE("cli: a title cannot drive the terminal") {
  CHECK(cli::printable("a\x1b[31mb\n") == "a?[31mb?");
  CHECK(cli::printable("\xc2\x9b") == "?");  // CSI as one C1 character
  CHECK(cli::printable("函館") == "函館");
}

TEST_CASE("cli: status --strict finds what needs a person") {
  const auto good = Json::parse(R"({"state":"running","facilities":{"configured":2,"up":2},
    "processes":{"netd":true,"tunneld":true,"keyd":true},"records":{"failing":false,"error":"","room":"good"},
    "from_last_good":false,"last_error":"","warnings":[]})");
  CHECK_FALSE(cli::needs_a_person(good));
  const auto with = [&](const char* pointer, const char* value) {
    auto changed = good;
    changed[Json::json_pointer(pointer)] = Json::parse(value);
    return cli::needs_a_person(changed);
  };
  CHECK(with("/facilities/up", "1"));
  CHECK(with("/processes/keyd", "false"));
  CHECK(with("/records/failing", "true"));
  CHECK(with("/records/room", "\"short\""));
  CHECK(with("/records/room", "\"none\""));
  CHECK(with("/from_last_good", "true"));
  CHECK(with("/last_error", "\"refused\""));
  CHECK(with("/warnings", "[\"the certificate of the gateway ends in 29 days\"]"));
  CHECK_FALSE(with("/flows", "{\"open\":3}"));
}

TEST_CASE("views: answers have a version and say what went wrong") {
  CHECK(answer_line({{"x", 1}}) == "{\"version\":1,\"ok\":true,\"result\":{\"x\":1}}\n");
  CHECK(error_line("refused", "m", {"e"}, {}) ==
        "{\"version\":1,\"ok\":false,\"error\":{\"code\":\"refused\",\"message\":\"m\",\"errors\":[\"e\"],\"warnings\":"
        "[]}}\n");
}

TEST_CASE("cli: isolate and rejoin want one facility or --all") {
  for (const auto* name : {"isolate", "rejoin"}) {
    CHECK(cli::run(Words{name}) == cli::kCouldNotRun);
    CHECK(cli::run(Words{name, "hakodate", "--all"}) == cli::kCouldNotRun);
    CHECK(cli::run(Words{name, "hakodate", "esashi"}) == cli::kCouldNotRun);
    CHECK(cli::run(Words{name, "hakodate", "--runtime", "/nonexistent"}) == cli::kCouldNotRun);  // nobody answers
  }
  CHECK(cli::parse(verb("isolate"), Words{"--all", "--reason", "drill"}).has_value());
  CHECK_FALSE(cli::parse(verb("isolate"), Words{"hakodate", "--raeson", "x"}).has_value());
}
