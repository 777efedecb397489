// A new set of keys is built beside the old one and swapped, so that a failure changes nothing.
#include "gateway/daemon/keyd_keys.h"

#include <algorithm>

#include "gateway/daemon/keyd_ike.h"
#include "gateway/os/key_file.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/x25519.h"

namespace gateway::daemon {
namespace {

using core::KeySource;
using tunnel::wire::KeyReply;
using tunnel::wire::KeyRequest;

KeySource::Kind kind_for(KeyRequest::Operation operation) {
  switch (operation) {
    case KeyRequest::Operation::kStaticDh:
      return KeySource::Kind::kWireguardPrivate;
    case KeyRequest::Operation::kMixPsk:
      return KeySource::Kind::kPreshared;
    case KeyRequest::Operation::kIkePskAuth:
      return KeySource::Kind::kIkePreshared;
    case KeyRequest::Operation::kSign:
      return KeySource::Kind::kIkeSigning;
    case KeyRequest::Operation::kIkePpk:
      return KeySource::Kind::kIkePpk;
  }
  __builtin_unreachable();  // the codec lets no other number through
}

void put(KeyReply& reply, std::size_t at, std::span<const std::uint8_t, 32> octets) {
  std::ranges::copy(octets, reply.output.fill().subspan(at).begin());
}

}  // namespace

std::span<const std::uint8_t, 32> KeydKeys::octets_of(const Key& key) const {
  return memory_.octets().subspan(key.slot * 32).first<32>();
}

core::KeysConfigured KeydKeys::configure(const core::ConfigureKeys& wanted) {
  core::KeysConfigured outcome;
  auto memory = os::LockedMemory::allocate(std::max<std::size_t>(1, wanted.keys.size()) * 32);
  if (!memory) {
    for (const auto& source : wanted.keys) outcome.keys.push_back({source.name, false, memory.error().to_string(), {}});
    return outcome;
  }
  std::map<std::string, Key> keys;
  for (std::size_t slot = 0; slot < wanted.keys.size(); ++slot) {
    const auto& source = wanted.keys[slot];
    auto& told = outcome.keys.emplace_back(core::KeyOutcome{source.name, true, {}, {}});
    const auto place = memory->octets().subspan(slot * 32).first<32>();
    const auto before = keys_.find(source.name);
    if (auto read = os::read_key_file(source.path)) {
      std::ranges::copy(read->expose(), place.begin());
    } else {
      told.good = false, told.error = read.error().to_string();
      if (before == keys_.end() || before->second.kind != source.kind) continue;
      std::ranges::copy(octets_of(before->second), place.begin());
    }
    if (source.kind == KeySource::Kind::kWireguardPrivate) told.public_key = tunnel::crypto::x25519_public(place);
    keys[source.name] = {source.kind, slot};
  }
  keys_ = std::move(keys);
  memory_ = *std::move(memory);
  return outcome;
}

KeyReply KeydKeys::answer(const KeyRequest& request) const {
  KeyReply reply;
  reply.id = request.id;
  const auto found = keys_.find(request.key);
  if (found == keys_.end() || found->second.kind != kind_for(request.operation)) return reply;
  const auto key = octets_of(found->second);
  if (request.operation == KeyRequest::Operation::kStaticDh) {
    const auto shared = tunnel::crypto::x25519(key, request.input.expose());
    if (!shared) return reply;
    put(reply, 0, shared->expose());
  } else if (request.operation == KeyRequest::Operation::kIkePskAuth) {
    if (!ike_psk_authentication(key, request, reply)) return reply;
  } else if (request.operation == KeyRequest::Operation::kIkePpk) {
    if (!ike_ppk_mix(key, request, reply)) return reply;
  } else if (request.operation == KeyRequest::Operation::kSign) {
    return reply;  // no key of this kind is read yet
  } else {
    const auto derived = tunnel::crypto::kdf3(request.input.expose(), key);
    put(reply, 0, derived.first.expose());
    put(reply, 32, derived.second.expose());
    put(reply, 64, derived.third.expose());
  }
  reply.good = true;
  return reply;
}

}  // namespace gateway::daemon
