// The long-term keys, by name, in locked memory. Answers requests with them; there is no way to get one out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/core/messages.h"
#include "gateway/os/locked_memory.h"
#include "tunnel/crypto/signature.h"

namespace gateway::daemon {

class KeydKeys {
 public:
  // Reads the files and takes the place of all keys of before. A key whose file cannot be read is kept when it was
  // there (a half-written file must not stop a running tunnel); the outcome says so all the same.
  [[nodiscard]] core::KeysConfigured configure(const core::ConfigureKeys& wanted);

  // WireGuard paper 5.4: the static Diffie-Hellman and the mixing of the preshared key. A key of one kind does not
  // serve the other's operation, an all-zero result is refused: `good` is false and the output zero.
  [[nodiscard]] tunnel::wire::KeyReply answer(const tunnel::wire::KeyRequest& request) const;

 private:
  struct Key {
    core::KeySource::Kind kind = core::KeySource::Kind::kWireguardPrivate;
    std::size_t slot = 0;  // 32 octets at slot * 32
  };
  [[nodiscard]] std::span<const std::uint8_t, 32> octets_of(const Key& key) const;

  void read_signing_key(const core::KeySource& source, core::KeyOutcome& told,
                        std::map<std::string, tunnel::crypto::SigningKey>& into) const;

  std::map<std::string, Key> keys_;
  std::map<std::string, tunnel::crypto::SigningKey> signing_;  // in OpenSSL's memory
  os::LockedMemory memory_;
};

}  // namespace gateway::daemon
