// What can be said of the files by which IKEv2 proves its ends, before a change is applied: certificates, revocation
// lists, the gateway's own key. Each file is read once.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"

namespace gateway::os {

struct CredentialReport {
  std::vector<config::Diagnostic> diagnostics;
  std::vector<std::pair<std::string, std::string>> digests;  // file of certificates or lists, BLAKE2s of it in hex
};

// `directory` is the main file's. The signing key is looked at only when `may_read_keys`.
[[nodiscard]] CredentialReport check_credentials(const config::GatewayConfig& config,
                                                 const std::filesystem::path& directory, config::WallTime now,
                                                 bool may_read_keys);

}  // namespace gateway::os
