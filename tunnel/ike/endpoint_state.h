// What stands behind Endpoint. One struct, its functions by topic: endpoint.cc (edge), endpoint_messages.cc (in and out
// of the envelope), endpoint_sas.cc (SAs come and go), endpoint_timers.cc, and one file for each exchange.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "tunnel/ike/authentication.h"
#include "tunnel/ike/cookie.h"
#include "tunnel/ike/create_child_payloads.h"
#include "tunnel/ike/endpoint.h"
#include "tunnel/ike/farewell.h"
#include "tunnel/ike/ike_sa.h"
#include "tunnel/ike/inner_view.h"
#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/payload_notify.h"
#include "tunnel/ike/work.h"

namespace tunnel::ike {

inline constexpr std::uint16_t kNatPort = 4500;
inline constexpr Duration kLinger = std::chrono::seconds(5);  // of an old inbound ESP SA after its end
inline constexpr Duration kRepeatFor =
    std::chrono::seconds(30);  // a last answer is kept for the peer's retransmissions
inline constexpr Duration kAttemptLimit = std::chrono::minutes(5);  // of an IKE SA we begin, keyd's silence included
inline constexpr std::size_t kMostRefused = 1024;    // refused strangers that still repeat their last answer
inline constexpr std::size_t kAllSasOfPeer = 16;     // with those replaced and not yet deleted
inline constexpr std::size_t kRepeatingOfPeer = 16;  // of its SAs that have ended: the oldest are forgotten
inline constexpr std::size_t kSasOfPeer = 3;         // established at once; the oldest goes
inline constexpr std::size_t kSelectorsOfPeer =
    4096;  // of its usable CHILD SAs: a packet looks through all of them at worst
inline constexpr std::uint32_t kRepeatsElsewhere = 4;
inline constexpr std::size_t kStagedPackets = 128;
inline constexpr std::size_t kNonceSize = 32;  // RFC 7296 2.10: half the key of any prf here

// One call into the endpoint: its time and its outputs.
struct Turn {
  Instant now;
  wire::Outputs& out;
};

// At most one event a second: is what is dear to put into words told at all?
[[nodiscard]] inline bool would_be_first(const std::optional<Instant>& told, Instant now) {
  return !told || now - *told >= std::chrono::seconds(1);
}

// The same question, and remembers that this one is told.
[[nodiscard]] inline bool first_in_a_second(std::optional<Instant>& told, Instant now) {
  if (!would_be_first(told, now)) return false;
  told = now;
  return true;
}

[[nodiscard]] std::vector<Selector> selectors_of(const std::vector<wire::Prefix>& prefixes);

struct Peer {
  explicit Peer(const PeerParams& wanted);
  PeerParams params;
  std::vector<Selector> remote, local;  // of the networks
  std::vector<Spi> sas;                 // every IKE SA with it, newest last
  std::optional<wire::OuterPath> path;
  PeerCounters counters;
  Instant attempt = kNever;      // when we begin (again)
  std::optional<Instant> begun;  // the last time
  std::deque<Octets> staged;     // inner packets until a CHILD SA is there
  std::optional<Instant> failure_told, source_told;
  WorkAllowance work;        // what it may make us compute with CREATE_CHILD_SA
  std::string down_because;  // what ended the last CHILD SA, when something said so
  [[nodiscard]] bool source_allowed(const wire::IpAddress& source) const;
};

// A received message that is worth judging: IKE_SA_INIT in clear, everything else authenticated.
struct Incoming {
  wire::OuterPath path;
  const Door& door;
  Header header;
  wire::ConstBytes datagram;  // IKE_SA_INIT: as it came
  Payloads payloads;
  std::vector<Notify> notifies;
  [[nodiscard]] const Notify* notify(NotifyType type) const { return find(notifies, type); }
  [[nodiscard]] const Notify* error() const;  // the first error notify
};

// RFC 7296 2.5 and 1.2: a payload that must be there once, or may be there once.
[[nodiscard]] Result<const Payload*, ParseFailure> only(const Payloads& payloads, PayloadType type);
[[nodiscard]] Result<const Payload*, ParseFailure> at_most_one(const Payloads& payloads, PayloadType type);

// The payloads of a message of ours. The longest that can be asked of us fits: 255 selectors of a side (20.4 KB), our
// chain (kMostChain), and all the rest together is under 8 KB. What has no such bound must not be written into it.
class Draft {
 public:
  static constexpr std::size_t kSize = 60 * 1024;  // and it fits a UDP datagram
  Draft()
      : octets_(std::make_unique_for_overwrite<std::uint8_t[]>(kSize)),
        writer_({octets_.get(), kSize}),
        chain_(writer_) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  [[nodiscard]] Chain& chain() { return chain_; }
  [[nodiscard]] Content content() {
    chain_.end();
    return {chain_.first(), writer_.written()};
  }

 private:
  std::unique_ptr<std::uint8_t[]> octets_;
  wire::Writer writer_;
  Chain chain_;
};
inline constexpr std::size_t kFirstSize = 24 * 1024;  // of IKE_SA_INIT: nothing in it is a peer's to lengthen

// A new IKE SA made by rekeying.
struct Succession {
  bool initiator = false;  // we began the exchange
  Spi own_spi = 0;         // what we offered; 0: to be drawn
  const IkeChoice& suite;
  const crypto::SecretOctets& secret;
  Nonces nonces;
};

// What a CREATE_CHILD_SA of ours asks for; `old`: to be replaced.
struct ChildWish {
  std::vector<Selector> ours, peer;
  ChildSa* old = nullptr;
  bool one_pair = false;
};

[[nodiscard]] inline Octets octets_of(wire::ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}
// As INVALID_KE_PAYLOAD carries it.
[[nodiscard]] inline Octets octets_of(crypto::Group group) {
  const auto number = static_cast<std::uint16_t>(group);
  return {static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

// exchange_auth.cc: data of our AUTH payload, from keyd's answer
[[nodiscard]] Octets authentication_data(const IkeSa& sa, const Peer& peer, const wire::KeyReply& reply);
[[nodiscard]] bool within(const Profile& profile, const IkeChoice& choice);

// ppk.cc: PPK_IDENTITY, and NO_PPK_AUTH when there is one
void append_ppk(Chain& chain, const PpkParams& ppk, wire::ConstBytes without_ppk);

// pairs.cc: would the peer take one pair of networks, having refused all of them at once? (RFC 7296 2.9)
[[nodiscard]] bool asks_for_less(NotifyType refusal);

// mobike.cc: NO_NATS_ALLOWED fits the addresses the message came with.
[[nodiscard]] bool says_no_nat(const Notify& said, const Incoming& message);

// exchange_init.cc
[[nodiscard]] NatFindings nat_of(const Incoming& message);

// doors.cc
[[nodiscard]] bool esp_may_come(const IkeSa& sa, const Door& in);

struct Endpoint::State {
  State(EndpointParams wanted, crypto::Rng& random, Instant now);

  // endpoint_messages.cc
  void receive(wire::OuterDatagram datagram, Turn turn);
  void receive_ike(const wire::OuterDatagram& datagram, const Door& in, Turn turn);
  void receive_init(const wire::OuterDatagram& datagram, const Door& in, const Header& header, Turn turn);
  void repeat_answer(IkeSa& sa, const wire::OuterPath& to, const Door& in, Turn turn);
  void receive_protected(IkeSa& sa, const wire::OuterDatagram& datagram, const Door& in, const Header& header,
                         Turn turn);
  void receive_opened(IkeSa& sa, Incoming& message, const Content& content, Turn turn);
  void handle_request(IkeSa& sa, const Incoming& message, Turn turn);
  void handle_response(IkeSa& sa, const Incoming& message, Turn turn);
  void answer_plain(const Incoming& request, NotifyType type, wire::ConstBytes data, Turn turn);
  void answer_major_version(const wire::OuterDatagram& datagram, const Door& in, const Header& header, Turn turn);
  void request(IkeSa& sa, Exchange exchange, Exchanging::Kind kind, Draft& draft, Turn turn);
  void respond(IkeSa& sa, Exchange exchange, Draft& draft, Turn turn);
  [[nodiscard]] std::vector<Octets> sealed(IkeSa& sa, const Header& header, Draft& draft);
  void respond_error(IkeSa& sa, Exchange exchange, NotifyType type, wire::ConstBytes data, Turn turn);
  void transmit(const wire::OuterPath& path, bool encapsulated, const Datagrams& datagrams, Turn turn);

  // doors.cc
  [[nodiscard]] const Door* door(std::uint16_t number) const;
  // Of this kind and of the path's family; one that is bound to the path's local address first.
  [[nodiscard]] const Door* door(Door::Kind kind, const wire::OuterPath& path) const;
  void set_doors(std::vector<Door> doors, std::vector<wire::IpAddress> addresses);
  void keep_way(IkeSa& sa);
  [[nodiscard]] bool own(const wire::IpAddress& address) const;
  [[nodiscard]] wire::OuterPath esp_way(const IkeSa& sa, const Peer& peer) const;
  // Is a NAT to be pretended towards this address? Before the peer is known, whoever may be there decides.
  [[nodiscard]] bool encapsulation_forced(const wire::IpAddress& remote) const;

  // exchange_init.cc
  void begin(Peer& peer, Turn turn);
  void send_init(IkeSa& sa, Turn turn);
  [[nodiscard]] bool some_peer_at(const wire::IpAddress& source) const;
  void receive_init_request(const Incoming& message, Turn turn);
  void answer_init(const Incoming& message, const IkeChoice& choice, Turn turn);
  void answer_critical(const Incoming& message, std::uint8_t payload, Turn turn);
  void receive_init_response(IkeSa& sa, const Incoming& message, Turn turn);
  void receive_init_error(IkeSa& sa, const Incoming& message, const Notify& error, Turn turn);
  void accept_init(IkeSa& sa, const Incoming& message, Turn turn);
  [[nodiscard]] Result<IkeChoice, NegotiationFailure> choose(std::span<const Proposal> proposals, crypto::Group group);

  // exchange_auth.cc
  // `without_ppk`: data of NO_PPK_AUTH, or empty.
  void send_auth(IkeSa& sa, wire::ConstBytes authentication, wire::ConstBytes without_ppk, Turn turn);
  void receive_auth_request(IkeSa& sa, const Incoming& message, Turn turn);
  // As responder, with a record of what was refused.
  [[nodiscard]] std::optional<NarrowedSelectors> narrow_for(Peer& peer, std::span<const Selector> theirs,
                                                            std::span<const Selector> ours, const wire::OuterPath& path,
                                                            Turn turn);
  void agree_first_child(IkeSa& sa, Peer& peer, Turn turn);
  void answer_auth(IkeSa& sa, const wire::KeyReply& reply, Turn turn);
  void refuse_auth(IkeSa& sa, NotifyType type, std::string_view why, Turn turn);
  void receive_auth_response(IkeSa& sa, const Incoming& message, Turn turn);
  void finish_auth(IkeSa& sa, const Authenticated& authenticated, Turn turn);
  void accept_first_child(IkeSa& sa, Peer& peer, const Handshake& handshake, Turn turn);
  void abandon_auth(IkeSa& sa, std::string_view why, Turn turn);
  void ask_authentication(IkeSa& sa, Asked whose, Turn turn);
  void judge_authentication(IkeSa& sa, const wire::KeyReply& reply, Turn turn);
  void authenticated(IkeSa& sa, const std::optional<Authenticated>& proof, std::string_view why, Turn turn);

  // ppk.cc
  [[nodiscard]] bool answers_ppk(const Incoming& message) const;
  void ask_ppk(IkeSa& sa, Turn turn);
  void ppk_answered(IkeSa& sa, const wire::KeyReply& reply, Turn turn);
  void use_ppk(IkeSa& sa);
  // As responder: which keys and which AUTH value count. A text: why neither does.
  [[nodiscard]] Result<bool, std::string> judge_ppk(IkeSa& sa, const Incoming& message, Turn turn);
  void ask_keyd(IkeSa& sa, Asked what, wire::KeyRequest request, Turn turn);
  void own_answered(IkeSa& sa, const wire::KeyReply& reply, Turn turn);

  // certificate_auth.cc
  void judge_certificate(IkeSa& sa, Turn turn);
  [[nodiscard]] Result<crypto::VerifiedCertificate, std::string> judge_chain(const CertificateAuthentication& wanted,
                                                                             const PeerProof& proof, Instant now) const;
  void append_certificates(Chain& chain, const CertificateAuthentication& own) const;
  void append_certificate_request(Chain& chain) const;
  void count_authorities(const PeerParams& peer, bool added);

  // exchange_create_child.cc
  void receive_create_child(IkeSa& sa, const Incoming& message, Turn turn);
  void answer_child(IkeSa& sa, const CreateChildPayloads& asked, ChildSa* old, Turn turn);
  void send_create_child(IkeSa& sa, ChildWish wish, crypto::Group group, Turn turn);
  void receive_child_response(IkeSa& sa, const Incoming& message, Turn turn);
  void too_many_selectors(IkeSa& sa, ChildSa& made, Turn turn);
  void supersede(IkeSa& sa, const ChildSa& made, std::uint64_t up_to);
  void settle_child_rekey(IkeSa& sa, const Exchanging& done, wire::ConstBytes own_lowest, Turn turn);
  void child_refused(IkeSa& sa, const Exchanging& done, const Notify& error, Turn turn);

  // pairs.cc
  bool begin_pairs(IkeSa& sa, Turn turn);  // false: nothing is left, or it was asked for a moment ago
  void rest_after(IkeSa& sa, const ChildSa& made, Turn turn);
  void call_rest(const Peer& peer, Turn turn);
  [[nodiscard]] bool pursue_pairs(IkeSa& sa, Turn turn);  // a request has gone out
  void pair_refused(IkeSa& sa, const Exchanging& done, NotifyType error, Turn turn);
  void end_pairs(IkeSa& sa, Turn turn);

  // exchange_rekey_ike.cc
  IkeSa& succeed(IkeSa& old, const Succession& what, Turn turn);
  void inherit(IkeSa& from, IkeSa& to);
  void inherit_now(IkeSa& sa);
  void replaced(IkeSa& sa, Turn turn);
  void answer_rekey_ike(IkeSa& sa, const CreateChildPayloads& asked, Turn turn);
  void send_rekey_ike(IkeSa& sa, crypto::Group group, Turn turn);
  void receive_rekey_ike_response(IkeSa& sa, const Incoming& message, Turn turn);
  void rekey_ike_refused(IkeSa& sa, IkeSa* rival, const Exchanging& done, const Notify& error, Turn turn);

  // exchange_informational.cc
  void receive_informational(IkeSa& sa, const Incoming& message, Turn turn);
  void receive_informational_response(IkeSa& sa, const Incoming& message, Turn turn);
  void send_liveness(IkeSa& sa, Turn turn);
  void send_delete_ike(IkeSa& sa, Turn turn);
  void send_delete_children(IkeSa& sa, Turn turn);
  void want_child(IkeSa& sa, Turn turn);
  void unreadable_answer(IkeSa& sa, std::string_view why, Turn turn);
  void fatal_answer(IkeSa& sa, Turn turn);

  // mobike.cc
  void offer_mobike(Chain& chain, const IkeSa& sa) const;
  void append_addresses(Chain& chain, const IkeSa& sa) const;
  void append_nat_detection(Chain& chain, const IkeSa& sa, const wire::OuterPath& path) const;
  void mobike_agreed(IkeSa& sa);
  void float_port(IkeSa& sa);
  void keep_mapping(IkeSa& sa, Turn turn);
  void own_address_changed(IkeSa& sa, bool list_changed);
  [[nodiscard]] bool path_due(const IkeSa& sa) const {
    return sa.update_wanted || sa.proof_wanted || sa.addresses_wanted;
  }
  void pursue_path(IkeSa& sa, Turn turn);
  // What it is refused with; none: done, or nothing to do.
  [[nodiscard]] std::optional<NotifyType> take_update(IkeSa& sa, const Incoming& message, Turn turn);
  void move_to(IkeSa& sa, const Incoming& message);
  void update_answered(IkeSa& sa, const Incoming& message, Turn turn);
  void mapping_answered(IkeSa& sa, const Incoming& message);
  void routability_answered(IkeSa& sa, const Exchanging& done, const Incoming& message, Turn turn);

  // endpoint_esp.cc
  void receive_esp(const wire::OuterDatagram& datagram, const Door& in, Turn turn);
  void send(const wire::InnerPacket& packet, Turn turn);
  void send_inner(Peer& peer, const wire::InnerPacket& packet, Turn turn);
  void wear_out(IkeSa& sa, ChildSa& child, Turn turn);
  void seal(Peer& peer, IkeSa& sa, ChildSa& child, const InnerView& inner, const wire::InnerPacket& packet, Turn turn);

  // staged.cc
  void stage(Peer& peer, wire::ConstBytes packet, Turn turn);
  [[nodiscard]] bool child_is_coming(const Peer& peer, Instant now) const;
  void call_child(Peer& peer, Turn turn);
  void send_staged(Peer& peer, Turn turn);
  [[nodiscard]] std::pair<IkeSa*, ChildSa*> newest_for(const Peer& peer, const InnerView& inner);

  // endpoint_sas.cc
  [[nodiscard]] Spi new_ike_spi();
  IkeSa& add_sa(bool initiator, Turn turn) { return add_sa_with(new_ike_spi(), initiator, turn); }
  IkeSa& add_sa_with(Spi own, bool initiator, Turn turn);
  [[nodiscard]] IkeSa* sa_by_spi(Spi local);
  [[nodiscard]] Peer* peer_of(const IkeSa& sa);
  [[nodiscard]] Peer* peer_named(const IdentityValue& identity) const;
  void belongs_to(IkeSa& sa, Peer& peer);
  void establish(IkeSa& sa, Peer& peer, const Authenticated& authenticated, Turn turn);
  // Null: the peer's SPI is a reserved one.
  ChildSa* add_child(IkeSa& sa, const ChildPlan& plan, const ChildKeys& keys, bool we_began, Turn turn);
  void close_child(IkeSa& sa, ChildSa& child, Turn turn);
  void no_longer_half_open(IkeSa& sa);
  void retire(IkeSa& sa, Turn turn);  // closed by the peer or refused: only its last answer is repeated
  void bury(IkeSa& sa);
  void pass_to_rival(IkeSa& sa);
  void forget_spis(const IkeSa& sa);
  [[nodiscard]] std::uint32_t new_child_spi();
  void remove_peer(Peer& peer, Turn turn);
  void end_elsewhere(IkeSa& other, const IkeSa& sa, Peer& peer, Turn turn);
  void forget_closing(Peer& peer);
  [[nodiscard]] bool room_for(const Peer& peer, const NarrowedSelectors& more) const;  // kSelectorsOfPeer
  void forget_repeating(Peer& peer);                                                   // beyond kRepeatingOfPeer
  void count_profile(const Profile& profile, bool added);
  [[nodiscard]] Instant after_a_pause(Instant now, Instant end);
  [[nodiscard]] Instant soon(Instant from, Duration life, Duration margin);  // soft end of a life, not the same for all

  // peer_change.cc
  void set_peer(const PeerParams& wanted, Turn turn);
  void add_peer(const PeerParams& wanted, Turn turn);
  void change_peer(Peer& peer, const PeerParams& wanted, Turn turn);
  void judge_anew(Peer& peer, IkeSa& sa, const PeerParams& before, Turn turn);
  void bar_children(Peer& peer, IkeSa& sa, bool networks_changed, Turn turn);
  [[nodiscard]] static bool allowed_child(const Peer& peer, const ChildSa& child);
  static void bar(ChildSa& child);
  void shorten(const Peer& peer, IkeSa& sa, Turn turn);
  void call_at_once(Peer& peer, Turn turn);
  void expel(IkeSa& sa, std::string_view why, Turn turn);  // told once, gone when the call ends

  // endpoint_timers.cc
  [[nodiscard]] Instant certificate_end(const IkeSa& sa) const;
  void on_deadline(Turn turn);
  void wake(IkeSa& sa, Turn turn);
  void pursue(IkeSa& sa, Turn turn);  // begins the exchange that is due, when none is outstanding
  void give_up(IkeSa& sa, Turn turn);
  void send_keepalive(IkeSa& sa, Turn turn);
  // farewell.cc
  void part_from(IkeSa& sa, Turn turn);
  void hear_answer(const Header& header, Turn turn);
  void repeat_farewells(Turn turn);

  void end_call(Turn turn);                              // buries the dead, sets deadlines and what peers are told
  std::vector<std::uint32_t> settle_touched(Turn turn);  // the first half of it; the peers that it was about
  void arm(IkeSa& sa);
  [[nodiscard]] std::size_t living(const Peer& peer) const;
  [[nodiscard]] bool all_ended(const Peer& peer) const;
  [[nodiscard]] bool only_sa(const Peer& peer) const;
  void make_anew(IkeSa& sa, Peer& peer, Turn turn);
  void settle(Peer& peer, Turn turn);

  // endpoint.cc
  void on_key_reply(const wire::KeyReply& reply, Turn turn);
  void tell(wire::EventKind kind, const Peer& peer, std::string_view detail, Turn turn);
  void tell_failure(Peer& peer, const wire::OuterPath& path, std::string_view detail, Turn turn);
  void tell_stranger(const wire::OuterPath& path, std::string_view detail, Turn turn);

#ifdef SEKISHO_FAULTS
  Faults faults;
#endif
  EndpointParams params;
  crypto::Rng& rng;
  CookieMint cookies;
  Admission admission;
  Instant wall_set;  // when params.wall_now was right
  [[nodiscard]] wire::WallTime wall(Instant now) const { return params.wall_now + (now - wall_set); }
  std::unordered_map<Spi, std::unique_ptr<IkeSa>> sas;              // by the SPI we chose
  std::map<Digest, Spi> first_messages;                             // of half-open ones, to know a repeated request
  std::unordered_map<std::uint32_t, Spi> child_spis;                // ours -> the IKE SA that made or offered it
  std::map<std::uint32_t, std::unique_ptr<Peer>> peers;             // by number
  std::map<IdentityValue, std::uint32_t> names;                     // remote_id -> number
  std::set<std::uint32_t> encapsulating;                            // those whose ESP always goes in UDP
  std::size_t repeating = 0;                                        // SAs that count as refused
  std::map<std::array<std::uint8_t, 20>, std::size_t> authorities;  // of how many peers each certificate may come
  std::vector<std::pair<Profile, std::size_t>> profiles;            // those in use, the strict ones first
  std::map<std::uint64_t, Spi> key_requests;
  std::uint64_t last_key_request = 0;
  std::uint64_t last_order = 0;
  std::vector<Spi> touched;  // in this call
  std::map<Spi, Farewell> farewells;
  std::set<std::pair<Instant, Spi>> farewell_deadlines;
  std::set<std::pair<Instant, Spi>> deadlines;
  std::set<std::pair<Instant, std::uint32_t>> attempts;  // of peers
  std::optional<Instant> stranger_told, version_told;
};

}  // namespace tunnel::ike
