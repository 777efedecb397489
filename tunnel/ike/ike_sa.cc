// RFC 7296 2.14: who sends with which key.
#include "tunnel/ike/ike_sa.h"

#include "tunnel/ike/told_keys.h"
#include "tunnel/wire/require.h"

namespace tunnel::ike {

void IkeSa::install_keys(const crypto::SecretOctets& seed, const Nonces& nonces) {
  keys = derive_ike_keys(suite.prf, suite.cipher, seed, nonces, spis);
  auto sealing = crypto::PacketCipher::make(suite.cipher, (initiator ? keys.initiator : keys.responder).expose());
  auto opening = crypto::PacketCipher::make(suite.cipher, (initiator ? keys.responder : keys.initiator).expose());
#ifdef SEKISHO_FAULTS
  if (tell_keys) tell_keys(told_ike_keys(spis.initiator, spis.responder, suite.cipher, keys));
#endif
  wire::require(sealing && opening);  // negotiated, so supported; the length is key_sizes'
  seals.emplace(SendingCipher{std::move(*sealing)});
  opens.emplace(std::move(*opening));
  keys.initiator.wipe();
  keys.responder.wipe();
}

}  // namespace tunnel::ike
