// The text of the key exists only while it is used.
#include "gateway/daemon/keyd_ike.h"

#include <algorithm>

#include <sodium.h>

#include "tunnel/crypto/prf.h"
#include "tunnel/ike/authentication.h"
#include "tunnel/ike/key_material.h"

namespace gateway::daemon {
namespace {

using tunnel::crypto::Prf;

constexpr Prf kPrfs[] = {Prf::kHmacSha256, Prf::kHmacSha384, Prf::kHmacSha512};
constexpr std::size_t kTextSize = sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL);  // with its zero

bool known(Prf prf) {
  return std::ranges::find(kPrfs, prf) != std::end(kPrfs);
}

// 44 characters, and the zero that is not used.
tunnel::crypto::SecretOctets text_of(std::span<const std::uint8_t, 32> key) {
  tunnel::crypto::SecretOctets text(kTextSize);
  sodium_bin2base64(reinterpret_cast<char*>(text.fill().data()), kTextSize, key.data(), key.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  return text;
}

}  // namespace

bool ike_psk_authentication(std::span<const std::uint8_t, 32> key, const tunnel::wire::KeyRequest& request,
                            tunnel::wire::KeyReply& reply) {
  const auto prf = static_cast<Prf>(request.prf);
  if (!known(prf) || request.octets.empty()) return false;
  const auto text = text_of(key);
  const auto mac = tunnel::ike::psk_authentication(prf, text.expose().first(kTextSize - 1), request.octets);
  std::ranges::copy(mac.expose(), reply.output.fill().begin());
  return true;
}

bool ike_ppk_mix(std::span<const std::uint8_t, 32> key, const tunnel::wire::KeyRequest& request,
                 tunnel::wire::KeyReply& reply) {
  const auto prf = static_cast<Prf>(request.prf);
  if (!known(prf) || request.secrets.size() != 3 * tunnel::crypto::prf_size(prf)) return false;
  const auto text = text_of(key);
  const auto mixed = tunnel::ike::mix_ppk(prf, text.expose().first(kTextSize - 1), request.secrets);
  reply.secrets.assign(mixed.expose().begin(), mixed.expose().end());
  return true;
}

void prepare_ike() {
  for (const Prf prf : kPrfs) (void)tunnel::crypto::prf(prf, std::array<std::uint8_t, 1>{}, {});
}

}  // namespace gateway::daemon
