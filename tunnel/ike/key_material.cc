// Everything is cut from one stretch of prf+ in the RFC's order.
#include "tunnel/ike/key_material.h"

#include <algorithm>
#include <array>

#include "tunnel/wire/reader.h"
#include "tunnel/wire/writer.h"

namespace tunnel::ike {
namespace {

using crypto::SecretOctets;

SecretOctets join(wire::ConstBytes first, wire::ConstBytes second) {
  SecretOctets joined(first.size() + second.size());
  std::ranges::copy(first, joined.fill().begin());
  std::ranges::copy(second, joined.fill().subspan(first.size()).begin());
  return joined;
}

}  // namespace

// RFC 7296 2.14.
SecretOctets skeyseed(crypto::Prf prf, const Nonces& nonces, const SecretOctets& g_ir) {
  return crypto::prf(prf, join(nonces.initiator, nonces.responder).expose(), {g_ir.expose()});
}

// RFC 7296 2.18.
SecretOctets rekeyed_skeyseed(crypto::Prf old_prf, const SecretOctets& old_sk_d, const SecretOctets& g_ir,
                              const Nonces& nonces) {
  return crypto::prf(old_prf, old_sk_d.expose(), {g_ir.expose(), nonces.initiator, nonces.responder});
}

// RFC 7296 2.14.
IkeKeys derive_ike_keys(crypto::Prf prf, const crypto::CipherSuite& cipher, const SecretOctets& skeyseed,
                        const Nonces& nonces, const SpiPair& spis) {
  std::array<std::uint8_t, 16> spi_octets{};
  wire::Writer writer(spi_octets);
  writer.u64_be(spis.initiator);
  writer.u64_be(spis.responder);
  const std::size_t prf_length = crypto::prf_size(prf);
  const crypto::KeySizes sizes = crypto::key_sizes(cipher);
  const std::size_t e_length = sizes.encryption + sizes.salt;
  const SecretOctets stretch = crypto::prf_plus(
      prf, skeyseed.expose(), {nonces.initiator, nonces.responder, spi_octets}, 3 * prf_length + 2 * sizes.total());
  wire::Reader reader(stretch.expose());
  IkeKeys keys;
  keys.d = SecretOctets(reader.take(prf_length));
  const wire::ConstBytes ai = reader.take(sizes.integrity), ar = reader.take(sizes.integrity);
  const wire::ConstBytes ei = reader.take(e_length), er = reader.take(e_length);
  keys.initiator = join(ei, ai);
  keys.responder = join(er, ar);
  keys.pi = SecretOctets(reader.take(prf_length));
  keys.pr = SecretOctets(reader.take(prf_length));
  return keys;
}

SecretOctets mix_ppk(crypto::Prf prf, wire::ConstBytes ppk, wire::ConstBytes secrets) {
  const std::size_t size = crypto::prf_size(prf);
  SecretOctets mixed(secrets.size());
  for (std::size_t at = 0; at + size <= secrets.size(); at += size) {
    const SecretOctets one = crypto::prf_plus(prf, ppk, {secrets.subspan(at, size)}, size);
    std::ranges::copy(one.expose(), mixed.fill().subspan(at).begin());
  }
  return mixed;
}

// RFC 7296 2.17: initiator to responder first; within a direction encryption before integrity.
ChildKeys derive_child_keys(crypto::Prf prf, const crypto::CipherSuite& cipher, const SecretOctets& sk_d,
                            const SecretOctets& g_ir, const Nonces& nonces) {
  const std::size_t length = crypto::key_sizes(cipher).total();
  const SecretOctets keymat =
      crypto::prf_plus(prf, sk_d.expose(), {g_ir.expose(), nonces.initiator, nonces.responder}, 2 * length);
  return {SecretOctets(keymat.expose().first(length)), SecretOctets(keymat.expose().subspan(length))};
}

}  // namespace tunnel::ike
