// Which routers a configuration can be written for, what each can do, and its own words for it. A row holds what the
// vendor's documents or a running tunnel show (knowledge of section 6 of the requirements), not what might work.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"
#include "tunnel/ike/profile.h"

namespace gateway::router {

struct CipherWord {
  tunnel::crypto::Encryption encryption;
  std::uint16_t key_bits;
  std::string_view ike, esp;  // empty: cannot
};
struct IntegrityWord {
  tunnel::crypto::Integrity integrity;
  std::string_view ike, esp;
};
struct PrfWord {
  tunnel::crypto::Prf prf;
  std::string_view word;
};
struct GroupWord {
  tunnel::crypto::Group group;
  std::string_view ike, pfs;  // an empty one: cannot
};
struct IdentityWord {
  std::string_view kind, word;  // "fqdn", the vendor's word; what is not there cannot be written for it
};

struct Vendor {
  std::string_view name, title;  // also the template's name
  bool wireguard = false;
  std::vector<CipherWord> ciphers = {};
  std::vector<IntegrityWord> integrities = {};
  std::vector<PrfWord> prfs = {};
  std::vector<GroupWord> groups = {};
  std::vector<IdentityWord> identities = {};
  bool prf_follows_integrity = true;  // with a cipher that needs integrity there is no setting for the PRF
  bool one_group = false;             // PFS takes the group of IKE
  bool ipv6 = false;                  // outside and inside, by our template
  bool certificates = false;          // by our template
  bool filter_apart = false;          // the packet filter is a file of its own: template "NAME-filter"
};

[[nodiscard]] std::span<const Vendor> vendors();
[[nodiscard]] const Vendor* vendor_named(std::string_view name);

// One of each, the best that both the profile and the router have.
struct Choice {
  tunnel::crypto::CipherSuite ike, esp;
  tunnel::crypto::Prf prf{};
  tunnel::crypto::Group group{}, pfs{};
};

// The error says what is missing on which side, and the two ways out: another profile, or these exceptions.
[[nodiscard]] config::value::Result<Choice, std::string> choose(const Vendor& vendor,
                                                                const tunnel::ike::Profile& profile,
                                                                config::value::WallTime now);

struct Words {
  std::string_view ike_cipher, ike_integrity, prf, group, esp_cipher, esp_integrity, pfs;  // integrity: "" with AEAD
};
[[nodiscard]] Words words_of(const Vendor& vendor, const Choice& choice);

}  // namespace gateway::router
