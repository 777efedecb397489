// The table: CRYPTREC LS-0001-2022R2 as far as IKEv2 and ESP can name it. Expiry: the 112-bit level ends with 2030
// (LS-0003-2022R1). Numbers from the registry "IKEv2 Parameters".
#include <algorithm>

#include "tunnel/ike/profile.h"

namespace tunnel::ike {
namespace {

using enum TransformType;
using enum Status;

constexpr wire::WallTime day(int year, unsigned month, unsigned day_of_month) {
  const std::chrono::sys_days days =
      std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day_of_month);
  return wire::WallTime(std::chrono::duration_cast<wire::Duration>(days.time_since_epoch()));
}
constexpr wire::WallTime kEndOf112Bit = day(2031, 1, 1);
constexpr std::optional<wire::WallTime> kOpenEnd{};

constexpr auto kTable = std::to_array<Algorithm>({
    {kEncryption, 20, 256, "AES-256-GCM", kRecommended, kOpenEnd, true},
    {kEncryption, 20, 192, "AES-192-GCM", kRecommended},
    {kEncryption, 20, 128, "AES-128-GCM", kRecommended, kOpenEnd, true},
    {kEncryption, 28, 0, "ChaCha20-Poly1305", kRecommended, kOpenEnd, true},
    {kEncryption, 12, 256, "AES-256-CBC", kRecommended, kOpenEnd, true},
    {kEncryption, 12, 192, "AES-192-CBC", kRecommended},
    {kEncryption, 12, 128, "AES-128-CBC", kRecommended, kOpenEnd, true},
    {kEncryption, 13, 0, "AES-CTR", kRecommended},
    {kEncryption, 14, 0, "AES-CCM with 8-octet ICV", kRecommended},
    {kEncryption, 15, 0, "AES-CCM with 12-octet ICV", kRecommended},
    {kEncryption, 16, 0, "AES-CCM with 16-octet ICV", kRecommended},
    {kEncryption, 18, 0, "AES-GCM with 8-octet ICV", kRecommended},
    {kEncryption, 19, 0, "AES-GCM with 12-octet ICV", kRecommended},
    {kEncryption, 23, 0, "Camellia-CBC", kRecommended},
    {kEncryption, 1, 0, "DES with 64-bit IV", kNotListed},
    {kEncryption, 2, 0, "DES", kNotListed},
    {kEncryption, 3, 0, "3DES", kMonitored},
    {kEncryption, 5, 0, "IDEA", kNotListed},
    {kEncryption, 6, 0, "CAST", kNotListed},
    {kEncryption, 7, 0, "Blowfish", kNotListed},
    {kEncryption, 11, 0, "NULL", kNotListed},
    {kPrf, 5, 0, "PRF-HMAC-SHA-256", kRecommended, kOpenEnd, true},
    {kPrf, 6, 0, "PRF-HMAC-SHA-384", kRecommended, kOpenEnd, true},
    {kPrf, 7, 0, "PRF-HMAC-SHA-512", kRecommended, kOpenEnd, true},
    {kPrf, 1, 0, "PRF-HMAC-MD5", kNotListed},
    {kPrf, 2, 0, "PRF-HMAC-SHA1", kMonitored},
    {kPrf, 4, 0, "PRF-AES-XCBC", kNotListed},
    {kPrf, 8, 0, "PRF-AES-CMAC", kRecommended},
    {kIntegrity, 12, 0, "HMAC-SHA-256", kRecommended, kOpenEnd, true},
    {kIntegrity, 13, 0, "HMAC-SHA-384", kRecommended, kOpenEnd, true},
    {kIntegrity, 14, 0, "HMAC-SHA-512", kRecommended, kOpenEnd, true},
    {kIntegrity, 0, 0, "no integrity", kNotListed},
    {kIntegrity, 1, 0, "HMAC-MD5", kNotListed},
    {kIntegrity, 2, 0, "HMAC-SHA1", kMonitored},
    {kIntegrity, 5, 0, "AES-XCBC", kNotListed},
    {kIntegrity, 8, 0, "AES-CMAC", kRecommended},
    {kKeyExchange, 20, 0, "ECP-384", kRecommended, kOpenEnd, true},
    {kKeyExchange, 19, 0, "ECP-256", kRecommended, kOpenEnd, true},
    {kKeyExchange, 21, 0, "ECP-521", kRecommended, kOpenEnd, true},
    {kKeyExchange, 16, 0, "MODP-4096", kRecommended, kOpenEnd, true},
    {kKeyExchange, 15, 0, "MODP-3072", kRecommended, kOpenEnd, true},
    {kKeyExchange, 14, 0, "MODP-2048", kRecommended, kEndOf112Bit, true},
    {kKeyExchange, 31, 0, "Curve25519", kUnnamed, kOpenEnd, true},
    {kKeyExchange, 32, 0, "Curve448", kUnnamed},
    {kKeyExchange, 0, 0, "no group", kNotListed},
    {kKeyExchange, 1, 0, "MODP-768", kNotListed},
    {kKeyExchange, 2, 0, "MODP-1024", kNotListed},
    {kKeyExchange, 5, 0, "MODP-1536", kNotListed},
    {kKeyExchange, 17, 0, "MODP-6144", kRecommended},
    {kKeyExchange, 18, 0, "MODP-8192", kRecommended},
    {kKeyExchange, 22, 0, "MODP-1024 with 160-bit subgroup", kNotListed},
    {kKeyExchange, 23, 0, "MODP-2048 with 224-bit subgroup", kNotListed},
    {kKeyExchange, 24, 0, "MODP-2048 with 256-bit subgroup", kNotListed},
    {kKeyExchange, 25, 0, "ECP-192", kNotListed},
    {kKeyExchange, 26, 0, "ECP-224", kNotListed},
    {kKeyExchange, 27, 0, "brainpool P-224", kNotListed},
    {kKeyExchange, 28, 0, "brainpool P-256", kUnnamed},
    {kKeyExchange, 29, 0, "brainpool P-384", kUnnamed},
    {kKeyExchange, 30, 0, "brainpool P-512", kUnnamed},
    {kKeyExchange, 35, 0, "ML-KEM-512", kNotListed},
    {kKeyExchange, 36, 0, "ML-KEM-768", kPqc},
    {kKeyExchange, 37, 0, "ML-KEM-1024", kPqc},
    {kSequenceNumbers, 0, 0, "no ESN", kRecommended, kOpenEnd, true},
    {kSequenceNumbers, 1, 0, "ESN", kRecommended, kOpenEnd, true},
});

}  // namespace

std::span<const Algorithm> algorithms() {
  return kTable;
}

const Algorithm* find_algorithm(const Transform& transform) {
  const auto found = std::ranges::find_if(kTable, [&](const Algorithm& row) {
    return row.type == transform.type && row.id == transform.id &&
           (row.key_bits == 0 || row.key_bits == transform.key_bits);
  });
  return found == kTable.end() ? nullptr : &*found;
}

std::string name(const Transform& transform) {
  const Algorithm* const row = find_algorithm(transform);
  std::string text =
      row != nullptr ? std::string(row->name) : std::string(name(transform.type)) + " " + std::to_string(transform.id);
  const bool says_bits = row != nullptr && row->key_bits != 0;
  if (transform.key_bits != 0 && !says_bits) text += " (" + std::to_string(transform.key_bits) + " bit)";
  if (!transform.understood) text += " with an unknown attribute";
  return text;
}

std::string_view name(TransformType type) {
  switch (type) {
    case kEncryption:
      return "encryption";
    case kPrf:
      return "PRF";
    case kIntegrity:
      return "integrity";
    case kKeyExchange:
      return "group";
    case kSequenceNumbers:
      return "ESN";
  }
  return "transform of an unknown type";
}

std::string_view name(Status status) {
  switch (status) {
    case kRecommended:
      return "REC";
    case kPqc:
      return "PQC";
    case kMonitored:
      return "MON";
    case kUnnamed:
      return "unnamed";
    case kNotListed:
      return "NO";
  }
  return "NO";
}

KeyJudgement judge_key(SignatureKey kind, std::size_t bits, wire::WallTime now) {
  if (kind == SignatureKey::kEd25519) return {true, kRecommended, {}, ""};
  if (kind == SignatureKey::kEcdsa) {
    const bool named = bits == 256 || bits == 384 || bits == 521;
    return {
        named, named ? kRecommended : kNotListed, {}, named ? "" : "ECDSA on a curve other than P-256, P-384, P-521"};
  }
  if (bits >= 3072) return {true, kRecommended, {}, ""};
  if (bits < 2048) return {false, kNotListed, {}, "RSA key under 2048 bits"};
  return {now < kEndOf112Bit, kRecommended, kEndOf112Bit, "RSA key under 3072 bits: allowed until 2030-12-31"};
}

}  // namespace tunnel::ike
