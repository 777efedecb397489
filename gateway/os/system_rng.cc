// getrandom through libsodium, which aborts rather than return weak octets.
#include "gateway/os/system_rng.h"

#include <sodium.h>

#include <cstdlib>

namespace gateway::os {

SystemRng::SystemRng() {
  if (sodium_init() < 0) std::abort();
}

void SystemRng::fill(std::span<std::uint8_t> out) {
  randombytes_buf(out.data(), out.size());
}

}  // namespace gateway::os
