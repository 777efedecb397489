// The keys of SAs as text, for whoever decodes a test's capture or plays a peer that breaks its word. Only where
// SEKISHO_FAULTS is defined: a release does not contain it (S34).
#pragma once

#ifdef SEKISHO_FAULTS
#include <string>

#include "tunnel/ike/key_material.h"
#include "tunnel/ike/negotiation.h"

namespace tunnel::ike {

// "ike SPIi SPIr ENCRYPTION BITS INTEGRITY SK_i SK_r": numbers of the IKEv2 registry in decimal, SPIs and keys in
// hexadecimal; a key is SK_e and then, where the suite has one, SK_a of that direction.
[[nodiscard]] std::string told_ike_keys(Spi initiator_spi, Spi responder_spi, const crypto::CipherSuite& suite,
                                        const IkeKeys& keys);
// "esp SPI ENCRYPTION BITS INTEGRITY ESN KEYMAT" of one direction, the salt at the key's end (RFC 4106 8.1).
[[nodiscard]] std::string told_esp_key(std::uint32_t spi, const EspChoice& suite, const crypto::SecretOctets& key);

}  // namespace tunnel::ike
#endif
