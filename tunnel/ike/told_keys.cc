#include "tunnel/ike/told_keys.h"

#ifdef SEKISHO_FAULTS
namespace tunnel::ike {
namespace {

std::string hex(std::span<const std::uint8_t> octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : octets) text += {kDigits[octet >> 4], kDigits[octet & 15]};
  return text;
}

std::string hex(std::uint64_t number, int octets) {
  std::vector<std::uint8_t> bytes;
  for (int octet = octets - 1; octet >= 0; --octet) bytes.push_back(static_cast<std::uint8_t>(number >> (8 * octet)));
  return hex(bytes);
}

std::string numbers(const crypto::CipherSuite& suite) {
  return std::to_string(static_cast<unsigned>(suite.encryption)) + " " + std::to_string(suite.key_bits) + " " +
         std::to_string(static_cast<unsigned>(suite.integrity));
}

}  // namespace

std::string told_ike_keys(Spi initiator_spi, Spi responder_spi, const crypto::CipherSuite& suite, const IkeKeys& keys) {
  return "ike " + hex(initiator_spi, 8) + " " + hex(responder_spi, 8) + " " + numbers(suite) + " " +
         hex(keys.initiator.expose()) + " " + hex(keys.responder.expose());
}

std::string told_esp_key(std::uint32_t spi, const EspChoice& suite, const crypto::SecretOctets& key) {
  return "esp " + hex(spi, 4) + " " + numbers(suite.cipher) + (suite.esn ? " 1 " : " 0 ") + hex(key.expose());
}

}  // namespace tunnel::ike
#endif
