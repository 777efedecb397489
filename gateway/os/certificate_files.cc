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
    auto octets = read_certificate_file(name.starts_with('/') || directory.empty() ? name : directory + "/" + name);
    if (octets.empty())
      if (const auto before = last_.find(name); before != last_.end()) octets = before->second;
    now[name] = octets;
    files.push_back({name, std::move(octets)});
  }
  last_ = std::move(now);
  return files;
}

}  // namespace gateway::os
