// The kernel's randomness (getrandom through libsodium) for the protocol objects, which take it as an argument.
#pragma once

#include "tunnel/crypto/rng.h"

namespace gateway::os {

class SystemRng final : public tunnel::crypto::Rng {
 public:
  SystemRng();  // aborts when libsodium cannot be initialised: no daemon may run without randomness
  void fill(std::span<std::uint8_t> out) override;
};

}  // namespace gateway::os
