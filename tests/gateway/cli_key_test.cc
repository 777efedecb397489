// sekisho key: rotation of preshared keys in steps, signing keys and requests for certificates, and what doctor says
// of what lies there.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/daemon/cli.h"
#include "gateway/os/clock.h"
#include "tests/tunnel/test_authority.h"

using namespace gateway::daemon;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

struct Site {
  std::string folder;
  Site() {
    char name[] = "/tmp/sekisho-key-XXXXXX";
    folder = mkdtemp(name);
    fs::create_directory(folder + "/keys");
    configure("");
    REQUIRE(told({"facility", "add", "hakodate", "--network", "192.168.1.0/24", "--may-use", "karte", "--source",
                  "198.51.100.7"})
                .first == cli::kFine);
  }
  ~Site() { fs::remove_all(folder); }
  void configure(const std::string& ikev2, const std::string& facilities = "{}") const {
    write("sekisho.json", R"({
      "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
        "inside": { "interface": "dc0" })" +
                              ikev2 + R"( },
      "services": { "karte": { "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
      "facilities": )" + facilities +
                              R"(, "include": ["facilities.d/*.json"] })");
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder + "/" + name) << text; }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(folder + "/" + name).rdbuf();
    return out.str();
  }
  [[nodiscard]] bool has(const std::string& name) const { return fs::exists(folder + "/" + name); }
  [[nodiscard]] unsigned mode(const std::string& name) const {
    struct stat facts{};
    REQUIRE(stat((folder + "/" + name).c_str(), &facts) == 0);
    return facts.st_mode & 07777;
  }
  // Exit status and everything that is printed.
  [[nodiscard]] std::pair<int, std::string> told(Words words) const {
    words.insert(words.end(),
                 {"--config", folder + "/sekisho.json", "--runtime", folder, "--state", folder + "/state"});
    const auto path = folder + "/printed";
    const int to = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    std::fflush(nullptr);
    const int out = dup(1), err = dup(2);
    dup2(to, 1), dup2(to, 2);
    const int status = cli::run(words);
    std::fflush(nullptr);
    dup2(out, 1), dup2(err, 2);
    close(out), close(err), close(to);
    return {status, read("printed")};
  }
  void refused(const Words& words, std::string_view why) const {
    const auto [status, text] = told(words);
    INFO(text);
    CHECK(status == cli::kCouldNotRun);
    CHECK(text.find(why) != std::string::npos);
  }
};

const std::string kPsk = "keys/hakodate.psk";

}  // namespace

TEST_CASE("key rotate: made beside, put in its place, and taken back; nothing of a key is shown") {
  const Site site;
  const auto old = site.read(kPsk);
  const auto [made, told_made] = site.told({"key", "rotate", "hakodate"});
  INFO(told_made);
  REQUIRE(made == cli::kFine);
  CHECK(site.read(kPsk) == old);
  const auto fresh = site.read(kPsk + ".next");
  CHECK(fresh.size() == 45);
  CHECK(fresh != old);
  CHECK(site.mode(kPsk + ".next") == 0600);
  CHECK(told_made.find("sekisho key rotate hakodate --swap && sekisho reload") != std::string::npos);
  site.refused({"key", "rotate", "hakodate"}, "is there already and not in use");  // it may be at the router by now
  CHECK(site.read(kPsk + ".next") == fresh);

  const auto [swapped, told_swapped] = site.told({"key", "rotate", "hakodate", "--swap"});
  REQUIRE(swapped == cli::kFine);
  CHECK(site.read(kPsk) == fresh);
  CHECK(site.mode(kPsk) == 0600);
  CHECK(site.read(kPsk + ".previous") == old);
  CHECK_FALSE(site.has(kPsk + ".next"));
  CHECK(told_swapped.find("sekisho reload") != std::string::npos);
  CHECK(site.told({"check"}).first == cli::kFine);
  site.refused({"key", "rotate", "hakodate", "--swap"}, "'sekisho key rotate hakodate' makes it");
  CHECK(site.read(kPsk) == fresh);

  const auto [back, told_back] = site.told({"key", "rotate", "hakodate", "--back", "--json"});
  REQUIRE(back == cli::kFine);
  CHECK(site.read(kPsk) == old);
  CHECK(site.read(kPsk + ".previous") == fresh);
  CHECK(told_back.find("\"step\":\"back\"") != std::string::npos);
  REQUIRE(site.told({"key", "rotate", "hakodate", "--back"}).first == cli::kFine);  // and there again
  CHECK(site.read(kPsk) == fresh);
  for (const auto& text : {told_made, told_swapped, told_back})
    for (const auto& secret : {old, fresh}) CHECK(text.find(secret.substr(0, 20)) == std::string::npos);
}

TEST_CASE("key rotate: a file that is no good key is not put in place") {
  const Site site;
  const auto old = site.read(kPsk);
  site.refused({"key", "rotate", "hakodate", "--back"}, "no earlier key was kept");
  REQUIRE(site.told({"key", "rotate", "hakodate"}).first == cli::kFine);
  chmod((site.folder + "/" + kPsk + ".next").c_str(), 0644);
  site.refused({"key", "rotate", "hakodate", "--swap"}, "mode 0644");
  fs::remove(site.folder + "/" + kPsk + ".next");
  site.write(kPsk + ".next", "half a k");
  chmod((site.folder + "/" + kPsk + ".next").c_str(), 0600);
  site.refused({"key", "rotate", "hakodate", "--swap"}, "not a good key file");
  CHECK(site.read(kPsk) == old);
  CHECK_FALSE(site.has(kPsk + ".previous"));
}

TEST_CASE("key rotate: a key that is lost can be made anew") {
  const Site site;
  fs::remove(site.folder + "/" + kPsk);
  REQUIRE(site.told({"key", "rotate", "hakodate"}).first == cli::kFine);
  REQUIRE(site.told({"key", "rotate", "hakodate", "--swap"}).first == cli::kFine);
  CHECK(site.read(kPsk).size() == 45);
  CHECK_FALSE(site.has(kPsk + ".previous"));
}

TEST_CASE("key rotate: who has no such key is told what there is") {
  const Site site;
  site.refused({"key", "rotate", "hakodat"}, "did you mean 'hakodate'");
  site.refused({"key", "rotate"}, "a FACILITY is missing");
  site.refused({"key", "rotate", "hakodate", "--ppk"}, "has no postquantum key");
  site.refused({"key", "rotate", "hakodate", "--swap", "--back"}, "give one of them");
  site.refused({"key", "rotate", "hakodate", "--kind", "ed25519"}, "--kind belongs to 'sekisho key generate'");
  site.refused({"key", "rotat", "hakodate"}, "did you mean 'rotate'");
  site.configure(R"(, "ikev2": { "certificate_file": "own.pem", "private_key_file": "own.key" })",
                 R"({ "esashi": { "role": "viewing", "networks": ["10.7.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:esashi", "source": ["198.51.100.8"],
        "authentication": { "certificate_authority_file": "ca.pem", "revocation": "not-checked" },
        "ppk": { "id": "esashi", "file": "keys/esashi.ppk" } } } })");
  site.refused({"key", "rotate", "esashi"}, "'sekisho key csr'");
  REQUIRE(site.told({"key", "rotate", "esashi", "--ppk"}).first == cli::kFine);
  CHECK(site.read("keys/esashi.ppk.next").size() == 45);
}

TEST_CASE("key generate: signing keys of each kind, 0600, never overwritten, never shown") {
  const Site site;
  for (const auto* kind : {"ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-3072", "ed25519"}) {
    const auto name = std::string("keys/") + kind;
    const auto [status, text] = site.told({"key", "generate", site.folder + "/" + name, "--kind", kind});
    INFO(text);
    REQUIRE(status == cli::kFine);
    CHECK(site.mode(name) == 0600);
    const auto pem = site.read(name);
    CHECK(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    CHECK(text.find(pem.substr(40, 30)) == std::string::npos);
    site.refused({"key", "generate", site.folder + "/" + name, "--kind", kind}, "not overwritten");
    CHECK(site.read(name) == pem);
    CHECK(site.told({"key", "csr", site.folder + "/" + name, "--subject", "CN=gw"}).first == cli::kFine);
  }
  site.refused({"key", "generate", site.folder + "/keys/x", "--kind", "dsa"}, "wireguard, ecdsa-p256");
  CHECK_FALSE(site.has("keys/x"));
}

TEST_CASE("key csr: the configuration's name, or those that are given; the key stays where it is") {
  const Site site;
  const auto key = site.folder + "/keys/gateway.pem";
  REQUIRE(site.told({"key", "generate", key, "--kind", "ecdsa-p384"}).first == cli::kFine);
  const auto pem = site.read("keys/gateway.pem");
  const Words request{"key", "csr", key, "--subject", "CN=gw.example, O=Centre, C=JP"};
  const auto with = [&](const Words& more) {
    auto words = request;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const auto [status, text] = site.told(request);
  CHECK(status == cli::kFine);
  CHECK(text.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
  CHECK(text.find(pem.substr(40, 30)) == std::string::npos);
  REQUIRE(site.told(with({"--out", site.folder + "/gw.csr", "--san", "fqdn:gw.example"})).first == cli::kFine);
  const auto written = site.read("gw.csr");
  site.refused(with({"--out", site.folder + "/gw.csr"}), "not overwritten");
  CHECK(site.read("gw.csr") == written);
  CHECK(site.mode("gw.csr") == 0644);
  site.refused({"key", "csr", key}, "--subject is missing");
  site.refused({"key", "csr", key, "--subject", "gw.example"}, "--subject, at its octet ");
  site.refused(with({"--san", "gw.example"}), "an identity without a kind");
  site.refused(with({"--san", "dn:CN=x"}), "a dn is its --subject");
  site.refused({"key", "csr", site.folder + "/" + kPsk, "--subject", "CN=gw"}, "is no private key in PEM");
  site.refused({"key", "csr", site.folder + "/keys/none", "--subject", "CN=gw"}, "No such file");
  chmod(key.c_str(), 0644);
  site.refused(request, "open to others");
  chmod(key.c_str(), 0600);
  site.configure(R"(, "ikev2": { "local_id": "dn:CN=gw.example, O=Centre, C=JP" })");
  CHECK(site.told(request).first == cli::kFine);
  site.refused({"key", "csr", key, "--subject", "CN=gw"}, "another name than --subject");
}

TEST_CASE("doctor looks at certificates, lists, what a rotation left and the room for records") {
  const Site site;
  auto wish = test_authority::Authority::root_wish("gw");
  const auto now = gateway::os::wall_now();
  wish.alternative = "IP:203.0.113.10";
  wish.from = now - std::chrono::hours(24), wish.to = now + std::chrono::hours(24 * 20);
  const test_authority::Authority authority(wish);
  const auto put = [&](const std::string& name, const test_authority::Octets& octets) {
    site.write(name, {octets.begin(), octets.end()});
    chmod((site.folder + "/" + name).c_str(), 0600);
  };
  put("own.pem", test_authority::pem_of(authority.certificate()));
  put("ca.pem", test_authority::pem_of(authority.certificate()));
  put("own.key", test_authority::pem_of(wish.key.get()));
  put("list.crl", authority.revocation_list({now - std::chrono::hours(1), now + std::chrono::hours(24 * 9), {}}));
  fs::create_directory(site.folder + "/state");
  chmod((site.folder + "/state").c_str(), 0700);
  const auto configure = [&](const std::string& keep_free) {
    site.configure(R"(, "records": { "keep_free_mib": )" + keep_free +
                       R"( }, "ikev2": { "certificate_file": "own.pem", "private_key_file": "own.key" })",
                   R"({ "esashi": { "role": "viewing", "networks": ["10.7.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:esashi", "source": ["198.51.100.8"],
        "authentication": { "certificate_authority_file": "ca.pem", "revocation_list_file": "list.crl" } } } })");
  };
  const auto says = [&](const std::string& words) {
    const auto text = site.told({"doctor"}).second;
    INFO(text);
    CHECK(text.find(words) != std::string::npos);
  };
  configure("1");
  says("gateway.ikev2.certificate_file: own.pem: the certificate of CN=gw,O=Sekisho tests ends on ");
  says("certificate_authority_file: ca.pem: the certificate of CN=gw");
  says("signing key own.key");
  says("revocation lists list.crl");
  says("disk of " + site.folder + "/state, ");
  REQUIRE(site.told({"key", "rotate", "hakodate"}).first == cli::kFine);
  says("hakodate.psk.next: a new key is made and not in use");
  REQUIRE(site.told({"key", "rotate", "hakodate", "--swap"}).first == cli::kFine);
  says("hakodate.psk.previous: the key of before is still kept");
  fs::remove(site.folder + "/list.crl");  // the others are looked at all the same
  says("list.crl cannot be read");
  says("signing key own.key");
  configure("67108864");
  says("flows are only summed");
}
