// A facility of the plan as an IKEv2 peer: identities, profile with its exceptions, certificates, and what its CHILD
// SAs may carry. Pure: the octets of certificate files are given.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/gateway_config.h"
#include "config/value/result.h"
#include "gateway/core/messages.h"
#include "tunnel/ike/endpoint.h"

namespace gateway::core {

using config::value::Result;

// "fqdn:...", "ip:...", "email:...", "keyid:..." or "dn:..." as an ID payload has it (RFC 7296 3.5). Error: a sentence.
[[nodiscard]] Result<tunnel::ike::IdentityValue, std::string> identity_of(std::string_view text);

// The algorithm of that name in the table of the profiles, when an exception may name it: implemented, and not one that
// must never be used. Error: a sentence, with what was probably meant.
[[nodiscard]] Result<tunnel::ike::Transform, std::string> algorithm_of(std::string_view name);

struct IkeCredentials {
  std::span<const std::uint16_t> signature_schemes;  // of the plan's signing key, the best first
  std::span<const NamedOctets> files;                // of every file the plan names
  std::uint64_t signing_key_mark = 0;                // tunnel::crypto::PublicKey::mark of its public half; 0: unknown
};

// The peers of one plan; what several of them share is made once. Outlived by what it is given.
class IkePeers {
 public:
  IkePeers(const policy::Plan& plan, const IkeCredentials& credentials, config::value::WallTime now);
  // `id` of the result is not set. Our side of its selectors is what the plan's permissions let the facility reach and
  // what they let reach it; everything else never fits. Error: a sentence that names the facility.
  [[nodiscard]] Result<tunnel::ike::PeerParams, std::string> peer(const policy::FacilityPlan& facility);

 private:
  [[nodiscard]] Result<tunnel::ike::PeerParams, std::string> params_of(const policy::FacilityPlan& facility);
  [[nodiscard]] Result<tunnel::ike::CertificateAuthentication, std::string> authentication(const policy::IkePeer& peer);

  const policy::Plan& plan_;
  IkeCredentials credentials_;
  config::value::WallTime now_;
  std::map<std::string_view, std::vector<tunnel::wire::Prefix>> networks_;  // by facility
  std::map<std::tuple<std::string, std::string, config::RevocationCheck, std::uint16_t>,
           tunnel::ike::CertificateAuthentication>
      authentications_;
  std::set<std::array<std::uint8_t, 20>> authorities_;  // of all facilities read so far
};

// RFC 7296 3.13: a payload counts its selectors in one octet. A sentence when a facility may reach more.
[[nodiscard]] std::optional<std::string> too_many_destinations(std::size_t count);

// By facility: what the other ends of its permissions are. A reference into the plan.
[[nodiscard]] std::map<std::string_view, std::set<tunnel::wire::Prefix>> destinations_of(const policy::Plan& plan);

// Names of the files with certificates and revocation lists that the plan needs, each once.
[[nodiscard]] std::vector<std::string> certificate_files(const policy::Plan& plan);

}  // namespace gateway::core
