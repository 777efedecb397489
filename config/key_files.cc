// Judging what the shell saw of the key files. The keys themselves never come here, only their fingerprints.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "config/load.h"

namespace config {
namespace {

struct Reference {
  std::string path;
  std::string owner;  // "facility \"hakodate\"" or "the gateway"
  std::string key_path;
  Position at;
};

std::vector<Reference> references(const GatewayConfig& config) {
  const auto& gateway = config.gateway;
  std::vector<Reference> all;
  if (has_wireguard(config))
    all.push_back(
        {gateway.wireguard.private_key_file, "the gateway", "gateway.wireguard.private_key_file", gateway.at});
  for (const auto& facility : config.facilities) {
    const auto owner = fmt::format("facility \"{}\"", facility.name.text);
    const auto path = fmt::format("facilities.{}.tunnel.", facility.name.text);
    const auto& tunnel = facility.tunnel;
    if (tunnel.wireguard.preshared_key_file)
      all.push_back({*tunnel.wireguard.preshared_key_file, owner, path + "preshared_key_file", tunnel.at});
    if (tunnel.ikev2.psk_file)
      all.push_back({*tunnel.ikev2.psk_file, owner, path + "authentication.psk_file", tunnel.at});
    if (tunnel.ikev2.ppk) all.push_back({tunnel.ikev2.ppk->file, owner, path + "ppk.file", tunnel.at});
  }
  return all;
}

struct Verdict {
  std::string_view message;
  std::string_view hint;
};

Verdict verdict(KeyFileFact::State state) {
  switch (state) {
    case KeyFileFact::State::kGood:
      return {};
    case KeyFileFact::State::kMissing:
      return {"there is no key file", "make it with `sekisho key generate`"};
    case KeyFileFact::State::kUnreadable:
      return {"cannot read the key file", ""};
    case KeyFileFact::State::kOpenToOthers:
      return {"others may read the key file",
              "chmod 0600, owned by the gateway's user; if others had access, make a new key"};
    case KeyFileFact::State::kMalformed:
      return {"this is no key file", "32 octets as 44 characters of base64, as `sekisho key generate` writes them"};
    case KeyFileFact::State::kWeak:
      return {"the key is a placeholder, not a random key", "make it with `sekisho key generate`"};
  }
  return {"the key file is in an unknown state", ""};
}

Diagnostic diagnose(const Reference& reference, const KeyFileFact& fact) {
  const auto [message, hint] = verdict(fact.state);
  Diagnostic diagnostic;
  diagnostic.at = reference.at;
  diagnostic.key_path = reference.key_path;
  diagnostic.message = fmt::format("{} {}{}", message, reference.path, fact.detail.empty() ? "" : ": " + fact.detail);
  diagnostic.hint = hint;
  return diagnostic;
}

// Two owners, one secret: whoever holds it can be taken for the other.
Diagnostic same_secret(const Reference& reference, const Reference& other) {
  Diagnostic diagnostic;
  diagnostic.at = reference.at;
  diagnostic.key_path = reference.key_path;
  diagnostic.message =
      fmt::format("{} holds the same key as {} ({} and {})", reference.owner, other.owner, reference.path, other.path);
  diagnostic.hint = "each has a key of its own: `sekisho key generate`";
  diagnostic.also.push_back({other.at, other.key_path});
  return diagnostic;
}

void check_own_key(const GatewayConfig& config, const KeyFileFact& own, std::vector<Diagnostic>& found) {
  for (const auto& facility : config.facilities) {
    if (own.public_key.empty() || facility.tunnel.wireguard.public_key != own.public_key) continue;
    Diagnostic diagnostic;
    diagnostic.at = facility.tunnel.at;
    diagnostic.key_path = fmt::format("facilities.{}.tunnel.public_key", facility.name.text);
    diagnostic.message = "this is the gateway's own public key";
    diagnostic.hint = "the facility's own key stands here; the gateway's goes to the facility";
    diagnostic.also.push_back({config.gateway.at, "gateway.wireguard.private_key_file"});
    found.push_back(std::move(diagnostic));
  }
}

}  // namespace

std::vector<CredentialFile> credential_files(const GatewayConfig& config) {
  std::vector<CredentialFile> all;
  const auto add = [&all](const std::string& path, const std::string& key_path, CredentialFile::Kind kind,
                          const Position& at) {
    const auto same = [&](const CredentialFile& each) { return each.path == path && each.kind == kind; };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back({path, key_path, kind, at});
  };
  using Kind = CredentialFile::Kind;
  const auto& own = config.gateway.ikev2;
  for (const auto& facility : config.facilities) {
    const auto& certificate = facility.tunnel.ikev2.certificate;
    if (!certificate) continue;
    const auto path = fmt::format("facilities.{}.tunnel.authentication.", facility.name.text);
    if (own.certificate_file) add(*own.certificate_file, "gateway.ikev2.certificate_file", Kind::kCertificates, own.at);
    if (own.private_key_file) add(*own.private_key_file, "gateway.ikev2.private_key_file", Kind::kSigningKey, own.at);
    add(certificate->authority_file, path + "certificate_authority_file", Kind::kCertificates, facility.tunnel.at);
    if (certificate->revocation_list_file)
      add(*certificate->revocation_list_file, path + "revocation_list_file", Kind::kRevocationList, facility.tunnel.at);
  }
  return all;
}

std::vector<std::string> referenced_key_files(const GatewayConfig& config) {
  std::vector<std::string> paths;
  std::map<std::string, bool> seen;
  for (const auto& reference : references(config))
    if (seen.emplace(reference.path, true).second) paths.push_back(reference.path);
  return paths;
}

std::vector<Diagnostic> check_key_files(const GatewayConfig& config, const std::vector<KeyFileFact>& facts) {
  std::map<std::string, const KeyFileFact*> by_path;
  for (const auto& fact : facts) by_path.emplace(fact.path, &fact);
  std::vector<Diagnostic> found;
  std::map<std::string, Reference> by_fingerprint;
  for (const auto& reference : references(config)) {
    const auto known = by_path.find(reference.path);
    const KeyFileFact missing{reference.path, KeyFileFact::State::kMissing, {}, {}, "it was not looked at"};
    const KeyFileFact& fact = known == by_path.end() ? missing : *known->second;
    if (fact.state != KeyFileFact::State::kGood) found.push_back(diagnose(reference, fact));
    if (reference.path == config.gateway.wireguard.private_key_file) check_own_key(config, fact, found);
    if (fact.fingerprint.empty()) continue;
    const auto [first, is_new] = by_fingerprint.emplace(fact.fingerprint, reference);
    if (!is_new && first->second.path != reference.path) found.push_back(same_secret(reference, first->second));
  }
  return found;
}

}  // namespace config
