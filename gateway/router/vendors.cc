#include "gateway/router/vendors.h"

#include <algorithm>
#include <optional>

#include "tunnel/ike/proposal.h"

namespace gateway::router {
namespace {

using config::value::Result;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Group;
using tunnel::crypto::Integrity;
using tunnel::crypto::Prf;
namespace ike = tunnel::ike;

using enum Encryption;
using enum Integrity;
constexpr auto kSha256 = Prf::kHmacSha256, kSha384 = Prf::kHmacSha384, kSha512 = Prf::kHmacSha512;

// GCM and elliptic curves depend on the model and are not verified.
Vendor yamaha() {
  Vendor v{.name = "yamaha-rtx", .title = "Yamaha RTX"};
  v.ciphers = {{kAesCbc, 256, "aes256-cbc", "aes256-cbc"}, {kAesCbc, 128, "aes-cbc", "aes-cbc"}};
  v.integrities = {{kHmacSha256_128, "sha256", "sha256-hmac"}};
  v.groups = {{Group::kModp2048, "modp2048", "on"}};
  v.identities = {{"fqdn", "fqdn"}, {"ip", "ipv4-addr"}, {"email", "user-fqdn"}};
  v.one_group = true;
  return v;
}

// Seen in a running tunnel: aes-cbc-256, sha2-512, 3072-bit. GCM is in newer series only.
Vendor nec() {
  Vendor v{.name = "nec-ix", .title = "NEC UNIVERGE IX"};
  v.ciphers = {{kAesCbc, 256, "aes-cbc-256", "aes-cbc-256"}, {kAesCbc, 128, "aes-cbc-128", "aes-cbc-128"}};
  v.integrities = {{kHmacSha256_128, "sha2-256", "sha2-256"},
                   {kHmacSha384_192, "sha2-384", "sha2-384"},
                   {kHmacSha512_256, "sha2-512", "sha2-512"}};
  v.prfs = {{kSha256, "sha2-256"}, {kSha384, "sha2-384"}, {kSha512, "sha2-512"}};
  v.groups = {{Group::kModp3072, "3072-bit", "3072-bit"}, {Group::kModp2048, "2048-bit", "2048-bit"}};
  v.identities = {{"fqdn", "fqdn"}, {"ip", "ipv4"}};
  v.prf_follows_integrity = false;
  return v;
}

Vendor cisco() {
  Vendor v{.name = "cisco-ios-xe", .title = "Cisco IOS-XE"};
  v.ciphers = {{kAesGcm16, 256, "aes-gcm-256", "esp-gcm 256"},
               {kAesGcm16, 128, "aes-gcm-128", "esp-gcm 128"},
               {kAesCbc, 256, "aes-cbc-256", "esp-aes 256"},
               {kAesCbc, 128, "aes-cbc-128", "esp-aes 128"}};
  v.integrities = {{kHmacSha256_128, "sha256", "esp-sha256-hmac"},
                   {kHmacSha384_192, "sha384", "esp-sha384-hmac"},
                   {kHmacSha512_256, "sha512", "esp-sha512-hmac"}};
  v.prfs = {{kSha384, "sha384"}, {kSha256, "sha256"}, {kSha512, "sha512"}};
  v.groups = {{Group::kEcp384, "20", "group20"},   {Group::kEcp256, "19", "group19"},
              {Group::kEcp521, "21", "group21"},   {Group::kModp4096, "16", "group16"},
              {Group::kModp3072, "15", "group15"}, {Group::kModp2048, "14", "group14"}};
  v.identities = {{"fqdn", "fqdn"}, {"ip", "address"}, {"email", "email"}};
  v.prf_follows_integrity = false;
  return v;
}

Vendor fortigate() {
  Vendor v{.name = "fortigate", .title = "FortiGate"};
  v.ciphers = {{kAesGcm16, 256, "aes256gcm", "aes256gcm"},
               {kAesGcm16, 128, "aes128gcm", "aes128gcm"},
               {kAesCbc, 256, "aes256", "aes256"},
               {kAesCbc, 128, "aes128", "aes128"}};
  v.integrities = {{kHmacSha256_128, "sha256", "sha256"},
                   {kHmacSha384_192, "sha384", "sha384"},
                   {kHmacSha512_256, "sha512", "sha512"}};
  v.prfs = {{kSha384, "prfsha384"}, {kSha256, "prfsha256"}, {kSha512, "prfsha512"}};
  v.groups = {{Group::kEcp384, "20", "20"},   {Group::kEcp256, "19", "19"},   {Group::kEcp521, "21", "21"},
              {Group::kModp4096, "16", "16"}, {Group::kModp3072, "15", "15"}, {Group::kModp2048, "14", "14"}};
  v.identities = {{"fqdn", "fqdn"}, {"ip", "address"}, {"email", "user-fqdn"}};
  return v;
}

// PFS groups in its documents: 2, 5, 14, 16, 18. ESP with GCM is in newer firmware only.
Vendor allied_ware() {
  Vendor v{.name = "alliedware-plus", .title = "Allied Telesis AlliedWare Plus"};
  v.ciphers = {{kAesCbc, 256, "aes256", "aes256"}, {kAesCbc, 128, "aes128", "aes128"}};
  v.integrities = {{kHmacSha256_128, "sha256", "sha256"}, {kHmacSha512_256, "sha512", "sha512"}};
  v.groups = {{Group::kModp4096, "16", "16"}, {Group::kModp3072, "15", ""}, {Group::kModp2048, "14", "14"}};
  v.identities = {{"fqdn", "fqdn"}, {"ip", "address"}};
  return v;
}

Vendor strong_swan() {
  Vendor v{.name = "strongswan", .title = "strongSwan"};
  v.ciphers = {{kAesGcm16, 256, "aes256gcm16", "aes256gcm16"},
               {kChaCha20Poly1305, 256, "chacha20poly1305", "chacha20poly1305"},
               {kAesGcm16, 128, "aes128gcm16", "aes128gcm16"},
               {kAesCbc, 256, "aes256", "aes256"},
               {kAesCbc, 128, "aes128", "aes128"}};
  v.integrities = {{kHmacSha256_128, "sha256", "sha256"},
                   {kHmacSha384_192, "sha384", "sha384"},
                   {kHmacSha512_256, "sha512", "sha512"}};
  v.prfs = {{kSha384, "prfsha384"}, {kSha256, "prfsha256"}, {kSha512, "prfsha512"}};
  v.groups = {{Group::kEcp384, "ecp384", "ecp384"},
              {Group::kEcp256, "ecp256", "ecp256"},
              {Group::kEcp521, "ecp521", "ecp521"},
              {Group::kModp4096, "modp4096", "modp4096"},
              {Group::kModp3072, "modp3072", "modp3072"},
              {Group::kModp2048, "modp2048", "modp2048"},
              {Group::kCurve25519, "curve25519", "curve25519"}};
  v.identities = {{"fqdn", "fqdn:"}, {"ip", ""}, {"email", "email:"}, {"keyid", "@#"}, {"dn", "asn1dn:#"}};
  v.prf_follows_integrity = false;
  v.ipv6 = v.certificates = v.filter_apart = true;
  return v;
}

Vendor wg_quick() {
  Vendor v{.name = "wg-quick", .title = "WireGuard (wg-quick)", .wireguard = true};
  v.ipv6 = v.filter_apart = true;
  return v;
}

template <class Row, class Fits>
const Row* first(const std::vector<Row>& rows, Fits fits) {
  const auto found = std::ranges::find_if(rows, fits);
  return found == rows.end() ? nullptr : &*found;
}

const CipherWord* cipher_word(const Vendor& vendor, const CipherSuite& suite) {
  return first(vendor.ciphers,
               [&](const auto& row) { return row.encryption == suite.encryption && row.key_bits == suite.key_bits; });
}
const IntegrityWord* integrity_word(const Vendor& vendor, Integrity integrity) {
  return first(vendor.integrities, [&](const auto& row) { return row.integrity == integrity; });
}
const PrfWord* prf_word(const Vendor& vendor, Prf prf) {
  return first(vendor.prfs, [&](const auto& row) { return row.prf == prf; });
}
const GroupWord* group_word(const Vendor& vendor, Group group) {
  return first(vendor.groups, [&](const auto& row) { return row.group == group; });
}

std::optional<CipherSuite> suite_of(const Vendor& vendor, const std::vector<CipherSuite>& allowed) {
  for (const auto& suite : allowed)
    if (cipher_word(vendor, suite) != nullptr &&
        (suite.integrity == kNone || integrity_word(vendor, suite.integrity) != nullptr))
      return suite;
  return std::nullopt;
}

Prf prf_like(Integrity integrity) {
  return integrity == kHmacSha256_128 ? kSha256 : integrity == kHmacSha384_192 ? kSha384 : kSha512;
}

// With integrity: the PRF of the same hash, which every router takes; else the profile's first.
std::optional<Prf> prf_of(const Vendor& vendor, const std::vector<Prf>& allowed, const CipherSuite& suite) {
  const auto is_allowed = [&](Prf prf) { return std::ranges::find(allowed, prf) != allowed.end(); };
  if (suite.integrity != kNone) {
    const auto same = prf_like(suite.integrity);
    const bool has = vendor.prf_follows_integrity || prf_word(vendor, same) != nullptr;
    if (has && is_allowed(same)) return same;
    if (vendor.prf_follows_integrity) return std::nullopt;
  }
  for (const auto prf : allowed)
    if (prf_word(vendor, prf) != nullptr) return prf;
  return std::nullopt;
}

std::optional<Group> group_of(const Vendor& vendor, const std::vector<Group>& allowed, bool with_pfs) {
  for (const auto group : allowed)
    if (const auto* word = group_word(vendor, group); word != nullptr && !word->ike.empty())
      if (!with_pfs || !word->pfs.empty()) return group;
  return std::nullopt;
}

std::optional<Choice> try_choose(const Vendor& vendor, const ike::Profile& profile) {
  const auto ike_suite = suite_of(vendor, profile.ike), esp = suite_of(vendor, profile.esp);
  const auto group = group_of(vendor, profile.groups, true);  // one group for both: the fewest settings
  if (!ike_suite || !esp || !group) return std::nullopt;
  const auto prf = prf_of(vendor, profile.prfs, *ike_suite);
  if (!prf) return std::nullopt;
  return Choice{*ike_suite, *esp, *prf, *group, *group};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (auto word = words.begin(); word != words.end(); ++word)
    if (std::find(words.begin(), word, *word) == word) text += (text.empty() ? "" : ", ") + *word;
  return text;
}

std::string ciphers_of(const std::vector<CipherSuite>& suites) {
  std::vector<std::string> names;
  for (const auto& suite : suites) names.push_back(ike::name(ike::transform(suite.encryption, suite.key_bits)));
  return joined(names);
}

std::string groups_of(const std::vector<Group>& groups) {
  std::vector<std::string> names;
  for (const auto group : groups) names.push_back(ike::name(ike::transform(group)));
  return joined(names);
}

std::string abilities(const Vendor& vendor) {
  std::vector<CipherSuite> suites;
  std::vector<Group> groups;
  for (const auto& row : vendor.ciphers) suites.push_back({row.encryption, row.key_bits, kNone});
  for (const auto& row : vendor.groups) groups.push_back(row.group);
  return ciphers_of(suites) + " and " + groups_of(groups);
}

// What of `choice` the profile does not have, as algorithm_exceptions names it.
std::string missing(const Choice& choice, const ike::Profile& profile) {
  std::vector<std::string> names;
  const auto holds = [](const auto& list, const auto& item) { return std::ranges::find(list, item) != list.end(); };
  if (!holds(profile.ike, choice.ike))
    names.push_back(ike::name(ike::transform(choice.ike.encryption, choice.ike.key_bits)));
  if (!holds(profile.esp, choice.esp))
    names.push_back(ike::name(ike::transform(choice.esp.encryption, choice.esp.key_bits)));
  if (!holds(profile.prfs, choice.prf)) names.push_back(ike::name(ike::transform(choice.prf)));
  if (!holds(profile.groups, choice.group)) names.push_back(ike::name(ike::transform(choice.group)));
  return joined(names);
}

}  // namespace

std::span<const Vendor> vendors() {
  static const std::vector<Vendor> kVendors = {yamaha(),      nec(),         cisco(),   fortigate(),
                                               allied_ware(), strong_swan(), wg_quick()};
  return kVendors;
}

const Vendor* vendor_named(std::string_view name) {
  const auto found = std::ranges::find(vendors(), name, &Vendor::name);
  return found == vendors().end() ? nullptr : &*found;
}

Result<Choice, std::string> choose(const Vendor& vendor, const ike::Profile& profile, config::value::WallTime now) {
  if (const auto choice = try_choose(vendor, profile)) return *choice;
  std::string text = std::string(vendor.title) + " has nothing that " + std::string(ike::name(profile.name)) +
                     " allows here: allowed " + ciphers_of(profile.ike) + " with " + groups_of(profile.groups) +
                     "; known of the router: " + abilities(vendor);
  const auto wider = ike::profile_at(ike::ProfileName::kCompat, {}, now);
  const auto choice = try_choose(vendor, wider);
  if (!choice) return std::unexpected(text + "; no profile allows any of that now");
  if (profile.name == ike::ProfileName::kStrict)
    text += ". Set \"crypto_profile\": \"ipsec-compat\" in \"gateway\" (for every facility), or";
  else
    text += ". Set";
  return std::unexpected(text +
                         " \"algorithm_exceptions\" in this facility's tunnel, each with reason, approved_by and " +
                         "until, for: " + missing(*choice, profile));
}

Words words_of(const Vendor& vendor, const Choice& choice) {
  Words words;
  const auto* ike_row = cipher_word(vendor, choice.ike);
  const auto* esp_row = cipher_word(vendor, choice.esp);
  const auto* group_row = group_word(vendor, choice.group);
  if (ike_row == nullptr || esp_row == nullptr || group_row == nullptr) return words;  // not a choice of this vendor
  words.ike_cipher = ike_row->ike;
  words.esp_cipher = esp_row->esp;
  words.group = group_row->ike;
  words.pfs = group_row->pfs;
  if (const auto* row = integrity_word(vendor, choice.ike.integrity)) words.ike_integrity = row->ike;
  if (const auto* row = integrity_word(vendor, choice.esp.integrity)) words.esp_integrity = row->esp;
  if (const auto* row = prf_word(vendor, choice.prf)) words.prf = row->word;
  return words;
}

}  // namespace gateway::router
