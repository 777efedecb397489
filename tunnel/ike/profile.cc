// The two profiles (requirements 2.2) as data.
#include "tunnel/ike/profile.h"

#include <algorithm>

namespace tunnel::ike {
namespace {

using crypto::CipherSuite;
using crypto::Encryption;
using crypto::Group;
using crypto::Integrity;
using crypto::Prf;

constexpr CipherSuite kGcm256{Encryption::kAesGcm16, 256, Integrity::kNone};

Profile strict() {
  Profile profile;
  profile.name = ProfileName::kStrict;
  profile.ike = profile.esp = {kGcm256};
  profile.prfs = {Prf::kHmacSha384};
  profile.groups = {Group::kEcp384, Group::kEcp256, Group::kEcp521, Group::kModp4096};
  return profile;
}

std::vector<CipherSuite> with_every_integrity(std::uint16_t key_bits) {
  std::vector<CipherSuite> suites;
  for (const Integrity integrity :
       {Integrity::kHmacSha256_128, Integrity::kHmacSha384_192, Integrity::kHmacSha512_256}) {
    suites.push_back({Encryption::kAesCbc, key_bits, integrity});
  }
  return suites;
}

Profile compat() {
  Profile profile;
  profile.name = ProfileName::kCompat;
  profile.ike = {
      kGcm256, {Encryption::kChaCha20Poly1305, 256, Integrity::kNone}, {Encryption::kAesGcm16, 128, Integrity::kNone}};
  for (const std::uint16_t key_bits : {std::uint16_t{256}, std::uint16_t{128}}) {
    std::ranges::copy(with_every_integrity(key_bits), std::back_inserter(profile.ike));
  }
  profile.esp = profile.ike;
  profile.prfs = {Prf::kHmacSha384, Prf::kHmacSha256, Prf::kHmacSha512};
  profile.groups = {Group::kEcp384,   Group::kEcp256,   Group::kEcp521,
                    Group::kModp4096, Group::kModp3072, Group::kModp2048};
  profile.pfs_required = false;
  profile.preshared_key = true;
  return profile;
}

bool expired(const Transform& transform, wire::WallTime now) {
  const Algorithm* const row = find_algorithm(transform);
  return row == nullptr || (row->expires && *row->expires <= now);
}

void leave_out_expired(Profile& profile, wire::WallTime now) {
  const auto suite_expired = [&](const CipherSuite& s) {
    return expired(transform(s.encryption, s.key_bits), now) ||
           (s.integrity != Integrity::kNone && expired(transform(s.integrity), now));
  };
  std::erase_if(profile.ike, suite_expired);
  std::erase_if(profile.esp, suite_expired);
  std::erase_if(profile.prfs, [&](Prf prf) { return expired(transform(prf), now); });
  std::erase_if(profile.groups, [&](Group group) { return expired(transform(group), now); });
}

template <class T>
void add(std::vector<T>& list, const T& value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

void add_encryption(Profile& profile, const Transform& allowed) {
  const Encryption encryption{allowed.id};
  std::vector<CipherSuite> suites{{encryption, 256, Integrity::kNone}};
  if (encryption == Encryption::kAesGcm16) suites[0].key_bits = allowed.key_bits;
  if (encryption == Encryption::kAesCbc) suites = with_every_integrity(allowed.key_bits);
  for (const CipherSuite& suite : suites) add(profile.ike, suite), add(profile.esp, suite);
}

void apply(Profile& profile, const Exception& exception) {
  const Algorithm* const row = find_algorithm(exception.algorithm);
  if (row == nullptr || !row->implemented || row->status == Status::kNotListed) return;
  switch (exception.algorithm.type) {
    case TransformType::kEncryption:
      return add_encryption(profile, exception.algorithm);
    case TransformType::kPrf:
      return add(profile.prfs, Prf{exception.algorithm.id});
    case TransformType::kKeyExchange:
      return add(profile.groups, Group{exception.algorithm.id});
    case TransformType::kIntegrity:  // comes with the cipher that needs it
    case TransformType::kSequenceNumbers:
      return;
  }
}

}  // namespace

std::optional<Transform> exceptional_algorithm(std::string_view name) {
  for (const Algorithm& row : algorithms())
    if (row.name == name && row.implemented && row.status != Status::kNotListed)
      return Transform{row.type, row.id, row.key_bits};
  return std::nullopt;
}

std::string_view name(ProfileName profile) {
  return profile == ProfileName::kStrict ? "ipsec-strict" : "ipsec-compat";
}

std::optional<ProfileName> profile_named(std::string_view text) {
  for (const ProfileName profile : {ProfileName::kStrict, ProfileName::kCompat}) {
    if (name(profile) == text) return profile;
  }
  return std::nullopt;
}

Profile profile_at(ProfileName profile_name, std::span<const Exception> exceptions, wire::WallTime now) {
  Profile profile = profile_name == ProfileName::kStrict ? strict() : compat();
  leave_out_expired(profile, now);
  for (const Exception& exception : exceptions) {
    if (now < exception.until) apply(profile, exception);
  }
  return profile;
}

}  // namespace tunnel::ike
