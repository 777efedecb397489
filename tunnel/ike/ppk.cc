// Postquantum preshared keys (RFC 8784), both roles. keyd mixes the PPK into SK_d, SK_pi and SK_pr; it never comes
// here. The initiator keeps both sets of keys until the answer says which one counts.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

constexpr std::uint8_t kFixed = 2;  // RFC 8784 5.1: PPK_ID_FIXED

bool is_ours(const Notify& said, const PpkParams& ppk) {
  return said.data.size() == ppk.id.size() + 1 && said.data[0] == kFixed &&
         std::ranges::equal(said.data.subspan(1), ppk.id, {}, {}, [](char c) { return static_cast<std::uint8_t>(c); });
}

}  // namespace

void append_ppk(Chain& chain, const PpkParams& ppk, wire::ConstBytes without_ppk) {
  Octets data{kFixed};
  data.insert(data.end(), ppk.id.begin(), ppk.id.end());
  append(chain, NotifyType::kPpkIdentity, data);
  if (!without_ppk.empty()) append(chain, NotifyType::kNoPpkAuth, without_ppk);
}

// RFC 8784 3: as responder, before it is known who calls: when somebody who may be there has a PPK.
bool Endpoint::State::answers_ppk(const Incoming& message) const {
  if (message.notify(NotifyType::kUsePpk) == nullptr) return false;
  return std::ranges::any_of(peers, [&](const auto& entry) {
    return entry.second->params.ppk && entry.second->source_allowed(message.path.remote.address);
  });
}

void Endpoint::State::ask_keyd(IkeSa& sa, Asked what, wire::KeyRequest request, Turn turn) {
  request.id = ++last_key_request;
  key_requests[request.id] = sa.local();
  sa.asked = what;
  sa.key_request = request.id;
  turn.out.key_requests.push_back(std::move(request));
}

void Endpoint::State::ask_ppk(IkeSa& sa, Turn turn) {
  wire::KeyRequest request;
  request.operation = wire::KeyRequest::Operation::kIkePpk;
  request.key = peer_of(sa)->params.ppk->key;
  request.prf = static_cast<std::uint16_t>(sa.suite.prf);
  for (const crypto::SecretOctets* const key : {&sa.keys.d, &sa.keys.pi, &sa.keys.pr})
    request.secrets.insert(request.secrets.end(), key->expose().begin(), key->expose().end());
  ask_keyd(sa, Asked::kPpk, std::move(request), turn);
}

void Endpoint::State::ppk_answered(IkeSa& sa, const wire::KeyReply& reply, Turn turn) {
  const std::size_t size = crypto::prf_size(sa.suite.prf);
  if (!reply.good || reply.secrets.size() != 3 * size) {
    const std::string_view why = "our PPK cannot be used";
    return sa.initiator ? abandon_auth(sa, why, turn) : refuse_auth(sa, NotifyType::kAuthenticationFailed, why, turn);
  }
  const wire::ConstBytes mixed = reply.secrets;
  const auto part = [&](std::size_t number) { return crypto::SecretOctets(mixed.subspan(number * size, size)); };
  sa.handshake->ppk = PpkKeys{part(0), part(1), part(2)};
  if (sa.initiator) return ask_authentication(sa, Asked::kOwnAuthentication, turn);
  use_ppk(sa);  // the peer's AUTH is judged with it
  ask_authentication(sa, Asked::kPeerAuthentication, turn);
}

void Endpoint::State::use_ppk(IkeSa& sa) {
  PpkKeys& mixed = *sa.handshake->ppk;
  sa.keys.d = std::move(mixed.d), sa.keys.pi = std::move(mixed.pi), sa.keys.pr = std::move(mixed.pr);
  sa.handshake->ppk.reset();
  sa.ppk_key = peer_of(sa)->params.ppk->key;
}

// As initiator: our AUTH value, with the PPK where there is one.
void Endpoint::State::own_answered(IkeSa& sa, const wire::KeyReply& reply, Turn turn) {
  const Peer& peer = *peer_of(sa);
  Octets data = authentication_data(sa, peer, reply);
  if (!sa.handshake->ppk || peer.params.ppk->required) return send_auth(sa, data, {}, turn);
  sa.handshake->own_authentication = std::move(data);
  ask_authentication(sa, Asked::kOwnWithoutPpk, turn);
}

// RFC 8784 3, 5: true: the PPK is to be mixed in. False: the keys stay, and AUTH or NO_PPK_AUTH is judged with them.
Result<bool, std::string> Endpoint::State::judge_ppk(IkeSa& sa, const Incoming& message, Turn) {
  const auto& ppk = peer_of(sa)->params.ppk;
  const Notify* const said = message.notify(NotifyType::kPpkIdentity);
  const Notify* const without = message.notify(NotifyType::kNoPpkAuth);
  if (said != nullptr && ppk && sa.ppk_spoken && is_ours(*said, *ppk)) return true;
  if (ppk && ppk->required)
    return std::unexpected(
        std::string(said == nullptr ? "the peer does not use the PPK" : "the peer names another PPK"));
  if (said == nullptr) return false;
  if (without == nullptr) return std::unexpected(std::string("the peer insists on a PPK that we do not have"));
  sa.handshake->authentication = octets_of(without->data);
  return false;
}

}  // namespace tunnel::ike
