// Which algorithms may be used, and until when: the CRYPTREC table (LS-0001-2022R2) as data, and the two profiles made
// of it. What an exception adds is a value too, with an end; whether somebody may grant it is policy's matter.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/crypto/suite.h"
#include "tunnel/ike/proposal.h"

namespace tunnel::ike {

enum class Status : std::uint8_t {
  kRecommended,  // REC: on the list of recommended ciphers for e-government
  kPqc,          // PQC: on the table of post-quantum algorithms
  kMonitored,    // MON: for compatibility only
  kUnnamed,      // the scheme is recommended, this curve is not named
  kNotListed,    // NO
};
[[nodiscard]] std::string_view name(Status status);  // "REC", "PQC", "MON", "unnamed", "NO"

// One row: an algorithm a peer may offer, implemented here or not, so that records can name it.
struct Algorithm {
  TransformType type;
  std::uint16_t id;
  std::uint16_t key_bits;  // 0: one length, or any
  std::string_view name;   // "AES-256-GCM"
  Status status;
  std::optional<wire::WallTime> expires = {};  // first moment it is no longer allowed
  bool implemented = false;                    // a number of tunnel/crypto/suite.h
};

[[nodiscard]] std::span<const Algorithm> algorithms();
[[nodiscard]] const Algorithm* find_algorithm(const Transform& transform);  // null: a number not in the table
// The one of that name that an exception may allow: implemented, and not with status NO.
[[nodiscard]] std::optional<Transform> exceptional_algorithm(std::string_view name);
// The row's name, or "encryption 99 (128 bit)".
[[nodiscard]] std::string name(const Transform& transform);
[[nodiscard]] std::string_view name(TransformType type);  // "encryption", "PRF", "integrity", "group", "ESN"

// Keys of certificates (requirement: ECDSA, Ed25519, RSA of 3072 bits; 2048 until the end of 2030).
enum class SignatureKey : std::uint8_t { kRsa, kEcdsa, kEd25519 };
struct KeyJudgement {
  bool allowed = false;
  Status status = Status::kNotListed;
  std::optional<wire::WallTime> expires;
  std::string_view remark;  // for a record; empty: nothing to say
};
[[nodiscard]] KeyJudgement judge_key(SignatureKey kind, std::size_t bits, wire::WallTime now);

enum class ProfileName : std::uint8_t { kStrict, kCompat };
[[nodiscard]] std::string_view name(ProfileName profile);  // "ipsec-strict", "ipsec-compat"
[[nodiscard]] std::optional<ProfileName> profile_named(std::string_view text);

// All lists in order of preference. A profile made by default allows nothing.
struct Profile {
  ProfileName name = ProfileName::kStrict;
  std::vector<crypto::CipherSuite> ike, esp;
  std::vector<crypto::Prf> prfs;
  std::vector<crypto::Group> groups;  // of IKE and of PFS
  bool pfs_required = true;           // CREATE_CHILD_SA of an ESP SA needs a new key exchange
  bool preshared_key = false;         // PSK authentication is within the profile
  friend bool operator==(const Profile&, const Profile&) = default;
};

// Of one facility. `algorithm`: encryption, PRF or group that is implemented and not in the profile, or has expired.
struct Exception {
  Transform algorithm;
  wire::WallTime until{};
};

// The profile as it stands at `now`: expired algorithms left out, unexpired exceptions appended (least preferred).
// An algorithm with status NO is never added.
[[nodiscard]] Profile profile_at(ProfileName name, std::span<const Exception> exceptions, wire::WallTime now);

}  // namespace tunnel::ike
