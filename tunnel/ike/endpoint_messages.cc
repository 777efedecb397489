// A datagram's way in (port, header, SA, window, integrity, payloads) and a message's way out. Nothing is changed
// before the whole message was judged.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"
#include "tunnel/wire/require.h"

namespace tunnel::ike {
namespace {

constexpr std::size_t kMarkerSize = 4;  // RFC 3948 2.2: zeros before IKE on port 4500

bool is_keepalive(wire::ConstBytes bytes) {
  return bytes.size() == 1 && bytes[0] == 0xff;  // RFC 3948 2.3
}

ParseFailure missing(PayloadType type) {
  return {ParseError::kMissingPayload, static_cast<std::uint8_t>(type)};
}

}  // namespace

const Notify* Incoming::error() const {
  const auto found = std::ranges::find_if(notifies, [](const Notify& notify) { return is_error(notify.type); });
  return found == notifies.end() ? nullptr : &*found;
}

Result<const Payload*, ParseFailure> at_most_one(const Payloads& payloads, PayloadType type) {
  if (payloads.count(type) > 1)
    return std::unexpected(ParseFailure{ParseError::kDuplicatePayload, static_cast<std::uint8_t>(type)});
  return payloads.find(type);
}

Result<const Payload*, ParseFailure> only(const Payloads& payloads, PayloadType type) {
  const Payload* const found = TRY(at_most_one(payloads, type));
  if (found == nullptr) return std::unexpected(missing(type));
  return found;
}

void Endpoint::State::receive(wire::OuterDatagram datagram, Turn turn) {
  const Door* const in = door(datagram.path.socket);
  if (in == nullptr) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  if (in->kind == Door::Kind::kEsp) return receive_esp(datagram, *in, turn);
  if (in->kind == Door::Kind::kPlain) return receive_ike(datagram, *in, turn);
  if (is_keepalive(datagram.bytes)) return;
  if (datagram.bytes.size() < kMarkerSize) return turn.out.drops.add(wire::Drop::kMalformed);
  const auto marker = datagram.bytes.first<kMarkerSize>();
  const bool ike = std::ranges::all_of(marker, [](std::uint8_t octet) { return octet == 0; });
  if (!ike) return receive_esp(datagram, *in, turn);
  datagram.bytes = datagram.bytes.subspan(kMarkerSize);
  receive_ike(datagram, *in, turn);
}

void Endpoint::State::receive_ike(const wire::OuterDatagram& datagram, const Door& in, Turn turn) {
  const auto header = read_header(datagram.bytes);
  if (!header) return turn.out.drops.add(wire::Drop::kMalformed);
  if (const auto failure = judge(*header, datagram.bytes.size())) {
    if (failure->error == ParseError::kMajorVersion) answer_major_version(datagram, in, *header, turn);
    if (failure->error == ParseError::kOldVersion && header->major == 1 && header->length == datagram.bytes.size())
      tell_stranger(datagram.path, "it speaks IKEv1, which is not answered: set the router to IKEv2", turn);
    return turn.out.drops.add(wire::Drop::kMalformed);
  }
  if (header->exchange == Exchange::kSaInit) return receive_init(datagram, in, *header, turn);
  IkeSa* const sa = sa_by_spi(header->from_initiator ? header->responder_spi : header->initiator_spi);
  const bool ours = sa != nullptr && sa->initiator != header->from_initiator &&
                    sa->spis == SpiPair{header->initiator_spi, header->responder_spi};
  if (!ours) return hear_answer(*header, turn);
  receive_protected(*sa, datagram, in, *header, turn);
}

void Endpoint::State::receive_init(const wire::OuterDatagram& datagram, const Door& in, const Header& header,
                                   Turn turn) {
  const auto payloads = parse_message(datagram.bytes, header);
  if (!payloads && !header.response && payloads.error().error == ParseError::kUnsupportedCritical)
    return answer_critical({datagram.path, in, header, datagram.bytes, {}, {}}, payloads.error().octet, turn);
  if (!payloads) return turn.out.drops.add(wire::Drop::kMalformed);
  auto notifies = parse_notifies(*payloads);
  if (!notifies) return turn.out.drops.add(wire::Drop::kMalformed);
  const Incoming message{datagram.path, in, header, datagram.bytes, *payloads, std::move(*notifies)};
  if (!header.response) return receive_init_request(message, turn);
  IkeSa* const sa = sa_by_spi(header.initiator_spi);
  const bool awaited = sa != nullptr && sa->phase == IkeSa::Phase::kInitSent &&
                       sa->requests.awaits(header.message_id) && sa->asked == Asked::kNothing &&
                       sa->path.remote == datagram.path.remote;
  if (!awaited) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  receive_init_response(*sa, message, turn);
}

void Endpoint::State::receive_protected(IkeSa& sa, const wire::OuterDatagram& datagram, const Door& in,
                                        const Header& header, Turn turn) {
  if (!sa.opens || sa.asked != Asked::kNothing) return turn.out.drops.add(wire::Drop::kNoSession);
  Peer* const peer = peer_of(sa);
  // RFC 4555 3.5: who may move is told that it may not go there.
  if (peer != nullptr && !sa.mobike && !peer->source_allowed(datagram.path.remote.address))
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  using Verdict = PeerRequests::Verdict;
  const Verdict verdict = header.response ? (sa.requests.awaits(header.message_id) ? Verdict::kNew : Verdict::kOutside)
                                          : sa.answers.judge(header.message_id, datagram.bytes);
  if (verdict == Verdict::kRepeated) return repeat_answer(sa, datagram.path, in, turn);
  if (verdict == Verdict::kNew && sa.phase == IkeSa::Phase::kRefused)  // it only repeats its last answer
    return turn.out.drops.add(wire::Drop::kNoSession);
  if (verdict == Verdict::kOutside) return turn.out.drops.add(wire::Drop::kReplay);
  const auto payloads = parse_message(datagram.bytes, header);
  if (!payloads) return turn.out.drops.add(wire::Drop::kMalformed);
  Joiner& joiner = header.response ? sa.joining_answers : sa.joining_requests;
  const auto fragment = peek_fragment(*payloads);
  if (fragment && verdict == Verdict::kNew && (!sa.fragments || !joiner.wants(header.message_id, *fragment)))
    return turn.out.drops.add(wire::Drop::kReplay);
  const Digest digest = digest_of(datagram.bytes);
  const auto opened = open(datagram.bytes, *payloads, *sa.opens);
  if (!opened) return turn.out.drops.add(wire::Drop::kForged);
  // From here on it is the holder of this SA's keys.
  const bool leads = !fragment || fragment->number == 1;
  if (verdict == Verdict::kOldId) {  // RFC 7383 2.6.1: the first fragment alone brings the answer again
    if (leads) repeat_answer(sa, datagram.path, in, turn);
    return;
  }
  sa.heard = turn.now;  // RFC 7296 2.4: only what is new says that the peer lives
  if (peer != nullptr && sa.established()) peer->counters.last_heard = turn.now;
  if (leads && !header.response) sa.request_digest = digest;
  Incoming message{datagram.path, in, header, {}, {}, {}};
  if (!fragment) return receive_opened(sa, message, opened->content, turn);
  if (joiner.add(header.message_id, *opened) != Joiner::Step::kComplete) return;
  const Joiner joined = std::exchange(joiner, {});
  receive_opened(sa, message, joined.content(), turn);
}

// RFC 7296 2.1, 2.11: to where it came from, which nothing proves: whoever has seen a request could have its answer,
// many times as long, sent to anybody. So a few times only to another address than the request's own; a peer that moves
// repeats there what is outstanding (RFC 4555 3.5).
void Endpoint::State::repeat_answer(IkeSa& sa, const wire::OuterPath& to, const Door& in, Turn turn) {
  const Peer* const peer = peer_of(sa);
  const bool same = to.remote.address == sa.reply_path.remote.address;
  if (peer != nullptr && !peer->source_allowed(to.remote.address))
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  if (!same && (sa.half_open() || ++sa.repeated_elsewhere > kRepeatsElsewhere))
    return turn.out.drops.add(wire::Drop::kRateLimited);
  transmit(to, in.encapsulates(), sa.answers.kept(), turn);
}

// RFC 7296 2.5, 2.21.3: an authenticated message that cannot be read is answered; INVALID_SYNTAX ends the SA.
void Endpoint::State::receive_opened(IkeSa& sa, Incoming& message, const Content& content, Turn turn) {
  if (!message.header.response) sa.reply_path = message.path, sa.reply_encapsulated = message.door.encapsulates();
  auto payloads = parse_inner(content.first, content.octets);
  auto notifies = payloads ? parse_notifies(*payloads) : std::unexpected(payloads.error());
  if (notifies) {
    message.payloads = *payloads;
    message.notifies = std::move(*notifies);
    return message.header.response ? handle_response(sa, message, turn) : handle_request(sa, message, turn);
  }
  turn.out.drops.add(wire::Drop::kMalformed);
  const ErrorText text = describe(notifies.error().error);
  if (Peer* const peer = peer_of(sa)) tell_failure(*peer, message.path, text.words, turn);
  // RFC 7296 2.21: the SA is gone, and the peer is told: it believes in it.
  if (message.header.response)
    return sa.half_open() ? abandon_auth(sa, text.words, turn) : unreadable_answer(sa, text.words, turn);
  const NotifyType type = answer_to(notifies.error().error).value_or(NotifyType::kInvalidSyntax);
  const Octets data = type == NotifyType::kUnsupportedCriticalPayload ? Octets{notifies.error().octet} : Octets{};
  respond_error(sa, message.header.exchange, type, data, turn);
  if (type == NotifyType::kInvalidSyntax || sa.half_open()) retire(sa, turn);
}

// What may come in which phase; everything else is dropped without a trace (rule S7).
void Endpoint::State::handle_request(IkeSa& sa, const Incoming& message, Turn turn) {
  const Exchange exchange = message.header.exchange;
  // RFC 7296 2.23: a peer behind a NAT is where its last authenticated message came from.
  // With MOBIKE the peer says so instead (RFC 4555 3.5), but for the change to port 4500 (3.3).
  const bool floats = !sa.encapsulated && message.door.encapsulates() && message.path.remote.port == kNatPort &&
                      message.path.remote.address == sa.path.remote.address;
  // Who is behind a NAT itself does not follow (RFC 7296 2.23), and nobody follows out of the facility's sources.
  const Peer* const peer = peer_of(sa);
  const bool from_source = peer == nullptr || peer->source_allowed(message.path.remote.address);
  const bool follows = from_source && (sa.mobike ? floats && !sa.moves : sa.nat.peer_behind && !sa.nat.we_behind);
  if (follows || sa.phase == IkeSa::Phase::kInitAnswered)
    sa.path = message.path, sa.encapsulated = message.door.encapsulates();
  if (sa.phase == IkeSa::Phase::kInitAnswered && exchange == Exchange::kAuth)
    return receive_auth_request(sa, message, turn);
  if (sa.established() && exchange == Exchange::kCreateChildSa) return receive_create_child(sa, message, turn);
  if (sa.phase == IkeSa::Phase::kClosing && exchange == Exchange::kCreateChildSa)  // RFC 7296 2.25.2
    return respond_error(sa, exchange, NotifyType::kTemporaryFailure, {}, turn);
  const bool running = sa.established() || sa.phase == IkeSa::Phase::kClosing;
  if (running && exchange == Exchange::kInformational) return receive_informational(sa, message, turn);
  turn.out.drops.add(wire::Drop::kMalformed);
}

void Endpoint::State::handle_response(IkeSa& sa, const Incoming& message, Turn turn) {
  using Kind = Exchanging::Kind;
  const Kind kind = sa.exchanging.kind;
  const Exchange exchange = message.header.exchange;
  if (kind == Kind::kAuth && exchange == Exchange::kAuth) return receive_auth_response(sa, message, turn);
  if (exchange == Exchange::kCreateChildSa && (kind == Kind::kNewChild || kind == Kind::kRekeyChild))
    return receive_child_response(sa, message, turn);
  if (exchange == Exchange::kCreateChildSa && kind == Kind::kRekeyIke)
    return receive_rekey_ike_response(sa, message, turn);
  const bool informational = kind == Kind::kLiveness || kind == Kind::kDeleteIke || kind == Kind::kDeleteChildren ||
                             kind >= Kind::kUpdateAddresses;
  if (informational && exchange == Exchange::kInformational) return receive_informational_response(sa, message, turn);
  turn.out.drops.add(wire::Drop::kMalformed);
}

// The datagrams of one message of ours.
std::vector<Octets> Endpoint::State::sealed(IkeSa& sa, const Header& header, Draft& draft) {
  const auto limit = sa.fragments ? std::optional(params.fragment_size) : std::nullopt;
  auto datagrams = seal_message(header, draft.content(), limit, *sa.seals, rng);
  // RFC 7383 2.5: what would be more fragments than anybody takes goes whole, for IP to cut.
  if (!datagrams) datagrams = seal_message(header, draft.content(), std::nullopt, *sa.seals, rng);
  wire::require(datagrams.has_value());
  return std::move(*datagrams);
}

void Endpoint::State::request(IkeSa& sa, Exchange exchange, Exchanging::Kind kind, Draft& draft, Turn turn) {
  const Header header{.initiator_spi = sa.spis.initiator,
                      .responder_spi = sa.spis.responder,
                      .exchange = exchange,
                      .from_initiator = sa.initiator,
                      .message_id = sa.requests.next_id()};
  auto datagrams = sealed(sa, header, draft);
  wire::require(!sa.requests.outstanding());
  transmit(sa.path, sa.encapsulated, datagrams, turn);
  sa.exchanging.kind = kind;
  sa.requests.sent(std::move(datagrams), turn.now, params.backoff);
}

// RFC 7296 2.11: to where the request came from.
void Endpoint::State::respond(IkeSa& sa, Exchange exchange, Draft& draft, Turn turn) {
  const Header header{.initiator_spi = sa.spis.initiator,
                      .responder_spi = sa.spis.responder,
                      .exchange = exchange,
                      .from_initiator = sa.initiator,
                      .response = true,
                      .message_id = sa.answers.expected_id()};
  auto datagrams = sealed(sa, header, draft);
  transmit(sa.reply_path, sa.reply_encapsulated, datagrams, turn);
  sa.repeated_elsewhere = 0;
  sa.answers.answered(sa.request_digest, std::move(datagrams));
}

void Endpoint::State::respond_error(IkeSa& sa, Exchange exchange, NotifyType type, wire::ConstBytes data, Turn turn) {
  Draft draft;
  append(draft.chain(), type, data);
  respond(sa, exchange, draft, turn);
}

// To an IKE_SA_INIT request, in clear and without state.
void Endpoint::State::answer_plain(const Incoming& request, NotifyType type, wire::ConstBytes data, Turn turn) {
  Octets octets(kHeaderSize + kGenericHeaderSize + 4 + data.size());
  wire::Writer writer(octets);
  PlainMessage message(
      writer, {.initiator_spi = request.header.initiator_spi, .exchange = Exchange::kSaInit, .response = true});
  append(message.chain(), type, data);
  (void)message.finish();
  transmit(request.path, request.door.encapsulates(), {octets}, turn);
}

// RFC 7296 2.5: a higher major version is told what we speak; IKEv1 gets nothing, and no more than one a second.
void Endpoint::State::answer_major_version(const wire::OuterDatagram& datagram, const Door& in, const Header& header,
                                           Turn turn) {
  if (header.response || (version_told && turn.now - *version_told < std::chrono::seconds(1))) return;
  version_told = turn.now;
  Octets octets(kHeaderSize + kGenericHeaderSize + 4);
  wire::Writer writer(octets);
  PlainMessage message(writer, {.initiator_spi = header.initiator_spi,
                                .responder_spi = header.responder_spi,
                                .exchange = header.exchange,
                                .from_initiator = !header.from_initiator,
                                .response = true,
                                .message_id = header.message_id});
  append(message.chain(), NotifyType::kInvalidMajorVersion);
  (void)message.finish();
  transmit(datagram.path, in.encapsulates(), {octets}, turn);
}

void Endpoint::State::transmit(const wire::OuterPath& path, bool encapsulated, const Datagrams& datagrams, Turn turn) {
  if (door(path.socket) == nullptr) return;  // sockets were handed over anew, and none of its kind is left
  for (const Octets& datagram : datagrams) {
    const std::size_t marker = encapsulated ? kMarkerSize : 0;
    const wire::Bytes bytes = turn.out.arena.take(marker + datagram.size());
    std::ranges::fill(bytes.first(marker), std::uint8_t{0});
    std::ranges::copy(datagram, bytes.subspan(marker).begin());
    turn.out.transmits.push_back({path, bytes, 0});
  }
}

}  // namespace tunnel::ike
