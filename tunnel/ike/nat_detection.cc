// SHA-1 is what the RFC asks here; nothing secret depends on it.
#include "tunnel/ike/nat_detection.h"

#include <algorithm>

#include <openssl/evp.h>

#include "tunnel/wire/require.h"
#include "tunnel/wire/writer.h"

namespace tunnel::ike {

NatHash nat_hash(const SpiPair& spis, const wire::SocketAddress& address) {
  std::array<std::uint8_t, 8 + 8 + 16 + 2> text{};
  wire::Writer writer(text);
  writer.u64_be(spis.initiator);
  writer.u64_be(spis.responder);
  writer.octets(address.address.octets());
  writer.u8(static_cast<std::uint8_t>(address.port >> 8));
  writer.u8(static_cast<std::uint8_t>(address.port));
  NatHash hash{};
  unsigned length = 0;
  wire::require(EVP_Digest(text.data(), writer.size(), hash.data(), &length, EVP_sha1(), nullptr) == 1);
  return hash;
}

// RFC 7296 2.23: one of the source hashes must fit where it came from, the destination hash where it arrived.
NatFindings judge_nat(std::span<const wire::ConstBytes> sources, std::span<const wire::ConstBytes> destinations,
                      const SpiPair& spis, const wire::SocketAddress& from, const wire::SocketAddress& to) {
  NatFindings found;
  if (sources.empty() || destinations.empty()) return found;
  const auto fits = [&](std::span<const wire::ConstBytes> hashes, const wire::SocketAddress& address) {
    const NatHash wanted = nat_hash(spis, address);
    return std::ranges::any_of(hashes, [&](wire::ConstBytes hash) { return std::ranges::equal(hash, wanted); });
  };
  found.supported = true;
  found.peer_behind = !fits(sources, from);
  found.we_behind = !fits(destinations, to);
  return found;
}

}  // namespace tunnel::ike
