// The table and the profiles: status, end dates, exceptions.
#include <catch2/catch.hpp>

#include <set>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/profile.h"

using namespace ike_test;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Group;
using tunnel::crypto::Integrity;
using tunnel::crypto::Prf;
using tunnel::wire::WallTime;

namespace {

WallTime day(int year, unsigned month, unsigned d) {
  using namespace std::chrono;
  return WallTime(
      sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(d)).time_since_epoch());
}
const WallTime kToday = day(2026, 11, 25);

bool has(const Profile& profile, Group group) {
  return std::ranges::find(profile.groups, group) != profile.groups.end();
}
bool has(const Profile& profile, const CipherSuite& suite) {
  return std::ranges::find(profile.esp, suite) != profile.esp.end();
}

}  // namespace

TEST_CASE("the table names each algorithm once") {
  std::set<std::tuple<TransformType, int, int>> seen;
  for (const Algorithm& row : algorithms()) {
    CHECK(seen.emplace(row.type, row.id, row.key_bits).second);
    CHECK_FALSE(row.name.empty());
  }
}

TEST_CASE("status of those that matter") {
  const auto status = [](const Transform& t) { return find_algorithm(t)->status; };
  CHECK(status(transform(Encryption::kAesGcm16, 256)) == Status::kRecommended);
  CHECK(status(transform(Encryption::kChaCha20Poly1305, 256)) == Status::kRecommended);
  CHECK(status({TransformType::kEncryption, 3, 0, true}) == Status::kMonitored);   // 3DES
  CHECK(status({TransformType::kIntegrity, 2, 0, true}) == Status::kMonitored);    // HMAC-SHA1
  CHECK(status({TransformType::kIntegrity, 1, 0, true}) == Status::kNotListed);    // HMAC-MD5
  CHECK(status({TransformType::kKeyExchange, 2, 0, true}) == Status::kNotListed);  // MODP-1024
  CHECK(status({TransformType::kKeyExchange, 22, 0, true}) == Status::kNotListed);
  CHECK(status({TransformType::kKeyExchange, 35, 0, true}) == Status::kNotListed);  // ML-KEM-512
  CHECK(status({TransformType::kKeyExchange, 36, 0, true}) == Status::kPqc);
  CHECK(status(transform(Group::kCurve25519)) == Status::kUnnamed);
  CHECK(find_algorithm(transform(Group::kModp2048))->expires == day(2031, 1, 1));
  CHECK(find_algorithm({TransformType::kEncryption, 999, 0, true}) == nullptr);
  CHECK(name(Transform{TransformType::kEncryption, 999, 128, true}) == "encryption 999 (128 bit)");
  CHECK(name(Transform{TransformType::kEncryption, 12, 256, true}) == "AES-256-CBC");
}

TEST_CASE("every row marked as implemented is one, and no other") {
  for (const Algorithm& row : algorithms()) {
    if (row.type != TransformType::kEncryption) continue;
    bool supported = false;
    for (const Integrity integrity : {Integrity::kNone, Integrity::kHmacSha256_128}) {
      const auto bits = row.key_bits == 0 ? std::uint16_t{256} : row.key_bits;
      supported = supported || tunnel::crypto::is_supported({Encryption{row.id}, bits, integrity});
    }
    INFO(row.name);
    CHECK(supported == row.implemented);
  }
}

TEST_CASE("both profiles hold only implemented, recommended, unexpired algorithms") {
  for (const ProfileName which : {ProfileName::kStrict, ProfileName::kCompat}) {
    const Profile profile = profile_at(which, {}, kToday);
    CHECK(profile_named(name(which)) == which);
    std::vector<Transform> all;
    for (const auto* list : {&profile.ike, &profile.esp}) {
      for (const CipherSuite& suite : *list) {
        CHECK(tunnel::crypto::is_supported(suite));
        all.push_back(transform(suite.encryption, suite.key_bits));
        if (suite.integrity != Integrity::kNone) all.push_back(transform(suite.integrity));
      }
    }
    for (const Prf prf : profile.prfs) all.push_back(transform(prf));
    for (const Group group : profile.groups) all.push_back(transform(group));
    for (const Transform& t : all) {
      const Algorithm* row = find_algorithm(t);
      REQUIRE(row != nullptr);
      CHECK(row->implemented);
      CHECK(row->status == Status::kRecommended);
      CHECK((!row->expires || kToday < *row->expires));
    }
  }
  CHECK_FALSE(profile_named("ipsec-lax"));
}

TEST_CASE("ipsec-strict is exactly what the requirement says") {
  const Profile strict = profile_at(ProfileName::kStrict, {}, kToday);
  CHECK(strict.ike == std::vector<CipherSuite>{{Encryption::kAesGcm16, 256, Integrity::kNone}});
  CHECK(strict.esp == strict.ike);
  CHECK(strict.prfs == std::vector<Prf>{Prf::kHmacSha384});
  CHECK(strict.groups == std::vector<Group>{Group::kEcp384, Group::kEcp256, Group::kEcp521, Group::kModp4096});
  CHECK(strict.pfs_required);
  CHECK_FALSE(strict.preshared_key);
}

TEST_CASE("ipsec-compat reaches down to the common floor of routers and no further") {
  const Profile compat = profile_at(ProfileName::kCompat, {}, kToday);
  CHECK(has(compat, CipherSuite{Encryption::kAesCbc, 256, Integrity::kHmacSha256_128}));
  CHECK(has(compat, CipherSuite{Encryption::kAesCbc, 128, Integrity::kHmacSha512_256}));
  CHECK(has(compat, Group::kModp2048));
  CHECK_FALSE(has(compat, Group::kCurve25519));
  CHECK_FALSE(compat.pfs_required);
  CHECK(compat.preshared_key);
}

TEST_CASE("the 112-bit level ends with 2030") {
  CHECK(has(profile_at(ProfileName::kCompat, {}, day(2031, 1, 1) - std::chrono::nanoseconds(1)), Group::kModp2048));
  CHECK_FALSE(has(profile_at(ProfileName::kCompat, {}, day(2031, 1, 1)), Group::kModp2048));
  CHECK(has(profile_at(ProfileName::kCompat, {}, day(2031, 1, 1)), Group::kModp3072));
  const auto key = [](std::size_t bits, WallTime now) { return judge_key(SignatureKey::kRsa, bits, now).allowed; };
  CHECK(key(2048, kToday));
  CHECK_FALSE(judge_key(SignatureKey::kRsa, 2048, kToday).remark.empty());
  CHECK_FALSE(key(2048, day(2031, 1, 1)));
  CHECK_FALSE(key(2047, kToday));
  CHECK_FALSE(key(1024, kToday));
  CHECK(key(3072, day(2040, 1, 1)));
  CHECK(judge_key(SignatureKey::kEcdsa, 256, kToday).allowed);
  CHECK(judge_key(SignatureKey::kEcdsa, 521, kToday).allowed);
  CHECK_FALSE(judge_key(SignatureKey::kEcdsa, 224, kToday).allowed);
  CHECK(judge_key(SignatureKey::kEd25519, 256, kToday).allowed);
}

TEST_CASE("an exception adds one algorithm, last in order, until its end") {
  const std::vector<Exception> exceptions{{transform(Group::kCurve25519), day(2027, 3, 31)},
                                          {transform(Encryption::kAesCbc, 256), day(2027, 3, 31)}};
  const Profile during = profile_at(ProfileName::kStrict, exceptions, kToday);
  CHECK(during.groups.back() == Group::kCurve25519);
  CHECK(during.esp.front() == CipherSuite{Encryption::kAesGcm16, 256, Integrity::kNone});
  CHECK(has(during, CipherSuite{Encryption::kAesCbc, 256, Integrity::kHmacSha512_256}));
  CHECK_FALSE(has(during, CipherSuite{Encryption::kAesCbc, 128, Integrity::kHmacSha256_128}));
  CHECK(profile_at(ProfileName::kStrict, exceptions, day(2027, 3, 31)) ==
        profile_at(ProfileName::kStrict, {}, day(2027, 3, 31)));
  // An expired algorithm may come back by exception; twice the same changes nothing.
  const std::vector<Exception> again{{transform(Group::kModp2048), day(2032, 1, 1)},
                                     {transform(Group::kModp2048), day(2032, 1, 1)}};
  const Profile late = profile_at(ProfileName::kCompat, again, day(2031, 6, 1));
  CHECK(std::ranges::count(late.groups, Group::kModp2048) == 1);
}

TEST_CASE("no exception brings in what is not listed or not there") {
  const Profile strict = profile_at(ProfileName::kStrict, {}, kToday);
  for (const Transform& t :
       {Transform{TransformType::kKeyExchange, 2, 0, true}, Transform{TransformType::kKeyExchange, 0, 0, true},
        Transform{TransformType::kEncryption, 11, 0, true}, Transform{TransformType::kEncryption, 3, 0, true},
        Transform{TransformType::kPrf, 2, 0, true}, Transform{TransformType::kIntegrity, 2, 0, true},
        Transform{TransformType::kKeyExchange, 36, 0, true}, Transform{TransformType{99}, 1, 0, true},
        Transform{TransformType::kEncryption, 20, 192, true}}) {
    INFO(name(t));
    const std::vector<Exception> one{{t, day(2030, 1, 1)}};
    CHECK(profile_at(ProfileName::kStrict, one, kToday) == strict);
  }
  CHECK(Profile{}.groups.empty());  // a forgotten profile allows nothing
}
