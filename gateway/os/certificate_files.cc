#include "gateway/os/certificate_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/audit/certificate_ends.h"
#include "gateway/core/ike_peers.h"
#include "gateway/os/file_descriptor.h"
#include "gateway/os/key_file.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/revocation_list.h"

namespace gateway::os {
namespace {

// Empty: not there, not a regular file, or too large.
std::vector<std::uint8_t> read_file(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat facts{};
  if (!file.valid() || fstat(file.number(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  std::vector<std::uint8_t> octets;
  std::array<std::uint8_t, 65536> piece{};
  while (octets.size() <= CertificateFiles::kLargest) {
    const auto got = ::read(file.number(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    if (got == 0) return octets;
    octets.insert(octets.end(), piece.begin(), piece.begin() + got);
  }
  return {};
}

}  // namespace

std::string fault_of(const std::string& path, config::CredentialFile::Kind kind) {
  using Kind = config::CredentialFile::Kind;
  if (kind == Kind::kSigningKey) {
    const auto text = read_private_key_text(path);
    if (!text) return text.error().to_string();
    return tunnel::crypto::SigningKey::parse_pem(text->expose()) ? "" : path + " is no private key in PEM";
  }
  const auto octets = read_file(path);
  if (octets.empty()) return path + " cannot be read, or is empty";
  if (kind == Kind::kRevocationList)
    return tunnel::crypto::CertificateTrust().add_revocation_list(octets) ? "" : path + " is no revocation list";
  return tunnel::crypto::Certificate::parse_pem(octets) ? "" : path + " is no PEM file of certificates";
}

std::string fault_of_pair(const std::string& certificates, const std::string& key) {
  const auto chain = tunnel::crypto::Certificate::parse_pem(read_file(certificates));
  const auto text = read_private_key_text(key);
  const auto signing = text ? tunnel::crypto::SigningKey::parse_pem(text->expose()) : std::nullopt;
  if (!chain || !signing) return "";
  const auto own = chain->front().public_key();
  return own && own->mark() == signing->public_key().mark()
             ? ""
             : certificates + " is not the certificate of the key " + key + ": every router would refuse our signature";
}

std::string digest_of_file(const std::string& path) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto octets = read_file(path);
  std::string text;
  if (octets.empty()) return text;
  for (const std::uint8_t octet : tunnel::crypto::blake2s({octets}))
    text += kDigits[octet >> 4], text += kDigits[octet & 15];
  return text;
}

std::vector<CertificateFacts> certificates_in(std::span<const std::uint8_t> pem) {
  std::vector<CertificateFacts> facts;
  if (const auto all = tunnel::crypto::Certificate::parse_pem(pem))
    for (const auto& each : *all) facts.push_back({each.subject(), each.not_after()});
  return facts;
}

std::vector<CertificateFacts> certificates_in_file(const std::string& path) {
  return certificates_in(read_file(path));
}

std::vector<ListFinding> list_findings(const std::string& authority_path, const std::string& list_path, bool required,
                                       std::chrono::days grace, config::value::WallTime now) {
  std::vector<ListFinding> found;
  const auto authorities = tunnel::crypto::Certificate::parse_pem(read_file(authority_path));
  const auto lists = list_path.empty() ? std::nullopt : tunnel::crypto::RevocationList::parse(read_file(list_path));
  if (!authorities || (!list_path.empty() && !lists)) return found;  // told of that file already
  const std::string where = list_path.empty() ? "there is no \"revocation_list_file\"" : list_path + " holds none";
  for (const auto& authority : *authorities) {
    const auto is_own = [&](const tunnel::crypto::RevocationList& list) { return list.is_of(authority); };
    std::optional<config::value::WallTime> end;  // of the newest; a list without an end ends at once
    if (lists)
      for (const auto& list : *lists)
        if (is_own(list)) end = std::max(end, std::optional(list.next_update().value_or(now)));
    if (!end) {
      if (required && authority.not_after() > now)
        found.push_back({true, "no revocation list signed by " + authority.subject() + ": " + where +
                                   ", and every certificate of that authority is refused"});
      continue;
    }
    const std::string whose = list_path + ": the revocation list of " + authority.subject();
    if (*end + grace <= now)
      found.push_back({false, whose + " ended on " + audit::to_date(*end, 0) +
                                  ": its routers keep what stands and are refused when they call again"});
    else if (*end - now <= std::chrono::days(2))
      found.push_back(
          {false,
           whose + (*end <= now ? " ended on " : " ends on ") + audit::to_date(*end, 0) +
               (grace.count() > 0 ? ", and is believed " + std::to_string(grace.count()) + " days longer" : "")});
  }
  return found;
}

std::optional<CertificateFacts> CertificateFiles::first_end(const std::string& name) const {
  const auto found = last_.find(name);
  if (found == last_.end()) return std::nullopt;
  const auto all = certificates_in(found->second);
  const auto first = std::ranges::min_element(all, {}, &CertificateFacts::expires);
  return first == all.end() ? std::nullopt : std::optional(*first);
}

std::vector<core::NamedOctets> CertificateFiles::read(const policy::Plan& plan, const std::string& directory) {
  std::vector<core::NamedOctets> files;
  std::map<std::string, std::vector<std::uint8_t>> now;
  for (const std::string& name : core::certificate_files(plan)) {
    auto octets = read_file(name.starts_with('/') || directory.empty() ? name : directory + "/" + name);
    if (octets.empty())
      if (const auto before = last_.find(name); before != last_.end()) octets = before->second;
    now[name] = octets;
    files.push_back({name, std::move(octets)});
  }
  last_ = std::move(now);
  return files;
}

}  // namespace gateway::os
