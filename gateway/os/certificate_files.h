// Certificates and revocation lists, as octets for the process that judges them. Public: nothing is asked of their
// mode.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/core/messages.h"

namespace gateway::os {

class CertificateFiles {
 public:
  static constexpr std::size_t kLargest = 8 << 20;  // octets: a revocation list of a large authority
  // Every file the plan names. One that cannot be read now (it is being replaced) is given as it was read last; one
  // never read has no octets, which refuses the plan.
  [[nodiscard]] std::vector<core::NamedOctets> read(const policy::Plan& plan, const std::string& directory);

 private:
  std::map<std::string, std::vector<std::uint8_t>> last_;
};

}  // namespace gateway::os
