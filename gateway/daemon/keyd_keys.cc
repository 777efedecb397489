// A new set of keys is built beside the old one and swapped, so that a failure changes nothing.
#include "gateway/daemon/keyd_keys.h"

#include <algorithm>

#include "gateway/daemon/keyd_ike.h"
#include "gateway/os/key_file.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/x25519.h"
#include "tunnel/wire/reader.h"
#include "tunnel/wireguard/key_operations.h"

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

// A keyed hash of a fixed text: without the key's 256 bits it can neither be made nor turned back.
std::uint64_t mark_of(std::span<const std::uint8_t, 32> key) {
  constexpr std::string_view kText = "sekisho: is this key the one of before?";
  const auto mac =
      tunnel::crypto::blake2s_mac(key, {reinterpret_cast<const std::uint8_t*>(kText.data()), kText.size()});
  return std::max<std::uint64_t>(1, tunnel::wire::Reader(mac).u64_be());  // 0: no mark
}

// What is wrong, or nothing. Whoever holds another facility's key is that facility to us, so no two may be alike.
std::optional<std::string> read_key(const KeySource& source, std::span<std::uint8_t, 32> place,
                                    std::map<std::uint64_t, std::string>& holders) {
  const auto read = os::read_key_file(source.path);
  if (!read) return read.error().to_string();
  const auto [holder, is_new] = holders.emplace(mark_of(read->expose()), source.name);
  if (!is_new) return source.path + ": holds the same key as " + holder->second + "; each needs its own";
  std::ranges::copy(read->expose(), place.begin());
  return std::nullopt;
}

}  // namespace

std::span<const std::uint8_t, 32> KeydKeys::octets_of(const Key& key) const {
  return memory_.octets().subspan(key.slot * 32).first<32>();
}

core::KeysConfigured KeydKeys::configure(const core::ConfigureKeys& wanted) {
  core::KeysConfigured outcome;
  auto memory = os::LockedMemory::allocate(std::max<std::size_t>(1, wanted.keys.size()) * 32);
  if (!memory) {
    for (const auto& source : wanted.keys)
      outcome.keys.push_back({source.name, false, memory.error().to_string(), {}, {}, 0});
    return outcome;
  }
  std::map<std::string, Key> keys;
  std::map<std::string, tunnel::crypto::SigningKey> signing;
  std::map<std::uint64_t, std::string> holders;  // by mark
  for (std::size_t slot = 0; slot < wanted.keys.size(); ++slot) {
    const auto& source = wanted.keys[slot];
    auto& told = outcome.keys.emplace_back(core::KeyOutcome{source.name, true, {}, {}, {}, 0});
    if (source.kind == KeySource::Kind::kIkeSigning) {
      read_signing_key(source, told, signing);
      continue;
    }
    const auto place = memory->octets().subspan(slot * 32).first<32>();
    const auto before = keys_.find(source.name);
    if (auto fault = read_key(source, place, holders)) {
      told.good = false, told.error = *std::move(fault);
      if (before == keys_.end() || before->second.kind != source.kind) continue;
      // The one of before is kept, unless another facility's file holds it by now.
      if (!holders.emplace(mark_of(octets_of(before->second)), source.name).second) continue;
      std::ranges::copy(octets_of(before->second), place.begin());
    }
    if (source.kind == KeySource::Kind::kWireguardPrivate) told.public_key = tunnel::crypto::x25519_public(place);
    if (source.kind != KeySource::Kind::kWireguardPrivate) told.mark = mark_of(place);
    keys[source.name] = {source.kind, slot};
  }
  keys_ = std::move(keys);
  signing_ = std::move(signing);
  memory_ = *std::move(memory);
  return outcome;
}

// RFC 7427: only the key asked for, only with a scheme of its kind.
void KeydKeys::read_signing_key(const KeySource& source, core::KeyOutcome& told,
                                std::map<std::string, tunnel::crypto::SigningKey>& into) const {
  const auto text = os::read_private_key_text(source.path);
  auto key = text ? tunnel::crypto::SigningKey::parse_pem(text->expose()) : std::nullopt;
  if (!key) {
    told.good = false;
    told.error = text ? source.path +
                            ": not a private key in PEM that is taken here (ECDSA P-256, P-384, P-521; RSA "
                            "from 2048 bits; Ed25519; not encrypted)"
                      : text.error().to_string();
    const auto before = signing_.find(source.name);
    if (before == signing_.end()) return;
    key = before->second;
  }
  for (const auto scheme : key->schemes()) told.signature_schemes.push_back(static_cast<std::uint16_t>(scheme));
  told.mark = key->public_key().mark();
  into.emplace(source.name, *std::move(key));
}

KeyReply KeydKeys::answer(const KeyRequest& request) const {
  KeyReply reply;
  reply.id = request.id;
  if (request.operation == KeyRequest::Operation::kSign) {
    const auto key = signing_.find(request.key);
    const bool known = request.scheme <= static_cast<std::uint16_t>(tunnel::crypto::SignatureScheme::kEd25519);
    if (key == signing_.end() || !known || request.octets.empty()) return reply;
    auto signature = key->second.sign(static_cast<tunnel::crypto::SignatureScheme>(request.scheme), request.octets);
    if (!signature) return reply;
    reply.octets = *std::move(signature);
    reply.good = true;
    return reply;
  }
  const auto found = keys_.find(request.key);
  if (found == keys_.end() || found->second.kind != kind_for(request.operation)) return reply;
  const auto key = octets_of(found->second);
  if (request.operation == KeyRequest::Operation::kStaticDh) return tunnel::wireguard::static_dh(request, key);
  if (request.operation == KeyRequest::Operation::kMixPsk) return tunnel::wireguard::mix_preshared(request, key);
  if (request.operation == KeyRequest::Operation::kIkePskAuth) {
    if (!ike_psk_authentication(key, request, reply)) return reply;
  } else if (request.operation == KeyRequest::Operation::kIkePpk) {
    if (!ike_ppk_mix(key, request, reply)) return reply;
  }
  reply.good = true;
  return reply;
}

}  // namespace gateway::daemon
