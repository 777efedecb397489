// Keys are used by name and never come out; a file that others may read is no key.
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/daemon/keyd_keys.h"
#include "gateway/os/key_file.h"
#include "gateway/os/system_rng.h"
#include "tests/tunnel/test_authority.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/prf.h"
#include "tunnel/crypto/secret.h"
#include "tunnel/crypto/x25519.h"
#include "tunnel/ike/authentication.h"

namespace gateway::daemon {
namespace {

using core::KeySource;
using tunnel::wire::KeyRequest;
using Octets32 = std::array<std::uint8_t, 32>;
using Input = tunnel::crypto::Secret<32>;

std::string fresh_folder() {
  std::string name = "/tmp/sekisho-keyd-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  return name;
}

struct Folder {
  std::string path = fresh_folder();
  ~Folder() { std::filesystem::remove_all(path); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string file = path + "/" + name;
    std::ofstream(file) << text;
    REQUIRE(chmod(file.c_str(), mode) == 0);
    return file;
  }
};

std::string base64(const Octets32& octets) {
  std::array<char, 64> text{};
  sodium_bin2base64(text.data(), text.size(), octets.data(), octets.size(), sodium_base64_VARIANT_ORIGINAL);
  return text.data();
}

Octets32 random_key() {
  Octets32 key{};
  os::SystemRng().fill(key);
  return key;
}

using Octets96 = std::array<std::uint8_t, 96>;
Octets96 output_of(const tunnel::wire::KeyReply& reply) {
  Octets96 octets{};
  std::ranges::copy(reply.output.expose(), octets.begin());
  return octets;
}

struct Fixture {
  Folder folder;
  Octets32 secret = random_key(), psk = random_key(), other = random_key();
  KeydKeys keys;
  core::KeysConfigured outcome =
      keys.configure({{{"g", KeySource::Kind::kWireguardPrivate, folder.write("g", base64(secret) + "\n")},
                       {"p", KeySource::Kind::kPreshared, folder.write("p", base64(psk))}}});
};

TEST_CASE_METHOD(Fixture, "keyd: Diffie-Hellman with the named key") {
  REQUIRE(outcome.keys.size() == 2);
  CHECK(outcome.keys[0].good);
  CHECK(outcome.keys[0].public_key == tunnel::crypto::x25519_public(secret));
  CHECK(outcome.keys[1].public_key == Octets32{});
  const auto reply =
      keys.answer({3, KeyRequest::Operation::kStaticDh, "g", Input(tunnel::crypto::x25519_public(other))});
  REQUIRE(reply.good);
  CHECK(reply.id == 3);
  // The other side's view of the same secret.
  const auto expected = tunnel::crypto::x25519(other, tunnel::crypto::x25519_public(secret));
  CHECK(std::ranges::equal(reply.output.expose().first<32>(), expected->expose()));
}

TEST_CASE_METHOD(Fixture, "keyd: the preshared key is mixed, WireGuard paper 5.4") {
  const auto chaining = random_key();
  const auto reply = keys.answer({1, KeyRequest::Operation::kMixPsk, "p", Input(chaining)});
  REQUIRE(reply.good);
  const auto expected = tunnel::crypto::kdf3(chaining, psk);
  CHECK(std::ranges::equal(reply.output.expose().subspan<64, 32>(), expected.third.expose()));
}

TEST_CASE_METHOD(Fixture, "keyd: no two facilities hold the same key") {
  const auto a = folder.write("a", base64(psk)), b = folder.write("b", base64(other));
  const auto both = [&](KeySource::Kind second) {
    return keys.configure({{{"a", KeySource::Kind::kIkePreshared, a}, {"b", second, b}}}).keys;
  };
  const auto different = both(KeySource::Kind::kIkePreshared);
  CHECK((different[0].good && different[1].good));
  KeyRequest request{4, KeyRequest::Operation::kIkePskAuth, "b", {}, 6, {1, 2, 3}};
  const Octets96 before = output_of(keys.answer(request));
  folder.write("b", base64(psk) + "\r\n");
  for (const auto kind : {KeySource::Kind::kIkePreshared, KeySource::Kind::kPreshared, KeySource::Kind::kIkePpk}) {
    const auto told = both(kind);
    CHECK(told[0].good);
    CHECK_FALSE(told[1].good);
    CHECK(told[1].error.ends_with("b: holds the same key as a; each needs its own"));
    CHECK(told[1].error.find(base64(psk)) == std::string::npos);
    if (kind == KeySource::Kind::kIkePreshared) CHECK(output_of(keys.answer(request)) == before);  // its own stays
  }
  KeydKeys fresh;  // at a start there is none of before
  (void)fresh.configure({{{"a", KeySource::Kind::kIkePreshared, a}, {"b", KeySource::Kind::kIkePreshared, b}}});
  CHECK_FALSE(fresh.answer(request).good);
}

// RFC 7296 2.15, with the key as the text of its file.
TEST_CASE_METHOD(Fixture, "keyd: the authentication of IKEv2 with the named key, and with no other kind of key") {
  const auto text = base64(psk);
  (void)keys.configure({{{"i", KeySource::Kind::kIkePreshared, folder.write("i", text + "\n")},
                         {"p", KeySource::Kind::kPreshared, folder.write("p", base64(other))}}});
  KeyRequest request{4, KeyRequest::Operation::kIkePskAuth, "i", {}, 6, {1, 2, 3}};
  const auto reply = keys.answer(request);
  REQUIRE(reply.good);
  const auto expected = tunnel::ike::psk_authentication(
      tunnel::crypto::Prf::kHmacSha384, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
      request.octets);
  CHECK(std::ranges::equal(reply.output.expose().first(48), expected.expose()));
  CHECK(std::ranges::count(reply.output.expose().subspan(48), 0) == 48);
  SECTION("a preshared key of WireGuard") {
    request.key = "p";
  }
  SECTION("a prf that is none") {
    request.prf = 2;
  }
  SECTION("nothing to sign") {
    request.octets.clear();
  }
  SECTION("the key of IKEv2 for WireGuard") {
    request.operation = KeyRequest::Operation::kMixPsk;
  }
  const auto refused = keys.answer(request);
  CHECK_FALSE(refused.good);
  CHECK(std::ranges::count(refused.output.expose(), 0) == 96);
}

// RFC 8784 3, with the PPK as the text of its file.
TEST_CASE_METHOD(Fixture, "keyd: the PPK is mixed into the named keys, and no other kind of key is") {
  const auto text = base64(psk);
  (void)keys.configure({{{"q", KeySource::Kind::kIkePpk, folder.write("q", text + "\n")},
                         {"i", KeySource::Kind::kIkePreshared, folder.write("i", base64(other))}}});
  KeyRequest request{5, KeyRequest::Operation::kIkePpk, "q", {}, 6, {}, 0, {}};
  for (std::uint8_t i = 0; i < 144; ++i) request.secrets.push_back(i);
  const auto reply = keys.answer(request);
  REQUIRE(reply.good);
  const auto prf = tunnel::crypto::Prf::kHmacSha384;
  REQUIRE(reply.secrets.size() == 144);
  for (const std::size_t at : {0, 48, 96}) {
    const auto one = tunnel::crypto::prf_plus(prf, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                                              {std::span(request.secrets).subspan(at, 48)}, 48);
    CHECK(std::ranges::equal(std::span(reply.secrets).subspan(at, 48), one.expose()));
  }
  SECTION("a preshared key is no PPK") {
    request.key = "i";
  }
  SECTION("a PPK is no preshared key") {
    request.operation = KeyRequest::Operation::kIkePskAuth, request.octets = {1};
  }
  SECTION("a prf that is none") {
    request.prf = 2;
  }
  SECTION("one octet too few") {
    request.secrets.pop_back();
  }
  SECTION("nothing") {
    request.secrets.clear();
  }
  const auto refused = keys.answer(request);
  CHECK_FALSE(refused.good);
  CHECK(refused.secrets.empty());
}

// RFC 7427: a signature with the named key, under a scheme of its kind.
TEST_CASE_METHOD(Fixture, "keyd: signs with the named PEM key, and with no other kind of key") {
  const auto pair = test_authority::ec_key();
  const auto text = test_authority::pem_of(pair.get());
  const std::string pem(text.begin(), text.end());
  const auto told = keys.configure({{{"s", KeySource::Kind::kIkeSigning, folder.write("s", pem)},
                                     {"i", KeySource::Kind::kIkePreshared, folder.write("i", base64(psk))}}});
  REQUIRE(told.keys[0].good);
  REQUIRE_FALSE(told.keys[0].signature_schemes.empty());
  CHECK(told.keys[0].mark ==
        tunnel::crypto::SigningKey::parse_pem({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()})
            ->public_key()
            .mark());
  KeyRequest request{4, KeyRequest::Operation::kSign, "s", {}, 0, {1, 2, 3}};
  request.scheme = told.keys[0].signature_schemes[0];
  const auto reply = keys.answer(request);
  REQUIRE(reply.good);
  const auto own = tunnel::crypto::SigningKey::parse_pem(text);
  const auto scheme = static_cast<tunnel::crypto::SignatureScheme>(request.scheme);
  CHECK(own->public_key().verify(scheme, request.octets, reply.octets));
  SECTION("a preshared key") {
    request.key = "i";
  }
  SECTION("a key nobody named") {
    request.key = "t";
  }
  SECTION("a scheme of another kind of key") {
    request.scheme = static_cast<std::uint16_t>(tunnel::crypto::SignatureScheme::kRsaPssSha256);
  }
  SECTION("a number that is no scheme") {
    request.scheme = 99;
  }
  SECTION("nothing to sign") {
    request.octets.clear();
  }
  const auto refused = keys.answer(request);
  CHECK_FALSE(refused.good);
  CHECK(refused.octets.empty());
}

TEST_CASE_METHOD(Fixture, "keyd: a signing key that others may read, or that is none, is refused") {
  const auto text = test_authority::pem_of(test_authority::ec_key().get());
  const std::string pem(text.begin(), text.end());
  const auto outcome_of = [&](const std::string& content, mode_t mode) {
    return keys.configure({{{"s", KeySource::Kind::kIkeSigning, folder.write("s", content, mode)}}}).keys[0];
  };
  CHECK_FALSE(outcome_of(pem, 0644).good);
  CHECK_FALSE(outcome_of(base64(psk), 0600).good);
  CHECK(outcome_of(pem, 0600).good);
  REQUIRE(symlink((folder.path + "/s").c_str(), (folder.path + "/link").c_str()) == 0);
  CHECK_FALSE(keys.configure({{{"t", KeySource::Kind::kIkeSigning, folder.path + "/link"}}}).keys[0].good);
  CHECK(outcome_of(pem, 0600).good);
  const auto kept = outcome_of("half a key", 0600);  // the one of before serves on, and the outcome says so
  CHECK_FALSE(kept.good);
  KeyRequest request{4, KeyRequest::Operation::kSign, "s", {}, 0, {1}};
  CHECK(keys.answer(request).good);
  (void)keys.configure({});
  CHECK_FALSE(keys.answer(request).good);
}

TEST_CASE_METHOD(Fixture, "keyd: refusals give nothing away") {
  KeyRequest request{1, KeyRequest::Operation::kStaticDh, "g", {}};  // all zero: a low-order point
  SECTION("low order") {}
  SECTION("unknown name") {
    request.key = "x", request.input = Input(tunnel::crypto::x25519_public(other));
  }
  SECTION("a preshared key is no private key") {
    request.key = "p", request.input = Input(tunnel::crypto::x25519_public(other));
  }
  SECTION("a private key is no preshared key") {
    request.operation = KeyRequest::Operation::kMixPsk;
  }
  const auto reply = keys.answer(request);
  CHECK_FALSE(reply.good);
  CHECK(std::ranges::count(reply.output.expose(), 0) == 96);
}

TEST_CASE_METHOD(Fixture, "keyd: a key that cannot be read any more is kept, one no longer named is gone") {
  std::filesystem::remove(folder.path + "/g");
  const auto again = keys.configure({{{"g", KeySource::Kind::kWireguardPrivate, folder.path + "/g"}}});
  CHECK_FALSE(again.keys[0].good);
  CHECK(again.keys[0].public_key == tunnel::crypto::x25519_public(secret));
  CHECK(keys.answer({1, KeyRequest::Operation::kStaticDh, "g", Input(tunnel::crypto::x25519_public(other))}).good);
  CHECK_FALSE(keys.answer({1, KeyRequest::Operation::kMixPsk, "p", Input(other)}).good);
}

TEST_CASE_METHOD(Fixture, "keyd: a key that cannot be read any more serves no other purpose under its name") {
  std::filesystem::remove(folder.path + "/p");
  (void)keys.configure({{{"p", KeySource::Kind::kIkePreshared, folder.path + "/p"}}});
  CHECK_FALSE(keys.answer({4, KeyRequest::Operation::kIkePskAuth, "p", {}, 6, {1, 2, 3}}).good);
  CHECK_FALSE(keys.answer({4, KeyRequest::Operation::kMixPsk, "p", Input(other)}).good);
}

TEST_CASE("keyd: a mark tells whether a preshared key is the one of before, by its content alone") {
  const Folder folder;
  const auto mark = [&](KeydKeys& keys, KeySource::Kind kind, const std::string& name) {
    return keys.configure({{{name, kind, folder.path + "/" + name}}}).keys[0].mark;
  };
  const auto first = base64(random_key()), second = base64(random_key());
  folder.write("a", first + "\n"), folder.write("same", first + "\n"), folder.write("b", second + "\n");
  KeydKeys keys, after_restart;
  for (const auto kind : {KeySource::Kind::kPreshared, KeySource::Kind::kIkePreshared, KeySource::Kind::kIkePpk}) {
    const auto was = mark(keys, kind, "a");
    CHECK(was != 0);
    CHECK(mark(keys, kind, "same") == was);
    CHECK(mark(after_restart, kind, "a") == was);
    CHECK(mark(keys, kind, "b") != was);
  }
  const auto was = mark(keys, KeySource::Kind::kIkePreshared, "a");
  std::filesystem::remove(folder.path + "/a");  // the key of before is kept, and so is its mark
  CHECK(mark(keys, KeySource::Kind::kIkePreshared, "a") == was);
  folder.write("a", second + "\n");
  CHECK(mark(keys, KeySource::Kind::kIkePreshared, "a") == mark(keys, KeySource::Kind::kIkePreshared, "b"));
  CHECK(mark(keys, KeySource::Kind::kWireguardPrivate, "a") == 0);
}

TEST_CASE("key file: only a private regular file with one key is read") {
  const Folder folder;
  os::SystemRng rng;
  const auto text = base64(random_key());
  CHECK(os::read_key_file(folder.write("good", text + "\n")).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("group", text, 0640)).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("world", text, 0604)).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("short", text.substr(0, 40))).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("two", text + "\n" + text)).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("empty", "")).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("zero", base64({}))).has_value());
  CHECK_FALSE(os::read_key_file(folder.path + "/absent").has_value());
  CHECK_FALSE(os::read_key_file(folder.path).has_value());
  REQUIRE(symlink((folder.path + "/good").c_str(), (folder.path + "/link").c_str()) == 0);
  CHECK_FALSE(os::read_key_file(folder.path + "/link").has_value());
  CHECK_FALSE(os::read_key_file(folder.write("inside", text.substr(0, 20) + "\n" + text.substr(20))).has_value());
  CHECK_FALSE(os::read_key_file(folder.write("tail", text + std::string(100, '\n') + "x")).has_value());
  REQUIRE(chown(folder.write("foreign", text).c_str(), 12345, 0) == 0);
  CHECK_FALSE(os::read_key_file(folder.path + "/foreign").has_value());
}

TEST_CASE_METHOD(Fixture, "keyd: a placeholder is no key") {
  Octets32 placeholder{};
  SECTION("all zero") {}
  SECTION("one octet throughout") {
    placeholder.fill(1);
  }
  const auto told =
      keys.configure({{{"weak", KeySource::Kind::kPreshared, folder.write("weak", base64(placeholder))}}});
  CHECK_FALSE(told.keys[0].good);
  CHECK(told.keys[0].error.ends_with("a placeholder, not a random key"));
  CHECK_FALSE(keys.answer({1, KeyRequest::Operation::kMixPsk, "weak", Input(other)}).good);
}

}  // namespace
}  // namespace gateway::daemon
