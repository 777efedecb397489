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

// What is wrong with a file of certificates, a list or a signing key (which only who may read it can say); empty:
// nothing.
[[nodiscard]] std::string fault_of(const std::string& path, config::CredentialFile::Kind kind);

// A sentence when the first certificate is not that of the key; empty also when one of the files cannot be read.
[[nodiscard]] std::string fault_of_pair(const std::string& certificates, const std::string& key);

// BLAKE2s of what stands in the file, hex; empty when it cannot be read.
[[nodiscard]] std::string digest_of_file(const std::string& path);

struct CertificateFacts {
  std::string subject;
  config::value::WallTime expires;
};
// Of every certificate in a PEM file, in its order; empty when it is none.
[[nodiscard]] std::vector<CertificateFacts> certificates_in(std::span<const std::uint8_t> pem);
[[nodiscard]] std::vector<CertificateFacts> certificates_in_file(const std::string& path);

struct ListFinding {
  bool fatal = false;  // every router whose certificate that authority issued is refused
  std::string text;
};
// What is wrong with the lists for those who are proven by these authorities: none of one of them (when they are
// `required`), one that has ended or ends within two days. `list_path` empty: there is no file of lists.
[[nodiscard]] std::vector<ListFinding> list_findings(const std::string& authority_path, const std::string& list_path,
                                                     bool required, std::chrono::days grace,
                                                     config::value::WallTime now);

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
