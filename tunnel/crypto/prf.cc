// RFC 7296 2.13: prf+ (K,S) = T1 | T2 | ..., Tn = prf (K, Tn-1 | S | n).
#include "tunnel/crypto/prf.h"

#include <algorithm>

#include "tunnel/crypto/hmac.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

HmacHash hash_of(Prf prf) {
  switch (prf) {
    case Prf::kHmacSha256:
      return HmacHash::kSha256;
    case Prf::kHmacSha384:
      return HmacHash::kSha384;
    case Prf::kHmacSha512:
      return HmacHash::kSha512;
  }
  wire::require(false);
  return HmacHash::kSha256;
}

}  // namespace

std::size_t prf_size(Prf prf) {  // RFC 4868 2.1.2: key and output are as long as the hash
  switch (prf) {
    case Prf::kHmacSha256:
      return 32;
    case Prf::kHmacSha384:
      return 48;
    case Prf::kHmacSha512:
      return 64;
  }
  wire::require(false);
  return 0;
}

SecretOctets prf(Prf which, std::span<const std::uint8_t> key,
                 std::initializer_list<std::span<const std::uint8_t>> parts) {
  SecretOctets out(prf_size(which));
  Hmac(hash_of(which), key).compute(parts, out.fill());
  return out;
}

// RFC 7296 2.13: the counter is one octet, so there are at most 255 blocks.
SecretOctets prf_plus(Prf which, std::span<const std::uint8_t> key,
                      std::initializer_list<std::span<const std::uint8_t>> seed, std::size_t length) {
  const std::size_t size = prf_size(which);
  wire::require(length <= 255 * size);
  SecretOctets whole_seed([&] {
    std::size_t octets = 0;
    for (const auto part : seed) octets += part.size();
    return octets;
  }());
  auto at = whole_seed.fill().begin();
  for (const auto part : seed) at = std::ranges::copy(part, at).out;

  Hmac hmac(hash_of(which), key);
  SecretOctets out(length), block(size);
  std::span<const std::uint8_t> previous;
  std::uint8_t number = 0;
  for (std::size_t done = 0; done < length; done += size) {
    ++number;
    hmac.compute({previous, whole_seed.expose(), {&number, 1}}, block.fill());
    previous = block.expose();
    std::ranges::copy(previous.first(std::min(size, length - done)), out.fill().subspan(done).begin());
  }
  return out;
}

}  // namespace tunnel::crypto
