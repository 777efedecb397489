// An initiator that says whatever a test wants, under the right keys: it makes IKE_SA_INIT properly with one of our
// endpoints and then seals any payloads into any message. What it gets back is opened and put into words.
#pragma once

#include "tests/sim/ike_nodes.h"
#include "tunnel/esp/outbound_sa.h"
#include "tunnel/ike/fragments.h"
#include "tunnel/ike/ike_sa.h"
#include "tunnel/ike/nat_detection.h"
#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/payload_notify.h"
#include "tunnel/ike/selectors.h"

namespace ike_sim {

struct Piece {  // one payload as it will stand in the message
  std::uint8_t type = 0;
  Datagram body;
  bool critical = false;
  int wrong_length = 0;  // added to the length field
};

inline Datagram chain_of(const std::vector<Piece>& pieces) {
  Datagram octets;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t length = pieces[i].body.size() + 4 + static_cast<std::size_t>(pieces[i].wrong_length);
    octets.push_back(i + 1 < pieces.size() ? pieces[i + 1].type : std::uint8_t{0});
    octets.push_back(pieces[i].critical ? 0x80 : 0);
    octets.push_back(static_cast<std::uint8_t>(length >> 8));
    octets.push_back(static_cast<std::uint8_t>(length));
    octets.insert(octets.end(), pieces[i].body.begin(), pieces[i].body.end());
  }
  return octets;
}

// The body of the payload that `write` appends to a chain.
template <class Write>
Datagram body_from(const Write& write) {
  Datagram octets(4096);
  tunnel::wire::Writer writer(octets);
  ike::Chain chain(writer);
  write(chain);
  chain.end();
  const auto written = writer.written();
  return {written.begin() + 4, written.end()};
}

class ScriptedPeer {
 public:
  static constexpr tunnel::crypto::Group kGroup = tunnel::crypto::Group::kEcp256;

  // `node`: the responder. `from`: our address.
  ScriptedPeer(Node& node, Instant now) : node_(node), rng_(99), now_(now) {
    profile = ike::profile_at(ike::ProfileName::kCompat, {}, kWall);
    profile.groups = {kGroup};
  }

  // IKE_SA_INIT, and what comes back.
  void init() {
    make_first();
    give(first_);
    auto sent = init_answers();
    if (answers_cookies && !sent.empty()) cookie = cookie_in(message_of(sent.front()));
    if (!cookie.empty()) {  // RFC 7296 2.6
      make_first();
      cookie.clear();
      give(first_);
      sent = init_answers();
    }
    if (!sent.empty()) take_init(message_of(sent.front()));
  }
  bool answers_cookies = false;
  Datagram cookie;
  void make_first() {
    pair_ = tunnel::crypto::KeyExchange::generate(kGroup);
    offered_ = ike::offer_ike(profile, kGroup, std::nullopt);
    Datagram octets(4096);
    tunnel::wire::Writer writer(octets);
    ike::PlainMessage message(writer,
                              {.initiator_spi = spi, .exchange = ike::Exchange::kSaInit, .from_initiator = true});
    if (!cookie.empty()) append(message.chain(), ike::NotifyType::kCookie, cookie);
    append(message.chain(), offered_);
    append(message.chain(), ike::KeyExchangePayload{kGroup, pair_->public_value()});
    message.chain().begin(ike::PayloadType::kNonce).octets(nonce);  // of any length
    message.chain().end();
    if (nat) {
      const auto own = ike::nat_hash({spi, 0}, from), nodes = ike::nat_hash({spi, 0}, {node_.address, to});
      const Datagram wrong(20, 1);
      append(message.chain(), ike::NotifyType::kNatDetectionSourceIp,
             behind_nat ? tunnel::wire::ConstBytes(wrong) : tunnel::wire::ConstBytes(own));
      append(message.chain(), ike::NotifyType::kNatDetectionDestinationIp,
             node_behind_nat ? tunnel::wire::ConstBytes(wrong) : tunnel::wire::ConstBytes(nodes));
    }
    if (use_ppk) append(message.chain(), ike::NotifyType::kUsePpk);
    if (critical != 0) {
      message.chain().begin(ike::PayloadType(critical)).zeros(4);
      message.chain().end();
    }
    const auto finished = message.finish();
    first_ = {finished.begin(), finished.end()};
    if (critical != 0) first_[first_.size() - 7] |= 0x80;  // of the last payload's header
  }

  // Payloads of a good IKE_AUTH.
  std::vector<Piece> auth() {
    const Datagram identity =
        body_from([](ike::Chain& c) { append(c, ike::PayloadType::kIdInitiator, fqdn("a.example").view()); });
    const auto text = ike::signed_octets(sa.suite.prf, first_, their_nonce_, sa.keys.pi, identity);
    const auto mac = ike::psk_authentication(sa.suite.prf, Datagram(32, 7), text);
    offered_esp_ = ike::offer_esp(profile, kGroup, 0x11223344, true);
    return {{35, identity, false, 0},
            {36, body_from([](ike::Chain& c) { append(c, ike::PayloadType::kIdResponder, fqdn("b.example").view()); }),
             false, 0},
            {39, body_from([&](ike::Chain& c) {
               append(c, ike::Authentication{ike::AuthMethod::kSharedKey, mac.expose()});
             }),
             false, 0},
            {33, body_from([&](ike::Chain& c) { append(c, offered_esp_); }), false, 0},
            selectors(44, "10.1.0.0/24"),
            selectors(45, "10.2.0.0/24")};
  }
  // Of a good CREATE_CHILD_SA for a CHILD SA; `rekeys`: our SPI of the one it is to replace.
  std::vector<Piece> child(std::uint32_t rekeys = 0) {
    const auto proposals = ike::offer_esp(profile, kGroup, 0x55667788, false);
    std::vector<Piece> pieces;
    if (rekeys != 0)
      pieces.push_back({41, body_from([&](ike::Chain& c) { append(c, ike::NotifyType::kRekeySa, rekeys); }), false, 0});
    pieces.push_back({33, body_from([&](ike::Chain& c) { append(c, proposals); }), false, 0});
    pieces.push_back({40, nonce, false, 0});
    pieces.push_back(
        {34, body_from([&](ike::Chain& c) { append(c, ike::KeyExchangePayload{kGroup, pair_->public_value()}); }),
         false, 0});
    pieces.push_back(selectors(44, "10.1.0.0/24"));
    pieces.push_back(selectors(45, "10.2.0.0/24"));
    return pieces;
  }
  std::vector<Piece> rekey_ike() {
    const auto proposals = ike::offer_ike(profile, kGroup, ike::Spi{77});
    return {{33, body_from([&](ike::Chain& c) { append(c, proposals); }), false, 0},
            {40, nonce, false, 0},
            {34, body_from([&](ike::Chain& c) { append(c, ike::KeyExchangePayload{kGroup, pair_->public_value()}); }),
             false, 0}};
  }
  static Piece deletes(std::vector<std::uint32_t> spis) {
    const ike::DeletePayload payload{spis.empty() ? ike::Protocol::kIke : ike::Protocol::kEsp, std::move(spis)};
    return {42, body_from([&](ike::Chain& c) { append(c, payload); }), false, 0};
  }

  // Sends them as the next request and says what came back.
  std::string ask(ike::Exchange exchange, const std::vector<Piece>& pieces) {
    const Datagram octets = chain_of(pieces);
    const ike::PayloadType first =
        pieces.empty() ? ike::PayloadType::kNone : static_cast<ike::PayloadType>(pieces[0].type);
    return ask_content(exchange, {first, octets});
  }
  std::string ask_content(ike::Exchange exchange, const ike::Content& content) {
    const ike::Header header{.initiator_spi = sa.spis.initiator,
                             .responder_spi = sa.spis.responder,
                             .exchange = exchange,
                             .from_initiator = true,
                             .message_id = next_id};
    auto sealed = ike::seal_message(header, content, std::nullopt, *sa.seals, rng_);
    if (!sealed) return "too long";
    give(sealed->front());
    more = node_.take_sent();
    if (more.empty()) return "silence";
    ++next_id;
    const Sent answered = more.front();
    more.erase(more.begin());
    return words_of(message_of(answered));
  }
  // With any header, under the right keys; "silence" or the words of what came back.
  std::string ask_as(const ike::Header& header, const std::vector<Piece>& pieces) {
    const Datagram octets = chain_of(pieces);
    const auto first = pieces.empty() ? ike::PayloadType::kNone : static_cast<ike::PayloadType>(pieces[0].type);
    auto sealed = ike::seal_message(header, {first, octets}, std::nullopt, *sa.seals, rng_);
    if (!sealed) return "too long";
    give(sealed->front());
    const auto sent = node_.take_sent();
    return sent.empty() ? "silence" : words_of(message_of(sent.front()));
  }
  [[nodiscard]] ike::Header header(ike::Exchange exchange, std::uint32_t id) const {
    return {.initiator_spi = sa.spis.initiator,
            .responder_spi = sa.spis.responder,
            .exchange = exchange,
            .from_initiator = true,
            .message_id = id};
  }
  // An answer of ours to a request of theirs that is under way.
  void answer(ike::Exchange exchange, std::uint32_t id, const ike::Content& content) {
    const ike::Header header{.initiator_spi = sa.spis.initiator,
                             .responder_spi = sa.spis.responder,
                             .exchange = exchange,
                             .from_initiator = true,
                             .response = true,
                             .message_id = id};
    auto sealed = ike::seal_message(header, content, std::nullopt, *sa.seals, rng_);
    if (sealed) give(sealed->front());
  }
  // An inner packet under the keys of the first CHILD SA; `port`: 4500, or 0 for protocol 50.
  void send_esp(const Datagram& inner, const SocketAddress& source, std::uint16_t port = 4500) {
    Datagram sealed(tunnel::esp::sealed_size(esp_->suite(), inner.size()));
    (void)esp_->seal(inner, sealed, rng_);
    node_.receive(sealed, source, port, now_);
  }
  // Data of that notify in a message of the node's; none: not there.
  std::optional<Datagram> notify_in(const Sent& sent, ike::NotifyType type) {
    Datagram datagram = message_of(sent);
    const auto inner = inner_of(datagram);
    if (!inner) return std::nullopt;
    for (const ike::Payload& payload : *inner)
      if (payload.type == ike::PayloadType::kNotify)
        if (const auto notify = ike::parse_notify(payload.body); notify && notify->type == type)
          return Datagram(notify->data.begin(), notify->data.end());
    return std::nullopt;
  }

  ike::IkeSa sa;
  ike::Profile profile;
  std::uint32_t next_id = 1;
  Datagram nonce = Datagram(32, 5);
  std::uint32_t their_esp = 0;  // SPI of the last CHILD SA the node answered with
  std::vector<Sent> more;       // what the node sent beside the answer to the last ask()
  SocketAddress from{*tunnel::wire::IpAddress::parse("192.0.2.1"), 500};
  std::uint16_t to = 500;  // 4500: with the marker (RFC 3948 2.2)
  ike::Spi spi = 0x0102030405060708;
  bool nat = false;                                 // init() speaks of NATs, and says that
  bool behind_nat = true, node_behind_nat = false;  // we are behind one, and the node is
  bool use_ppk = false;                             // init() has USE_PPK
  std::uint8_t critical = 0;                        // a payload of this type with the critical bit in init()

  void at(Instant now) { now_ = now; }
  [[nodiscard]] const Datagram& first() const { return first_; }

 private:
  std::vector<Sent> init_answers() {
    auto sent = node_.take_sent();
    std::erase_if(sent, [](const Sent& s) {
      const Datagram message = message_of(s);
      return message.size() < ike::kHeaderSize || message[18] != static_cast<std::uint8_t>(ike::Exchange::kSaInit);
    });
    return sent;
  }
  static Datagram cookie_in(const Datagram& message) {
    const auto payloads = ike::parse_message(message, *ike::read_header(message));
    const auto* const found = payloads ? payloads->find(ike::PayloadType::kNotify) : nullptr;
    const auto notify = found != nullptr ? ike::parse_notify(found->body) : std::unexpected(ike::ParseFailure{});
    return notify && notify->type == ike::NotifyType::kCookie ? Datagram(notify->data.begin(), notify->data.end())
                                                              : Datagram();
  }

  void give(Datagram message) {
    if (to == 4500) message.insert(message.begin(), 4, 0);
    node_.receive(std::move(message), from, to, now_);
  }
  static Datagram message_of(const Sent& sent) {
    const auto marker = sent.from.port == 4500 ? 4 : 0;
    return {sent.bytes.begin() + marker, sent.bytes.end()};
  }
  ike::Result<ike::Payloads, ike::ParseFailure> inner_of(Datagram& datagram) {
    const auto header = ike::read_header(datagram);
    const auto payloads = ike::parse_message(datagram, *header);
    const auto opened = payloads ? ike::open(datagram, *payloads, *sa.opens) : std::unexpected(payloads.error());
    if (!opened) return std::unexpected(opened.error());
    return ike::parse_inner(opened->content.first, opened->content.octets);
  }
  // The sending half of the first CHILD SA, when the node has answered with one.
  void take_child(std::span<const ike::Proposal> answered) {
    const auto choice = ike::accept_esp(answered, offered_esp_, std::nullopt);
    if (esp_ || !choice) return;
    const auto keys = ike::derive_child_keys(sa.suite.prf, choice->cipher, sa.keys.d, {}, {nonce, their_nonce_});
    esp_ = tunnel::esp::OutboundSa::make({choice->peer_spi, choice->cipher, keys.initiator.expose(), choice->esn});
  }
  static Piece selectors(std::uint8_t type, const std::string& prefix) {
    const std::vector<ike::Selector> list{ike::Selector::of(*Prefix::parse(prefix))};
    return {type, body_from([&](ike::Chain& c) { append(c, static_cast<ike::PayloadType>(type), list); }), false, 0};
  }

  void take_init(const Datagram& datagram) {
    const auto header = ike::read_header(datagram);
    const auto payloads = ike::parse_message(datagram, *header);
    const auto proposals = ike::parse_proposals(payloads->find(ike::PayloadType::kSa)->body);
    const auto public_value = ike::parse_key_exchange(payloads->find(ike::PayloadType::kKeyExchange)->body);
    const auto theirs = ike::parse_nonce(payloads->find(ike::PayloadType::kNonce)->body);
    sa.initiator = true;
    sa.suite = *ike::accept_ike(*proposals, offered_, public_value->group);
    sa.spis = {spi, header->responder_spi};
    their_nonce_ = {theirs->begin(), theirs->end()};
    const ike::Nonces nonces{nonce, their_nonce_};
    sa.install_keys(ike::skeyseed(sa.suite.prf, nonces, *pair_->shared_secret(public_value->public_value)), nonces);
  }

  std::string words_of(Datagram datagram) {
    const auto header = ike::read_header(datagram);
    const auto inner = inner_of(datagram);
    if (!inner) return "unreadable";
    std::string words = header->response ? "" : "request ";
    for (const ike::Payload& payload : *inner) {
      if (payload.type == ike::PayloadType::kSa) {
        const auto answered = ike::parse_proposals(payload.body);
        their_esp = static_cast<std::uint32_t>(answered->front().spi.number());
        take_child(*answered);
      }
      const auto notify = payload.type == ike::PayloadType::kNotify ? ike::parse_notify(payload.body)
                                                                    : std::unexpected(ike::ParseFailure{});
      words +=
          (words.empty() || words.ends_with(' ') ? "" : ", ") +
          (notify ? std::string(ike::name(notify->type)) : "payload " + std::to_string(static_cast<int>(payload.type)));
    }
    return words.empty() ? "empty" : words;
  }

  Node& node_;
  SeededRng rng_;
  Instant now_;
  std::optional<tunnel::crypto::KeyExchange> pair_;
  std::vector<ike::Proposal> offered_, offered_esp_;
  std::optional<tunnel::esp::OutboundSa> esp_;
  Datagram first_, their_nonce_;
};

}  // namespace ike_sim
