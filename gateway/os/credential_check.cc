#include "gateway/os/credential_check.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "gateway/audit/certificate_ends.h"
#include "gateway/core/ike_peers.h"
#include "gateway/os/certificate_files.h"
#include "gateway/os/key_file.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/revocation_list.h"
#include "tunnel/ike/claimed_identity.h"

namespace gateway::os {
namespace {

using config::Severity;
using config::WallTime;
using std::chrono::days;
using tunnel::crypto::Certificate;
using tunnel::crypto::RevocationList;
using tunnel::crypto::SigningKey;
using Kind = config::CredentialFile::Kind;

std::string hex_digest(std::span<const std::uint8_t> octets) {
  const auto hash = tunnel::crypto::blake2s({octets});
  std::array<char, 2 * std::tuple_size_v<decltype(hash)> + 1> text{};
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  return text.data();
}

// What the gateway calls itself towards a facility, and where that is said.
struct Called {
  std::string text, key_path;
  config::Position at;
};

Called called_towards(const config::Facility& facility, const config::Gateway& gateway) {
  const auto& tunnel = facility.tunnel.ikev2;
  if (tunnel.local_id)
    return {*tunnel.local_id, "facilities." + facility.name.text + ".tunnel.local_id", tunnel.local_id_at};
  const std::string key_path = "gateway.ikev2.local_id";
  if (!gateway.ikev2.local_id.empty()) return {gateway.ikev2.local_id, key_path, gateway.ikev2.local_id_at};
  if (gateway.outside.addresses.empty()) return {"", key_path, gateway.ikev2.at};
  return {"ip:" + gateway.outside.addresses.front().to_string(), key_path, gateway.ikev2.at};
}

// "fqdn:gw.example, dn:CN=gw,O=Centre", as local_id has them.
std::string names_in(const Certificate& certificate) {
  using Claim = tunnel::crypto::ClaimedIdentity::Kind;
  using tunnel::ike::IdType;
  std::string text;
  for (const auto& name : tunnel::crypto::alternative_names(certificate)) {
    const IdType type = name.kind == Claim::kFqdn    ? IdType::kFqdn
                        : name.kind == Claim::kEmail ? IdType::kEmail
                        : name.data.size() == 4      ? IdType::kIpv4
                                                     : IdType::kIpv6;
    text += tunnel::ike::to_string({type, name.data}) + ", ";
  }
  return text + "dn:" + certificate.subject();
}

class Check {
 public:
  Check(const config::GatewayConfig& config, const std::filesystem::path& directory, WallTime now)
      : config_(config), directory_(directory), now_(now) {}

  CredentialReport run(bool may_read_keys) {
    for (const auto& file : config::credential_files(config_)) {
      if (file.kind == Kind::kSigningKey) {
        if (may_read_keys) check_signing_key(file);
      } else {
        check_file(file);
      }
    }
    check_own_names();
    check_lists();
    return std::move(report_);
  }

 private:
  [[nodiscard]] std::string path_of(const std::string& name) const { return (directory_ / name).string(); }

  void add(Severity severity, const config::Position& at, std::string key_path, std::string message,
           std::string hint = {}) {
    config::Diagnostic diagnostic;
    diagnostic.severity = severity, diagnostic.at = at, diagnostic.key_path = std::move(key_path);
    diagnostic.message = std::move(message), diagnostic.hint = std::move(hint);
    report_.diagnostics.push_back(std::move(diagnostic));
  }

  void check_file(const config::CredentialFile& file) {
    const auto octets = read_certificate_file(path_of(file.path));
    report_.digests.emplace_back(file.path, octets.empty() ? "" : hex_digest(octets));
    if (octets.empty())
      return add(Severity::kError, file.at, file.key_path, path_of(file.path) + " cannot be read, or is empty");
    if (file.kind == Kind::kRevocationList) {
      if (auto lists = RevocationList::parse(octets)) return void(lists_.emplace(file.path, *std::move(lists)));
      return add(Severity::kError, file.at, file.key_path, path_of(file.path) + " is no revocation list");
    }
    auto all = Certificate::parse_pem(octets);
    if (!all)
      return add(Severity::kError, file.at, file.key_path, path_of(file.path) + " is no PEM file of certificates");
    check_ends(file, *all);
    certificates_.emplace(file.path, *std::move(all));
  }

  // Our own chain and the authorities: a router's certificate is seen when it connects.
  void check_ends(const config::CredentialFile& file, const std::vector<Certificate>& all) {
    for (const Certificate& each : all) {
      const WallTime end = each.not_after();
      if (end - now_ > days(audit::kCertificateWarningDays.front())) continue;
      const std::string date = audit::to_date(end, 0), left = std::to_string(audit::days_left(end, now_));
      add(Severity::kWarning, file.at, file.key_path,
          file.path + ": the certificate of " + each.subject() +
              (end <= now_ ? " ended on " + date : " ends on " + date + ", in " + left + " days"),
          "put the renewed one into the file and run `sekisho reload`");
    }
  }

  // The certificates stand before their key in config::credential_files().
  void check_signing_key(const config::CredentialFile& file) {
    const std::string path = path_of(file.path);
    const auto text = read_private_key_text(path);
    if (!text) return add(Severity::kError, file.at, file.key_path, text.error().to_string());
    const auto key = SigningKey::parse_pem(text->expose());
    if (!key) return add(Severity::kError, file.at, file.key_path, path + " is no private key in PEM");
    const std::string own = config_.gateway.ikev2.certificate_file.value_or("");
    const auto chain = certificates_.find(own);
    if (chain == certificates_.end()) return;
    const auto open = chain->second.front().public_key();
    if (!open || open->mark() != key->public_key().mark())
      add(Severity::kError, file.at, "gateway.ikev2.certificate_file",
          own + " is not the certificate of the key " + file.path + ": every router would refuse our signature");
  }

  // RFC 4945 3.1: a router looks in our certificate for what we call ourselves. Some are told to take another name, so
  // it is a warning; a subject is sent as the certificate has it, and another one is refused by the reload too.
  void check_own_names() {
    const std::string own = config_.gateway.ikev2.certificate_file.value_or("");
    const auto chain = certificates_.find(own);
    if (chain == certificates_.end()) return;
    std::set<std::string> seen;
    for (const auto& facility : config_.facilities) {
      if (!facility.tunnel.ikev2.certificate) continue;
      const Called called = called_towards(facility, config_.gateway);
      const auto identity = core::identity_of(called.text);
      if (!identity || !seen.insert(called.text).second) continue;  // what is no identity is told by check_ikev2
      const auto claim = tunnel::ike::claimed_identity(identity->view());
      if (claim && names(chain->second.front(), *claim)) continue;
      const bool subject = identity->type == tunnel::ike::IdType::kDn;
      add(subject ? Severity::kError : Severity::kWarning, called.at, called.key_path,
          "the gateway calls itself " + called.text + ", which is no name in " + own + ": " +
              (subject ? "only its own subject can be sent" : "most routers refuse such a proof"),
          "set \"local_id\" to one of " + names_in(chain->second.front()) +
              ", or have a certificate made with this name (`sekisho key csr`)");
    }
  }

  // Each pair of an authority file and a list file once.
  void check_lists() {
    std::set<std::tuple<std::string, std::string, config::RevocationCheck, std::uint16_t>> seen;
    for (const auto& facility : config_.facilities) {
      const auto& certificate = facility.tunnel.ikev2.certificate;
      if (!certificate || certificate->revocation == config::RevocationCheck::kNotChecked) continue;
      const std::string list = certificate->revocation_list_file.value_or("");
      if (seen.emplace(certificate->authority_file, list, certificate->revocation, certificate->list_grace_days).second)
        check_lists_of(facility, *certificate);
    }
  }

  struct ListLife {
    WallTime end, made;
    friend auto operator<=>(const ListLife&, const ListLife&) = default;
  };

  void check_lists_of(const config::Facility& facility, const config::CertificateAuthentication& wanted) {
    const std::string file = wanted.revocation_list_file.value_or("");
    const auto authorities = certificates_.find(wanted.authority_file);
    const auto lists = lists_.find(file);
    if (authorities == certificates_.end() || (!file.empty() && lists == lists_.end())) return;  // told already
    const std::string key_path = "facilities." + facility.name.text + ".tunnel.authentication.revocation_list_file";
    for (const Certificate& authority : authorities->second) {
      std::optional<ListLife> newest;  // a list without an end ends at once
      if (!file.empty())
        for (const RevocationList& list : lists->second)
          if (list.is_of(authority))
            newest = std::max(newest, std::optional(ListLife{list.next_update().value_or(now_), list.this_update()}));
      if (newest) {
        check_list_end(facility, key_path, file + ": the revocation list of " + authority.subject(), *newest,
                       days(wanted.list_grace_days));
      } else if (wanted.revocation == config::RevocationCheck::kRequired && authority.not_after() > now_) {
        add(Severity::kError, facility.tunnel.at, key_path,
            "no revocation list signed by " + authority.subject() + ": " +
                (file.empty() ? "there is no \"revocation_list_file\"" : file + " holds none") +
                ", and every certificate of that authority is refused",
            "put the list of each authority into the file, one after another in PEM, or set \"revocation\"");
      }
    }
  }

  // A warning: it must not keep a facility from being cut off.
  void check_list_end(const config::Facility& facility, const std::string& key_path, const std::string& whose,
                      const ListLife& list, days grace) {
    const WallTime end = list.end;
    if (end - now_ > audit::list_notice(list.made, end)) return;
    const std::string ends = (end <= now_ ? " ended on " : " ends on ") + audit::to_date(end, 0);
    const bool over = end + grace <= now_;
    add(Severity::kWarning, facility.tunnel.at, key_path,
        whose + ends +
            (over                   ? ": its routers keep what stands and are refused when they call again"
             : grace > days::zero() ? ", and is believed " + std::to_string(grace.count()) + " days longer"
                                    : ""),
        "put the newer list into the file and run `sekisho reload`");
  }

  const config::GatewayConfig& config_;
  const std::filesystem::path& directory_;
  WallTime now_;
  CredentialReport report_;
  std::map<std::string, std::vector<Certificate>> certificates_;  // of files that could be read, by their names
  std::map<std::string, std::vector<RevocationList>> lists_;
};

}  // namespace

CredentialReport check_credentials(const config::GatewayConfig& config, const std::filesystem::path& directory,
                                   WallTime now, bool may_read_keys) {
  return Check(config, directory, now).run(may_read_keys);
}

}  // namespace gateway::os
