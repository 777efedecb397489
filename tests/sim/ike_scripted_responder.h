// A responder that says whatever a test wants, to one of our endpoints that begins. It makes IKE_SA_INIT properly
// unless told otherwise and then seals any payloads into any message; what the endpoint proposes in IKE_AUTH it does
// not read.
#pragma once

#include "tests/sim/ike_scripted_peer.h"
#include "tunnel/ike/create_child_payloads.h"

namespace ike_sim {

// How the answer to IKE_SA_INIT is to differ from a good one.
struct InitWish {
  std::optional<tunnel::crypto::Group> group =
      {};  // said in SA and KE; the public value is of the one that was asked for
  bool use_ppk = false;
};

// A request of the node's, opened. `child`: when it is a CREATE_CHILD_SA; its views are into `octets`.
struct OpenedRequest {
  std::uint32_t id = 0;
  Datagram octets;
  std::optional<ike::CreateChildPayloads> child;
};

class ScriptedResponder {
 public:
  ScriptedResponder() : node(11, "192.0.2.1"), rng_(98) {
    node.keyd.keys["psk"] = Datagram(32, 7);
    params = Pair::peer("a.example", "b.example", "10.1.0.0/24", "10.2.0.0/24");
    params.endpoint = from;
    params.start = true;
    params.lifetimes.liveness = 30s;
  }
  // The node begins.
  void called() {
    node.set_peer(params, kStart);
    hear(node.take_sent().at(0));
  }
  // Of the node's IKE_SA_INIT; the last one counts.
  void hear(const Sent& sent) {
    request_ = sent.bytes;
    const auto payloads = ike::parse_message(request_, *ike::read_header(request_));
    group_ = ike::parse_key_exchange(payloads->find(ike::PayloadType::kKeyExchange)->body)->group;
  }
  [[nodiscard]] tunnel::crypto::Group group() const { return group_; }

  // A good answer to IKE_SA_INIT, and the keys that come of it.
  Datagram init(const InitWish& wish = {}) {
    const auto header = *ike::read_header(request_);
    const auto payloads = ike::parse_message(request_, header);
    const auto proposals = *ike::parse_proposals(payloads->find(ike::PayloadType::kSa)->body);
    const auto theirs = *ike::parse_key_exchange(payloads->find(ike::PayloadType::kKeyExchange)->body);
    const auto asked = *ike::parse_nonce(payloads->find(ike::PayloadType::kNonce)->body);
    their_nonce_ = {asked.begin(), asked.end()};
    auto pair = tunnel::crypto::KeyExchange::generate(theirs.group);
    sa.initiator = false;
    sa.suite = *ike::choose_ike(proposals, params.profile, theirs.group, false);
    sa.spis = {header.initiator_spi, 0x0807060504030201};
    const ike::Nonces nonces{their_nonce_, nonce};
    sa.install_keys(ike::skeyseed(sa.suite.prf, nonces, *pair->shared_secret(theirs.public_value)), nonces);

    sa.suite.group = wish.group.value_or(theirs.group);
    const auto datagram = plain([&](ike::Chain& chain) {
      append(chain, std::array{ike::answer(sa.suite, std::nullopt)});
      append(chain, ike::KeyExchangePayload{sa.suite.group, pair->public_value()});
      chain.begin(ike::PayloadType::kNonce).octets(nonce);  // of any length
      chain.end();
      if (wish.use_ppk) append(chain, ike::NotifyType::kUsePpk);
    });
    first_ = datagram;
    return datagram;
  }
  // An answer in clear that has one notify, without an SPI of ours.
  Datagram init_notify(ike::NotifyType type, const Datagram& data) {
    sa.spis = {ike::read_header(request_)->initiator_spi, 0};
    return plain([&](ike::Chain& chain) { append(chain, type, data); });
  }
  // To the node, from where it has asked; what it sends then.
  std::vector<Sent> say(const Datagram& datagram) {
    node.receive(datagram, from, 500, now);
    return node.take_sent();
  }

  // Payloads of a good answer to IKE_AUTH.
  std::vector<Piece> auth(ike::AuthMethod method = ike::AuthMethod::kSharedKey) {
    const Datagram identity =
        body_from([](ike::Chain& c) { append(c, ike::PayloadType::kIdResponder, fqdn("b.example").view()); });
    const auto text = ike::signed_octets(sa.suite.prf, first_, their_nonce_, sa.keys.pr, identity);
    const auto mac = ike::psk_authentication(sa.suite.prf, Datagram(32, 7), text);
    ike::EspChoice choice;
    choice.cipher = params.profile.esp.front();
    choice.esn = true;
    return {{36, identity, false, 0},
            {39, body_from([&](ike::Chain& c) { append(c, ike::Authentication{method, mac.expose()}); }), false, 0},
            {33, body_from([&](ike::Chain& c) { append(c, std::array{ike::answer(choice, 0x11223344)}); }), false, 0},
            selectors(44, "10.1.0.0/24"),
            selectors(45, "10.2.0.0/24")};
  }
  static Piece selectors(std::uint8_t type, const std::string& prefix) {
    const std::vector<ike::Selector> list{ike::Selector::of(*Prefix::parse(prefix))};
    return {type, body_from([&](ike::Chain& c) { append(c, static_cast<ike::PayloadType>(type), list); }), false, 0};
  }
  // The answer to IKE_AUTH. What the node sends then.
  std::vector<Sent> answer_auth(const std::vector<Piece>& pieces) {
    return say(sealed({.exchange = ike::Exchange::kAuth, .response = true, .message_id = 1}, pieces));
  }
  OpenedRequest open(const Sent& sent_by_node) {
    OpenedRequest request;
    const auto marker = sent_by_node.from.port == 4500 ? 4 : 0;
    request.octets = {sent_by_node.bytes.begin() + marker, sent_by_node.bytes.end()};
    const auto header = *ike::read_header(request.octets);
    request.id = header.message_id;
    const auto payloads = *ike::parse_message(request.octets, header);
    const auto opened = *ike::open(request.octets, payloads, *sa.opens);
    if (header.exchange == ike::Exchange::kCreateChildSa)
      request.child = *ike::parse_create_child(*ike::parse_inner(opened.content.first, opened.content.octets));
    return request;
  }
  // An answer to the node's request of that number; what the node sends then.
  std::vector<Sent> answer(ike::Exchange exchange, std::uint32_t id, const std::vector<Piece>& pieces) {
    return say(sealed({.exchange = exchange, .response = true, .message_id = id}, pieces));
  }
  // All of it at once.
  void up(const std::vector<Piece>& more = {}) {
    called();
    (void)say(init());
    auto pieces = auth();
    pieces.insert(pieces.end(), more.begin(), more.end());
    (void)answer_auth(pieces);
  }
  // A request of ours, from anywhere to either port; what the node sends then.
  std::vector<Sent> ask(const std::vector<Piece>& pieces, const SocketAddress& source, std::uint16_t to = 500) {
    Datagram datagram = sealed({.exchange = ike::Exchange::kInformational, .message_id = next_id_++}, pieces);
    if (to == 4500) datagram.insert(datagram.begin(), 4, 0);
    node.receive(std::move(datagram), source, to, now);
    return node.take_sent();
  }
  // Where the node's next request goes: it asks whether we live.
  SocketAddress liveness_to() {
    now += 100s;
    node.on_deadline(now);
    const auto sent = node.take_sent();
    return sent.empty() ? SocketAddress{} : sent.front().to;
  }

  Node node;
  ike::PeerParams params;
  ike::IkeSa sa;
  Datagram nonce = Datagram(32, 6);
  Instant now = kStart;
  SocketAddress from{*tunnel::wire::IpAddress::parse("192.0.2.2"), 500};

 private:
  template <class Write>
  Datagram plain(const Write& write) {
    Datagram octets(4096);
    tunnel::wire::Writer writer(octets);
    ike::PlainMessage message(writer, {.initiator_spi = sa.spis.initiator,
                                       .responder_spi = sa.spis.responder,
                                       .exchange = ike::Exchange::kSaInit,
                                       .response = true});
    write(message.chain());
    const auto finished = message.finish();
    return {finished.begin(), finished.end()};
  }
  Datagram sealed(ike::Header header, const std::vector<Piece>& pieces) {
    header.initiator_spi = sa.spis.initiator, header.responder_spi = sa.spis.responder;
    const Datagram octets = chain_of(pieces);
    const auto first = pieces.empty() ? ike::PayloadType::kNone : static_cast<ike::PayloadType>(pieces[0].type);
    return ike::seal_message(header, {first, octets}, std::nullopt, *sa.seals, rng_)->front();
  }

  SeededRng rng_;
  Datagram request_, first_, their_nonce_;
  tunnel::crypto::Group group_ = tunnel::crypto::Group::kNone;
  std::uint32_t next_id_ = 0;
};

}  // namespace ike_sim
