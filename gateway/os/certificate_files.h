// Certificates and revocation lists, as octets for the process that judges them. Public: nothing is asked of their
// mode.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/load.h"
#include "gateway/core/messages.h"

namespace gateway::os {

// Empty: not there, not a regular file, or larger than CertificateFiles::kLargest.
[[nodiscard]] std::vector<std::uint8_t> read_certificate_file(const std::string& path);

struct CertificateFacts {
  std::string subject;
  config::value::WallTime expires;
};
// Of every certificate in a PEM file, in its order; empty when it is none.
[[nodiscard]] std::vector<CertificateFacts> certificates_in(std::span<const std::uint8_t> pem);

class CertificateFiles {
 public:
  static constexpr std::size_t kLargest = 8 << 20;  // octets: a revocation list of a large authority
  // Every file the plan names. One that cannot be read now (it is being replaced) is given as it was read last; one
  // never read has no octets, which refuses the plan.
  [[nodiscard]] std::vector<core::NamedOctets> read(const policy::Plan& plan, const std::string& directory);
  // The first end in the file of that name as it was read last.
  [[nodiscard]] std::optional<CertificateFacts> first_end(const std::string& name) const;

 private:
  std::map<std::string, std::vector<std::uint8_t>> last_;
};

}  // namespace gateway::os
