// Reading a configuration and its key files from a real directory.
#include "gateway/os/config_files.h"
#include "gateway/os/key_file.h"
#include "tests/tunnel/test_authority.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace config;
using gateway::os::inspect_key_file;
using gateway::os::KeyFiles;
using gateway::os::KeyKind;
using gateway::os::load_configuration;

namespace {

namespace fs = std::filesystem;
using State = KeyFileFact::State;

const WallTime kNow{std::chrono::hours(24 * 365 * 56)};
// RFC 7748 6.1: Alice's private and public key.
constexpr const char* kPrivate = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
constexpr const char* kPublic = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
constexpr const char* kPskOne = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
constexpr const char* kPskTwo = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=";

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/sekisho-config-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
    fs::copy(std::string(SEKISHO_SOURCE_DIR) + "/config/examples/two-hospitals", path_, fs::copy_options::recursive);
    fs::create_directory(path_ / "keys");
    write("keys/gateway.key", std::string(kPrivate) + "\n");
    write("keys/hakodate.psk", std::string(kPskOne) + "\n");
    write("keys/matsumae.psk", kPskTwo);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }

  void write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    REQUIRE(::chmod((path_ / name).c_str(), mode) == 0);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] Loaded load(KeyFiles keys = KeyFiles::kInspect) const {
    return load_configuration(*this / "sekisho.json", kNow, keys);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string text_of(const Loaded& loaded) {
  std::string out;
  for (const auto& diagnostic : loaded.diagnostics) out += to_text(diagnostic, loaded.config.files) + "\n";
  return out;
}

std::string pem_of(const tunnel::crypto::Certificate& certificate) {
  const auto pem = test_authority::pem_of(certificate);
  return {pem.begin(), pem.end()};
}

bool says(const Loaded& loaded, const std::string& words) {
  return text_of(loaded).find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a good directory loads without a diagnostic") {
  const Directory directory;
  const auto loaded = directory.load();
  REQUIRE(loaded.config.files.size() == 3);
  CHECK(loaded.config.files[1] == directory / "facilities.d/hakodate.json");
  CHECK(loaded.config.facilities.size() == 2);
}

TEST_CASE("a missing, unreadable or odd file is a diagnostic") {
  const Directory directory;
  CHECK(says(load_configuration(directory / "nothing.json", kNow), "cannot read"));
  CHECK(says(load_configuration(directory / "keys", kNow), "not a regular file"));
  CHECK(says(load_configuration("", kNow), "cannot read"));
  fs::create_directory(directory.path() / "facilities.d/z.json");
  CHECK(says(directory.load(), "facilities.d/z.json:1:1: error: cannot read"));
}

TEST_CASE("a FIFO is not waited for") {
  const Directory directory;
  REQUIRE(::mkfifo((directory / "facilities.d/a.json").c_str(), 0600) == 0);
  CHECK(says(directory.load(), "not a regular file"));
  fs::remove(directory.path() / "facilities.d/a.json");
  fs::remove(directory.path() / "keys/hakodate.psk");
  REQUIRE(::mkfifo((directory / "keys/hakodate.psk").c_str(), 0600) == 0);
  CHECK(says(directory.load(), "not a regular file"));
}

TEST_CASE("an include does not leave the directory, hidden files do not count") {
  const Directory directory;
  const Directory other;
  directory.write("facilities.d/.hidden.json", "broken");
  directory.write("facilities.d/note.txt", "broken");
  CHECK(text_of(directory.load()) == "");
  auto up = "{ \"include\": [\"../" + other.path().filename().string() + "/*.json\"] }";
  directory.write("sekisho.json", up);
  const auto loaded = directory.load();
  CHECK(says(loaded, "cannot be included"));
  CHECK(loaded.config.files.size() == 1);
}

TEST_CASE("key files that others can read are refused") {
  const Directory directory;
  for (const mode_t mode : {0640, 0604, 0644, 0620, 0666, 0610}) {
    directory.write("keys/hakodate.psk", kPskOne, mode);
    const auto loaded = directory.load();
    CAPTURE(mode, text_of(loaded));
    CHECK(has_errors(loaded.diagnostics));
    CHECK(says(loaded, "others may read the key file keys/hakodate.psk: mode 0"));
    CHECK_FALSE(has_errors(directory.load(KeyFiles::kLeave).diagnostics));
  }
  directory.write("keys/hakodate.psk", kPskOne, 0400);
  CHECK(text_of(directory.load()) == "");
}

TEST_CASE("a key file of another user is refused") {
  const Directory directory;
  const auto path = directory / "keys/hakodate.psk";
  REQUIRE(::chown(path.c_str(), 12345, 0) == 0);  // needs root, as the gateway's tests do
  CHECK(inspect_key_file(path, "k", KeyKind::kPreshared).state == State::kOpenToOthers);
}

TEST_CASE("what is in a key file") {
  const Directory directory;
  const auto path = directory / "keys/k";
  const auto state = [&](const std::string& text) {
    directory.write("keys/k", text);
    return inspect_key_file(path, "k", KeyKind::kPreshared).state;
  };
  CHECK(state(kPskOne) == State::kGood);
  CHECK(state("  " + std::string(kPskOne) + " \n\n") == State::kGood);
  CHECK(state("") == State::kMalformed);
  CHECK(state(std::string(kPskOne) + "x") == State::kMalformed);
  CHECK(state(std::string(kPskOne).substr(0, 40)) == State::kMalformed);
  CHECK(state(std::string(kPskOne) + "\n" + kPskTwo) == State::kMalformed);
  CHECK(state(std::string(100000, 'A')) == State::kMalformed);
  CHECK(state(std::string("\0\0\0", 3)) == State::kMalformed);
  CHECK(state("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") == State::kWeak);
  CHECK(state("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=") == State::kWeak);
  CHECK(inspect_key_file(directory / "keys/none", "k", KeyKind::kPreshared).state == State::kMissing);
}

TEST_CASE("a key file is the file itself, not a link to it") {
  const Directory directory;
  std::filesystem::create_symlink("hakodate.psk", directory / "keys/link");
  const auto fact = inspect_key_file(directory / "keys/link", "k", KeyKind::kPreshared);
  CHECK(fact.state == State::kUnreadable);
  CHECK(fact.detail.starts_with("a symbolic link"));
  CHECK(fact.fingerprint.empty());
}

TEST_CASE("check and keyd judge a key file alike") {
  const Directory directory;
  const auto path = directory / "keys/k";
  const std::string key = kPskOne;
  for (const auto& text : {key, key + "\n", key.substr(0, 20) + "\n" + key.substr(20), key + "\nx",
                           key + std::string(100, ' '), std::string(43, 'A') + "="})
    for (const mode_t mode : {0600, 0400, 0640, 0604}) {
      directory.write("keys/k", text, mode);
      CAPTURE(text, mode);
      const auto fact = inspect_key_file(path, "k", KeyKind::kPreshared);
      CHECK((fact.state == State::kGood) == gateway::os::read_key_file(path).has_value());
      CHECK((fact.state == State::kGood) == ((text == key || text == key + "\n") && (mode & 077) == 0));
    }
}

TEST_CASE("the public key is the one of RFC 7748, and a preshared key has none") {
  const Directory directory;
  const auto own = inspect_key_file(directory / "keys/gateway.key", "keys/gateway.key", KeyKind::kPrivate);
  CHECK(own.state == State::kGood);
  CHECK(own.public_key == kPublic);
  CHECK(own.fingerprint.size() == 64);
  CHECK(inspect_key_file(directory / "keys/hakodate.psk", "p", KeyKind::kPreshared).public_key.empty());
}

TEST_CASE("one secret in two key files names both") {
  const Directory directory;
  directory.write("keys/matsumae.psk", kPskOne);
  const auto loaded = directory.load();
  CHECK(has_errors(loaded.diagnostics));
  CHECK(says(loaded, "facility \"matsumae\" holds the same key as facility \"hakodate\""));
}

// One facility that proves itself by certificate.
constexpr const char* kWithCertificates = R"({
    "gateway": { "name": "g", "outside": { "interface": "o", "addresses": ["203.0.113.10"] }, "inside": { "interface": "i" },
                 "ikev2": { "certificate_file": "own.pem", "private_key_file": "own.key" } },
    "facilities": { "a": { "role": "viewing", "networks": ["10.1.0.0/24"], "tunnel": { "protocol": "ikev2",
      "remote_id": "fqdn:a.example", "source": ["198.51.100.7"],
      "authentication": { "certificate_authority_file": "ca.pem", "revocation_list_file": "list.pem" } } } } })";

std::string pem_of_list(const test_authority::Octets& der) {
  std::string text(sodium_base64_encoded_len(der.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), der.data(), der.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the zero
  std::string lines;
  for (std::size_t at = 0; at < text.size(); at += 64) lines += text.substr(at, 64) + "\n";
  return "-----BEGIN X509 CRL-----\n" + lines + "-----END X509 CRL-----\n";
}

std::string text_of(const test_authority::Octets& octets) {
  return {octets.begin(), octets.end()};
}

TEST_CASE("certificate files that are missing or are none, and an open signing key, are named by the check") {
  auto wish = test_authority::Authority::root_wish("root");
  wish.alternative = "IP:203.0.113.10";  // what the gateway calls itself, where nothing else is said
  const test_authority::Authority authority(wish);
  const Directory directory;
  const auto pem = pem_of(authority.certificate());
  const auto key = text_of(test_authority::pem_of(wish.key.get()));
  directory.write("sekisho.json", kWithCertificates);
  ;
  const std::pair<const char*, std::string> files[] = {{"own.pem", pem}, {"ca.pem", pem}, {"own.key", key}};
  for (const auto& [name, content] : files) directory.write(name, content);
  CHECK(says(directory.load(), "facilities.a.tunnel.authentication.revocation_list_file: "));
  directory.write("list.pem", "no list");
  CHECK(says(directory.load(), "list.pem is no revocation list"));
  directory.write("list.pem", text_of(authority.revocation_list({})));
  CHECK_FALSE(has_errors(directory.load().diagnostics));
  directory.write("own.key", text_of(test_authority::pem_of(test_authority::ec_key().get())));
  CHECK(says(directory.load(), "own.key: every router would refuse our signature"));
  directory.write("own.key", key, 0644);
  CHECK(says(directory.load(), "gateway.ikev2.private_key_file: "));
  CHECK_FALSE(has_errors(directory.load(KeyFiles::kLeave).diagnostics));
  directory.write("own.key", key);
  directory.write("ca.pem", "none");
  CHECK(says(directory.load(), "ca.pem is no PEM file of certificates"));
  fs::remove(directory.path() / "own.pem");
  CHECK(says(directory.load(), "gateway.ikev2.certificate_file: "));
}

TEST_CASE("our own certificate and the authorities are warned about 60 days before they end, and after") {
  const Directory directory;
  const test_authority::Authority authority;
  std::string config = kWithCertificates;
  config.replace(config.find("\"list.pem\""), 10, "\"list.pem\", \"revocation\": \"not-checked\"");
  directory.write("sekisho.json", config);
  const auto own_key = test_authority::ec_key();
  directory.write("own.key", text_of(test_authority::pem_of(own_key.get())));
  directory.write("list.pem", text_of(authority.revocation_list({})));
  const auto days = [](int count) { return std::chrono::hours(24) * count; };
  const auto lasting = [&](int count) {
    auto wish = test_authority::Authority::root_wish("authority");
    wish.from = kNow - days(400), wish.to = kNow + days(count), wish.key = own_key;
    wish.alternative = "IP:203.0.113.10";
    return pem_of(test_authority::Authority(wish).certificate());
  };
  const auto check = [&](int own, int other) {
    directory.write("own.pem", lasting(365) + lasting(own));  // any certificate of the chain
    directory.write("ca.pem", lasting(other));
    const auto loaded = directory.load();
    CHECK_FALSE(has_errors(loaded.diagnostics));
    return loaded;
  };
  CHECK(check(61, 61).diagnostics.empty());
  auto loaded = check(60, 61);
  CHECK(loaded.diagnostics.size() == 1);
  CHECK(says(loaded,
             "gateway.ikev2.certificate_file: own.pem: the certificate of CN=authority,O=Sekisho tests ends on 2026-"));
  CHECK(says(loaded, "in 60 days"));
  loaded = check(61, 7);
  CHECK(loaded.diagnostics.size() == 1);
  CHECK(says(loaded,
             "certificate_authority_file: ca.pem: the certificate of CN=authority,O=Sekisho tests ends on 2025-"));
  loaded = check(-1, 61);
  CHECK(says(loaded, "own.pem: the certificate of CN=authority,O=Sekisho tests ended on 2025-"));
}

// RFC 4945 3.1: what we call ourselves is looked for in our certificate.
TEST_CASE("a local_id that our certificate does not name is told, with the names it has") {
  const Directory directory;
  auto wish = test_authority::Authority::root_wish("gw");
  wish.to = kNow + std::chrono::hours(24) * 365;
  wish.from = kNow - std::chrono::hours(24);
  const auto issued = [&](const std::string& alternative) {
    wish.alternative = alternative;
    const test_authority::Authority authority(wish);
    for (const auto* file : {"own.pem", "ca.pem"}) directory.write(file, pem_of(authority.certificate()));
    const auto week = std::chrono::hours(24 * 30);
    directory.write("list.pem", text_of(authority.revocation_list({kNow - std::chrono::hours(1), kNow + week, {}})));
  };
  directory.write("own.key", text_of(test_authority::pem_of(wish.key.get())));
  const auto with = [&](const std::string& own, const std::string& of_facility = "") {
    std::string config = kWithCertificates;
    if (!of_facility.empty())
      config.replace(config.find("\"remote_id\""), 0, "\"local_id\": \"" + of_facility + "\", ");
    if (!own.empty()) config.replace(config.find("\"certificate_file\""), 0, "\"local_id\": \"" + own + "\", ");
    directory.write("sekisho.json", config);
    return directory.load();
  };
  issued("DNS:gw.example,IP:203.0.113.10,email:noc@gw.example");
  for (const auto* good :
       {"", "fqdn:GW.example", "ip:203.0.113.10", "email:noc@gw.example", "dn:cn=GW, o=sekisho tests"})
    CHECK(text_of(with(good)) == "");
  CHECK(text_of(with("fqdn:other.example", "fqdn:gw.example")) == "");  // nobody is told the gateway's own
  const auto loaded = with("fqdn:other.example");
  CHECK_FALSE(has_errors(loaded.diagnostics));
  CHECK(loaded.diagnostics.size() == 1);
  CHECK(says(loaded, "sekisho.json:3:"));
  CHECK(
      says(loaded, "gateway.ikev2.local_id: the gateway calls itself fqdn:other.example, which is no name in own.pem"));
  CHECK(says(loaded, "fqdn:gw.example, ip:203.0.113.10, email:noc@gw.example, dn:CN=gw,O=Sekisho tests, or have"));
  CHECK(says(with("", "ip:203.0.113.11"), "facilities.a.tunnel.local_id: the gateway calls itself ip:203.0.113.11"));
  const auto another = with("dn:CN=other, O=Sekisho tests");
  CHECK(has_errors(another.diagnostics));  // the reload refuses it too
  CHECK(says(another, "only its own subject can be sent"));
  issued("DNS:gw.example");
  CHECK(says(with(""), "gateway.ikev2.local_id: the gateway calls itself ip:203.0.113.10"));  // the default
}

// RFC 5280 5: what would cut everybody is said before it does.
TEST_CASE("revocation lists: one of each authority, and those that end are told") {
  using test_authority::Authority;
  const Directory directory;
  const auto own_key = test_authority::ec_key();
  const auto lasting = [&](const std::string& name, int days) {
    auto wish = Authority::root_wish(name);
    if (name == "first") wish.key = own_key;
    wish.alternative = "IP:203.0.113.10";
    wish.from = kNow - std::chrono::hours(24), wish.to = kNow + std::chrono::hours(24) * days;
    return Authority(wish);
  };
  const Authority first = lasting("first", 365), second = lasting("second", 365), gone = lasting("gone", -1);
  const auto list_of = [](const Authority& authority, int days) {
    return pem_of_list(
        authority.revocation_list({kNow - std::chrono::hours(240), kNow + std::chrono::hours(24) * days, {}}));
  };
  directory.write("own.pem", pem_of(first.certificate()));
  directory.write("own.key", text_of(test_authority::pem_of(own_key.get())));
  const auto check = [&](const std::string& authorities, const std::string& lists, const std::string& more = "") {
    std::string config = kWithCertificates;
    config.replace(config.find("\"list.pem\""), 10, "\"list.pem\"" + more);
    directory.write("sekisho.json", config);
    directory.write("ca.pem", authorities), directory.write("list.pem", lists);
    return directory.load();
  };
  const std::string one = pem_of(first.certificate()), both = one + pem_of(second.certificate());
  CHECK(check(one, list_of(first, 30)).diagnostics.empty());
  CHECK(check(both, list_of(first, 30) + "between them\n" + list_of(second, 30)).diagnostics.empty());
  CHECK(check(both, list_of(second, 30) + list_of(first, 30)).diagnostics.empty());
  const auto missing = check(both, list_of(first, 30));
  CHECK(has_errors(missing.diagnostics));
  CHECK(missing.diagnostics.size() == 1);
  CHECK(says(missing, "no revocation list signed by CN=second,O=Sekisho tests: "));
  CHECK(says(missing, "facilities.a.tunnel.authentication.revocation_list_file: "));
  const auto forged = pem_of_list(first.revocation_list({}, test_authority::ec_key().get()));
  CHECK(says(check(one, forged), "no revocation list signed by CN=first"));
  CHECK_FALSE(has_errors(check(both, list_of(first, 30), ", \"revocation\": \"where-listed\"").diagnostics));
  CHECK(check(one, forged, ", \"revocation\": \"not-checked\"").diagnostics.empty());
  // Who has ended needs no list.
  CHECK_FALSE(has_errors(check(one + pem_of(gone.certificate()), list_of(first, 30)).diagnostics));
  // Ended, within the grace, soon: none of them keeps a change from being made.
  for (const auto& [days, grace, words] : {std::tuple{-1, "", "ended on 2025-"},
                                           {1, "", "ends on 2025-"},
                                           {-1, ", \"list_grace_days\": 3", "3 days longer"},
                                           {-4, ", \"list_grace_days\": 3", "are refused when they call again"}}) {
    const auto loaded = check(one, list_of(first, days), grace);
    CAPTURE(days, grace);
    CHECK_FALSE(has_errors(loaded.diagnostics));
    CHECK(loaded.diagnostics.size() == 1);
    CHECK(says(loaded, words));
  }
  CHECK(check(one, list_of(first, -9) + list_of(first, 30)).diagnostics.empty());  // the newer counts
  CHECK(says(check(one, list_of(first, 30) + "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
             "list.pem is no revocation list"));
}
