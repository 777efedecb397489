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

struct ListFacts {
  std::string authority;  // its subject; whether it signed the list is the check's to say
  config::value::WallTime made, expires;
};
// Of each authority the newest list in the file; one without an end ends when it was made.
[[nodiscard]] std::vector<ListFacts> lists_in(std::span<const std::uint8_t> file);

class CertificateFiles {
 public:
  static constexpr std::size_t kLargest = 8 << 20;  // octets: a revocation list of a large authority
  // Every file the plan names. One that cannot be read now (it is being replaced) is given as it was read last; one
  // never read has no octets, which refuses the plan.
  [[nodiscard]] std::vector<core::NamedOctets> read(const policy::Plan& plan, const std::string& directory);
  // Of the file of that name as it was read last: the first end in it; every certificate; of each authority the newest
  // list.
  [[nodiscard]] std::optional<CertificateFacts> first_end(const std::string& name) const;
  [[nodiscard]] std::vector<CertificateFacts> certificates(const std::string& name) const;
  [[nodiscard]] std::vector<ListFacts> lists(const std::string& name) const;

 private:
  struct Known {
    std::vector<std::uint8_t> octets;
    std::vector<CertificateFacts> certificates;  // parsed once: lists are large, and they are asked for each minute
    std::vector<ListFacts> lists;
  };
  std::map<std::string, Known> last_;
};

}  // namespace gateway::os
