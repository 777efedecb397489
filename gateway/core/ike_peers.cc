#include "gateway/core/ike_peers.h"

#include <sodium.h>

#include <algorithm>
#include <unordered_map>

#include "config/report.h"
#include "tunnel/crypto/distinguished_name.h"
#include "tunnel/ike/profile.h"
#include "tunnel/ike/selectors.h"

namespace gateway::core {
namespace {

using policy::FacilityPlan;
using policy::IkePeer;
using policy::Plan;
using tunnel::crypto::Certificate;
using tunnel::ike::CertificateAuthentication;
using tunnel::ike::IdentityValue;
using tunnel::ike::IdType;
using tunnel::ike::PeerParams;
using Octets = std::vector<std::uint8_t>;

Octets octets_of(std::string_view text) {
  return {text.begin(), text.end()};
}

Result<IdentityValue, std::string> address_identity(std::string_view text) {
  const auto address = TRY(config::value::IpAddress::parse(text));
  const auto octets = address.octets();
  return IdentityValue{address.is_v4() ? IdType::kIpv4 : IdType::kIpv6, {octets.begin(), octets.end()}};
}

Result<IdentityValue, std::string> key_identity(std::string_view text) {
  if (text.empty() || text.size() % 2 != 0) return std::unexpected("keyid has no whole octets");
  Octets octets(text.size() / 2);
  std::size_t length = 0;
  const int bad = sodium_hex2bin(octets.data(), octets.size(), text.data(), text.size(), nullptr, &length, nullptr);
  if (bad != 0 || length != octets.size()) return std::unexpected("keyid is not hexadecimal");
  return IdentityValue{IdType::kKeyId, std::move(octets)};
}

Result<IdentityValue, std::string> name_identity(std::string_view text) {
  const auto name = tunnel::crypto::DistinguishedName::parse_text(text);
  if (name) return IdentityValue{IdType::kDn, name->der()};
  const auto& fault = name.error();
  return std::unexpected("the name after \"dn:\", at its octet " + std::to_string(fault.at + 1) + " (" +
                         config::quoted(text.substr(fault.at)) + "): " + fault.what);
}

// RFC 4945 3.1.5: the octets of the certificate's subject, so that a router that compares nothing else takes it.
Result<IdentityValue, std::string> own_subject(const IdentityValue& wanted, const Octets& certificate,
                                               const std::string& file) {
  const auto own = Certificate::parse(certificate);
  IdentityValue subject{IdType::kDn, own ? own->subject_der() : Octets{}};
  if (subject == wanted) return subject;
  return std::unexpected("local_id is " + tunnel::ike::to_string(wanted.view()) + ", but " + file +
                         " is the certificate of " + tunnel::ike::to_string(subject.view()));
}

Result<const Octets*, std::string> file(const IkeCredentials& credentials, const std::string& name) {
  const auto found = std::ranges::find(credentials.files, name, &NamedOctets::name);
  if (found == credentials.files.end() || found->octets.empty())
    return std::unexpected("the file " + name + " could not be read");
  return &found->octets;
}

Result<std::vector<Certificate>, std::string> certificates(const IkeCredentials& credentials, const std::string& name) {
  const Octets* octets = TRY(file(credentials, name));
  auto all = Certificate::parse_pem(*octets);
  if (!all) return std::unexpected(name + " is not a PEM file of certificates");
  return *std::move(all);
}

tunnel::crypto::Revocation revocation_of(config::RevocationCheck check) {
  switch (check) {
    case config::RevocationCheck::kRequired:
      return tunnel::crypto::Revocation::kRequired;
    case config::RevocationCheck::kWhereListed:
      return tunnel::crypto::Revocation::kWhereListed;
    case config::RevocationCheck::kNotChecked:
      return tunnel::crypto::Revocation::kNotChecked;
  }
  return tunnel::crypto::Revocation::kRequired;
}

Result<CertificateAuthentication, std::string> read_authentication(const Plan& plan, const IkePeer& peer,
                                                                   const IkeCredentials& credentials) {
  CertificateAuthentication out;
  out.key = plan.signing_key;
  for (const std::uint16_t scheme : credentials.signature_schemes)
    out.schemes.push_back(static_cast<tunnel::crypto::SignatureScheme>(scheme));
  if (out.schemes.empty()) return std::unexpected("the gateway's signing key was not read");
  const auto chain = TRY(certificates(credentials, plan.certificate_file));
  const auto own_key = chain.front().public_key();
  if (credentials.signing_key_mark != 0 && (!own_key || own_key->mark() != credentials.signing_key_mark))
    return std::unexpected(plan.certificate_file + " is not the certificate of the key " + plan.signing_key +
                           ": every router would refuse our signature");
  std::size_t octets = 0;
  for (const Certificate& own : chain) out.chain.push_back(own.der()), octets += own.der().size();
  if (octets > tunnel::ike::kMostChain)
    return std::unexpected(plan.certificate_file + " holds " + std::to_string(octets) +
                           " octets of certificates, more than the " + std::to_string(tunnel::ike::kMostChain) +
                           " that fit an IKE message: only the gateway's own and what leads to its authority");
  auto trust = std::make_shared<tunnel::crypto::CertificateTrust>();
  for (const Certificate& authority : TRY(certificates(credentials, peer.authority_file))) {
    trust->add_authority(authority);
    out.authorities.push_back(authority.authority_hash());
  }
  if (!peer.revocation_list_file.empty()) {
    const Octets* list = TRY(file(credentials, peer.revocation_list_file));
    if (!trust->add_revocation_list(*list))
      return std::unexpected(peer.revocation_list_file + " is no revocation list");
  }
  out.trust = std::move(trust);
  out.revocation = revocation_of(peer.revocation);
  out.list_grace = std::chrono::hours(24) * peer.list_grace_days;
  return out;
}

Result<tunnel::ike::Profile, std::string> profile_of(const Plan& plan, const IkePeer& peer,
                                                     config::value::WallTime now) {
  std::vector<tunnel::ike::Exception> exceptions;
  for (const auto& exception : peer.exceptions)
    exceptions.push_back({TRY(algorithm_of(exception.algorithm)), exception.until});
  const bool strict = plan.crypto_profile == config::CryptoProfile::kIpsecStrict;
  const auto name = strict ? tunnel::ike::ProfileName::kStrict : tunnel::ike::ProfileName::kCompat;
  tunnel::ike::Profile profile = tunnel::ike::profile_at(name, exceptions, now);
  // 256 random bits of our own making, one facility each (config/check_tunnels): allowed, with a warning there.
  profile.preshared_key = profile.preshared_key || !peer.preshared_key.empty();
  return profile;
}

}  // namespace

Result<IdentityValue, std::string> identity_of(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::unexpected("an identity without a kind");
  const std::string_view kind = text.substr(0, colon), value = text.substr(colon + 1);
  if (kind == "fqdn") return IdentityValue{IdType::kFqdn, octets_of(value)};
  if (kind == "email") return IdentityValue{IdType::kEmail, octets_of(value)};
  if (kind == "ip") return address_identity(value);
  if (kind == "keyid") return key_identity(value);
  if (kind == "dn") return name_identity(value);
  return std::unexpected("there is no identity of the kind \"" + std::string(kind) +
                         "\"; use fqdn, ip, email, keyid or dn");
}

Result<tunnel::ike::Transform, std::string> algorithm_of(std::string_view name) {
  if (const auto found = tunnel::ike::exceptional_algorithm(name)) return *found;
  std::vector<std::string_view> names;
  for (const tunnel::ike::Algorithm& row : tunnel::ike::algorithms())
    if (tunnel::ike::exceptional_algorithm(row.name)) names.push_back(row.name);
  const std::string meant = config::did_you_mean(name, names);
  return std::unexpected("\"" + std::string(name) + "\" is no algorithm an exception can name" +
                         (meant.empty() ? "" : "; " + meant));
}

std::optional<std::string> too_many_destinations(std::size_t count) {
  if (count <= tunnel::ike::kMaximumSelectors) return std::nullopt;
  return "it may reach " + std::to_string(count) + " addresses; an IKEv2 tunnel can name " +
         std::to_string(tunnel::ike::kMaximumSelectors);
}

std::map<std::string_view, std::set<tunnel::wire::Prefix>> destinations_of(const Plan& plan) {
  std::unordered_map<std::string_view, std::vector<tunnel::wire::Prefix>> found;  // many rows name one end
  for (const policy::Permission& permission : plan.permissions) {
    found[permission.from_facility.text].push_back(permission.destination);
    found[permission.to_facility.text].push_back(permission.source);
  }
  std::map<std::string_view, std::set<tunnel::wire::Prefix>> reached;
  for (auto& [facility, prefixes] : found) {
    std::sort(prefixes.begin(), prefixes.end());
    prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    reached[facility].insert(prefixes.begin(), prefixes.end());
  }
  return reached;
}

IkePeers::IkePeers(const Plan& plan, const IkeCredentials& credentials, config::value::WallTime now)
    : plan_(plan), credentials_(credentials), now_(now) {
  for (const auto& [facility, prefixes] : destinations_of(plan))
    networks_[facility] = {prefixes.begin(), prefixes.end()};
}

Result<PeerParams, std::string> IkePeers::peer(const FacilityPlan& facility) {
  auto params = params_of(facility);
  if (!params) return std::unexpected("facility " + facility.name.text + ": " + params.error());
  return params;
}

Result<PeerParams, std::string> IkePeers::params_of(const FacilityPlan& facility) {
  const IkePeer& peer = *facility.ike;
  PeerParams params;
  params.local_id = TRY(identity_of(peer.local_id));
  params.remote_id = TRY(identity_of(peer.remote_id));
  params.preshared_key = peer.preshared_key;
  if (!peer.authority_file.empty()) params.certificate = TRY(authentication(peer));
  if (params.certificate && params.local_id.type == IdType::kDn)
    params.local_id = TRY(own_subject(params.local_id, params.certificate->chain.front(), plan_.certificate_file));
  if (peer.endpoint) params.endpoint = tunnel::wire::SocketAddress{*peer.endpoint, 500};
  if (!peer.ppk.empty()) params.ppk = tunnel::ike::PpkParams{peer.ppk_id, peer.ppk, peer.ppk_required};
  params.start = peer.endpoint.has_value();
  params.force_encapsulation = peer.always_in_udp;
  params.outer_sources = facility.sources;
  params.local_networks = networks_[facility.name.text];
  for (const policy::NetworkMap& map : facility.networks) params.remote_networks.push_back(map.real);
  params.profile = TRY(profile_of(plan_, peer, now_));
  if (auto fault = too_many_destinations(params.local_networks.size())) return std::unexpected(*std::move(fault));
  return params;
}

// Most facilities share one authority and its list: read once.
Result<CertificateAuthentication, std::string> IkePeers::authentication(const IkePeer& peer) {
  const auto key = std::tuple(peer.authority_file, peer.revocation_list_file, peer.revocation, peer.list_grace_days);
  if (const auto known = authentications_.find(key); known != authentications_.end()) return known->second;
  auto read = TRY(read_authentication(plan_, peer, credentials_));
  authorities_.insert(read.authorities.begin(), read.authorities.end());
  if (authorities_.size() > tunnel::ike::kMostAuthorities)
    return std::unexpected("the authority files of all facilities together have more than " +
                           std::to_string(tunnel::ike::kMostAuthorities) + " different certificates");
  return authentications_.emplace(key, std::move(read)).first->second;
}

std::vector<std::string> certificate_files(const Plan& plan) {
  std::set<std::string> names;
  for (const FacilityPlan& facility : plan.facilities) {
    if (!facility.ike || facility.ike->authority_file.empty()) continue;
    names.insert(plan.certificate_file);
    names.insert(facility.ike->authority_file);
    if (!facility.ike->revocation_list_file.empty()) names.insert(facility.ike->revocation_list_file);
  }
  return {names.begin(), names.end()};
}

}  // namespace gateway::core
