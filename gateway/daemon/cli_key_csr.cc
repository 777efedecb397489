// sekisho key csr FILE: what an authority makes the gateway's certificate from. The private key is read and stays where
// it is.
#include <fmt/format.h>

#include <cerrno>

#include "gateway/core/ike_peers.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli_keys.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/key_file.h"
#include "gateway/os/state_files.h"
#include "tunnel/crypto/certificate_request.h"

namespace gateway::daemon::cli {
namespace {

using config::value::Result;
using tunnel::crypto::AlternativeName;
using tunnel::crypto::DistinguishedName;
using Kind = tunnel::crypto::ClaimedIdentity::Kind;
using tunnel::ike::IdType;

Result<DistinguishedName, std::string> subject_of(const CommandLine& line) {
  const auto text = line.value("--subject");
  if (text.empty()) return std::unexpected("--subject is missing: --subject \"CN=gw.example, O=Centre, C=JP\"");
  auto name = DistinguishedName::parse_text(text);
  if (name) return *std::move(name);
  return std::unexpected("--subject, at its octet " + std::to_string(name.error().at + 1) + ": " + name.error().what);
}

// As the gateway will call itself, where nothing else is said.
std::vector<std::string> own_names(const CommandLine& line) {
  const auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  const auto& gateway = loaded.config.gateway;
  if (!gateway.ikev2.local_id.empty()) return {gateway.ikev2.local_id};
  if (gateway.outside.addresses.empty()) return {};
  return {"ip:" + gateway.outside.addresses.front().to_string()};
}

Result<AlternativeName, std::string> alternative_of(const std::string& text) {
  const auto identity = gateway::core::identity_of(text);
  if (!identity) return std::unexpected("--san '" + text + "': " + identity.error());
  const auto& [type, data] = *identity;
  if (type == IdType::kFqdn) return AlternativeName{Kind::kFqdn, data};
  if (type == IdType::kEmail) return AlternativeName{Kind::kEmail, data};
  if (type == IdType::kIpv4 || type == IdType::kIpv6) return AlternativeName{Kind::kIp, data};
  return std::unexpected("--san '" + text + "': a certificate holds fqdn, ip and email there; a dn is its --subject");
}

// A dn as local_id is the subject; it must be the one that was asked for.
Result<std::vector<AlternativeName>, std::string> names_of(const CommandLine& line, const DistinguishedName& subject) {
  std::vector<AlternativeName> names;
  for (const auto& text : line.values("--san")) names.push_back(TRY(alternative_of(text)));
  if (line.has("--san")) return names;
  const auto own = own_names(line);
  if (own.empty())
    return std::unexpected(
        "--san is missing, and the configuration does not say what the gateway calls itself: --san "
        "fqdn:gw.example");
  for (const auto& text : own) {
    if (!text.starts_with("dn:")) {
      names.push_back(TRY(alternative_of(text)));
    } else if (const auto wanted = DistinguishedName::parse_text(text.substr(3)); !wanted || !(*wanted == subject)) {
      return std::unexpected("gateway.ikev2.local_id is " + text +
                             ", which is another name than --subject; every router would be told the wrong one. Give "
                             "that name, or --san");
    }
  }
  return names;
}

Result<std::string, std::string> request_of(const CommandLine& line) {
  const auto subject = TRY(subject_of(line));
  const auto names = TRY(names_of(line, subject));
  const auto& path = line.words[1];
  const auto text = os::read_private_key_text(path);
  if (!text) return std::unexpected(text.error().to_string());
  const auto key = tunnel::crypto::SigningKey::parse_pem(text->expose());
  if (!key)
    return std::unexpected(path +
                           " is no private key in PEM that is taken here (ECDSA P-256, P-384, P-521; RSA from 2048 "
                           "bits; Ed25519; not encrypted); 'sekisho key generate FILE --kind ecdsa-p384' makes one");
  auto request = tunnel::crypto::certificate_request(*key, subject, names);
  if (!request) return std::unexpected("--san: a name that is empty or not printable ASCII");
  return *std::move(request);
}

}  // namespace

int key_csr(const CommandLine& line) {
  const auto request = request_of(line);
  if (!request) return key_failed(request.error());
  const auto out = line.value("--out");
  if (!out.empty())
    if (auto made = os::create_file(out, *request, 0644); !made)
      return key_failed(made.error().number == EEXIST ? out + " is there already and is not overwritten"
                                                      : made.error().to_string());
  if (line.json())
    fmt::print("{}", one_line({{"version", kControlVersion}, {"file", out}, {"request", *request}}));
  else if (out.empty())
    fmt::print("{}", *request);
  else
    fmt::print("{}: for the authority; it holds no secret. `openssl req -noout -text -in {}` shows it\n", out, out);
  return kFine;
}

}  // namespace gateway::daemon::cli
