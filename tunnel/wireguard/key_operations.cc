#include "tunnel/wireguard/key_operations.h"

#include <algorithm>

#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/x25519.h"

namespace tunnel::wireguard {
namespace {

void put(wire::KeyReply& reply, std::size_t at, Key octets) {
  std::ranges::copy(octets, reply.output.fill().subspan(at).begin());
}

}  // namespace

wire::KeyReply static_dh(const wire::KeyRequest& request, Key own) {
  wire::KeyReply reply;
  reply.id = request.id;
  const auto shared = crypto::x25519(own, request.input.expose());
  if (shared) put(reply, 0, shared->expose());
  reply.good = shared.has_value();
  return reply;
}

wire::KeyReply mix_preshared(const wire::KeyRequest& request, Key preshared) {
  wire::KeyReply reply;
  reply.id = request.id;
  const auto derived = crypto::kdf3(request.input.expose(), preshared);
  put(reply, 0, derived.first.expose());
  put(reply, 32, derived.second.expose());
  put(reply, 64, derived.third.expose());
  reply.good = true;
  return reply;
}

}  // namespace tunnel::wireguard
