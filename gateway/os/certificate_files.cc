#include "gateway/os/certificate_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/core/ike_peers.h"
#include "gateway/os/file_descriptor.h"
#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/revocation_list.h"

namespace gateway::os {
std::vector<std::uint8_t> read_certificate_file(const std::string& path) {
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

std::vector<CertificateFacts> certificates_in(std::span<const std::uint8_t> pem) {
  std::vector<CertificateFacts> facts;
  if (const auto all = tunnel::crypto::Certificate::parse_pem(pem))
    for (const auto& each : *all) facts.push_back({each.subject(), each.not_after()});
  return facts;
}

std::vector<ListFacts> lists_in(std::span<const std::uint8_t> file) {
  std::map<std::string, ListFacts> newest;
  if (const auto all = tunnel::crypto::RevocationList::parse(file))
    for (const auto& each : *all) {
      const ListFacts facts{each.issuer(), each.this_update(), each.next_update().value_or(each.this_update())};
      const auto [known, is_new] = newest.emplace(facts.authority, facts);
      if (!is_new && known->second.expires < facts.expires) known->second = facts;
    }
  std::vector<ListFacts> lists;
  for (auto& [authority, facts] : newest) lists.push_back(std::move(facts));
  return lists;
}

std::optional<CertificateFacts> CertificateFiles::first_end(const std::string& name) const {
  const auto all = certificates(name);
  const auto first = std::ranges::min_element(all, {}, &CertificateFacts::expires);
  return first == all.end() ? std::nullopt : std::optional(*first);
}

std::vector<CertificateFacts> CertificateFiles::certificates(const std::string& name) const {
  const auto found = last_.find(name);
  return found == last_.end() ? std::vector<CertificateFacts>() : found->second.certificates;
}

std::vector<ListFacts> CertificateFiles::lists(const std::string& name) const {
  const auto found = last_.find(name);
  return found == last_.end() ? std::vector<ListFacts>() : found->second.lists;
}

std::vector<core::NamedOctets> CertificateFiles::read(const policy::Plan& plan, const std::string& directory) {
  std::vector<core::NamedOctets> files;
  std::map<std::string, Known> now;
  for (const std::string& name : core::certificate_files(plan)) {
    auto octets = read_certificate_file(name.starts_with('/') || directory.empty() ? name : directory + "/" + name);
    const auto before = last_.find(name);
    if (before != last_.end() && (octets.empty() || octets == before->second.octets))
      now.emplace(name, std::move(before->second));
    else
      now.emplace(name, Known{octets, certificates_in(octets), lists_in(octets)});
    files.push_back({name, now.at(name).octets});
  }
  last_ = std::move(now);
  return files;
}

}  // namespace gateway::os
