// One IKE SA: its keys, its windows, its CHILD SAs and the exchange it is in (RFC 7296 2). Plain state; the exchange_*
// files change it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tunnel/crypto/key_exchange.h"
#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/ike/authentication.h"
#include "tunnel/ike/child_sa.h"
#include "tunnel/ike/fragments.h"
#include "tunnel/ike/key_material.h"
#include "tunnel/ike/message.h"
#include "tunnel/ike/nat_detection.h"
#include "tunnel/ike/negotiation.h"
#include "tunnel/ike/payload_auth.h"
#include "tunnel/ike/window.h"

namespace tunnel::ike {

using Octets = std::vector<std::uint8_t>;

// What a CHILD SA will be, agreed and not yet made.
struct ChildPlan {
  EspChoice suite;
  std::uint32_t in_spi = 0;
  std::vector<Selector> peer, ours;
};

// SK_d, SK_pi, SK_pr with the PPK in them (RFC 8784 3).
struct PpkKeys {
  crypto::SecretOctets d, pi, pr;
};

// Only while the first two exchanges run; most of the memory of a half-open SA.
struct Handshake {
  std::optional<crypto::KeyExchange> pair;  // initiator: until the answer came
  Octets our_nonce, peer_nonce;
  Octets our_first, peer_first;                // whole IKE_SA_INIT messages as sent and received: they are signed
  Octets cookie;                               // initiator: to be sent back
  std::uint32_t retries = 0;                   // initiator: after COOKIE and INVALID_KE_PAYLOAD
  std::vector<Proposal> offered;               // initiator: for IKE, then for the first CHILD SA
  std::uint32_t offered_spi = 0;               // initiator: of the first CHILD SA
  Octets identity, authentication;             // of the peer: body of its ID payload, data of its AUTH payload
  AuthMethod method = AuthMethod::kSharedKey;  // of the peer's AUTH payload
  std::vector<Octets> certificates;            // DER, as the peer sent them
  std::vector<std::uint16_t> peer_hashes;      // SIGNATURE_HASH_ALGORITHMS (RFC 7427 4)
  std::optional<PpkKeys> ppk;                  // until it is agreed that they are used
  Octets own_authentication;                   // initiator: made with them, while the one without is asked for
  bool initial_contact = false;                // the peer said so
  bool wants_child = false;                    // the peer proposed, or answered with, a first CHILD SA
  std::vector<Proposal> proposals;             // the peer's, of the first CHILD SA
  std::vector<Selector> peer_selectors, our_selectors;     // as the peer sent them
  std::optional<ChildPlan> child;                          // responder: agreed
  bool unexpected_nat = false;                             // responder: the peer allows none (RFC 4555 3.9)
  NotifyType child_error = NotifyType::kNoProposalChosen;  // responder: told when there is no `child`
  std::optional<NotifyType> child_refused;                 // initiator: how the peer answered instead
};

// By what a peer with a certificate has shown who it is; kept so that it can be judged again.
struct PeerProof {
  std::vector<Octets> certificates;  // DER, as the peer sent them
  Octets identity;                   // body of its ID payload
  wire::WallTime expires{};          // the first end in the chain
};

// What keyd was asked.
enum class Asked : std::uint8_t {
  kNothing,
  kPpk,
  kOwnAuthentication,
  kOwnWithoutPpk,  // initiator: NO_PPK_AUTH (RFC 8784 3)
  kPeerAuthentication,
};

// Some peers hold one pair of networks in a CHILD SA: they narrow to it, or answer SINGLE_PAIR_REQUIRED (RFC 7296 2.9).
// What is left is then asked for pair by pair, in the order of the facility's networks.
struct Pairs {
  wire::Instant at = kNever;           // when the next is asked for; kNever: none is
  std::size_t next = 0;                // its number among ours x the peer's
  std::string refused;                 // those the peer does not hold, for a person
  std::optional<wire::Instant> begun;  // the last time, with the first one
};

// Our own request that is outstanding.
struct Exchanging {
  enum class Kind : std::uint8_t {
    kNone,
    kInit,
    kAuth,
    kLiveness,
    kDeleteIke,
    kDeleteChildren,
    kNewChild,
    kRekeyChild,
    kRekeyIke,
    kUpdateAddresses,  // RFC 4555: UPDATE_SA_ADDRESSES
    kRoutability,      // COOKIE2 to an address the peer has moved to
    kAddresses,        // our ADDITIONAL_*_ADDRESS anew
  };
  Kind kind = Kind::kNone;
  Octets nonce;                             // ours in CREATE_CHILD_SA; the cookie of kRoutability
  wire::SocketAddress probed;               // kRoutability: where it went
  std::optional<crypto::KeyExchange> pair;  // ours in CREATE_CHILD_SA
  std::vector<Proposal> offered;            // in CREATE_CHILD_SA
  std::vector<Selector> ours, peer;         // offered
  bool one_pair = false;                    // one of Pairs
  std::uint32_t retries = 0;                // after INVALID_KE_PAYLOAD
  std::uint32_t child = 0;                  // in_spi of the CHILD SA that is rekeyed
  std::uint32_t offered_spi = 0;            // ESP SPI in our proposal
  Spi offered_ike = 0;                      // IKE SPI in our proposal
  std::vector<std::uint32_t> deleted;       // in_spi of those in our Delete
  std::uint64_t supersedes = 0;             // a new CHILD SA takes the place of those up to this order that it covers
  // RFC 7296 2.8.1: the peer rekeyed the same SA meanwhile: what came of it, and the lower nonce of its exchange.
  std::uint64_t rival = 0;  // in_spi or our IKE SPI; 0: no collision
  Octets rival_nonce;
};

// How packets of an IKE SA get to the peer.
struct Way {
  wire::OuterPath path;
  bool encapsulated = false;
  NatFindings nat;
};

struct IkeSa {
  enum class Phase : std::uint8_t {
    kInitSent,      // we began
    kInitAnswered,  // the peer began: half-open
    kAuthSent,      // we began
    kEstablished,
    kReplaced,  // another IKE SA has its CHILD SAs; whoever replaced it deletes it
    kClosing,   // our Delete is out
    kRefused,   // only repeats its last answer until `ends`
    kDead,      // taken away when the call ends
  };

  Phase phase = Phase::kInitSent;
  bool initiator =
      false;  // the I flag of what we send, also after rekeying: who began the exchange that made *this* SA
  SpiPair spis;
  wire::PeerId peer;
  bool peer_known = false;    // initiator: from the beginning; responder: once the ID was read
  wire::OuterPath path;       // of the last authenticated message that was new
  bool encapsulated = false;  // UDP 4500: with the non-ESP marker
  NatFindings nat;
  bool nat_faked = false;   // towards the peer, so that ESP goes in UDP
  bool fragments = false;   // both ends speak RFC 7383
  bool childless = false;   // the peer speaks RFC 6023
  bool ppk_spoken = false;  // both ends sent USE_PPK (RFC 8784)
  std::string ppk_key;      // name at keyd of the PPK that is in the keys; empty: none is
  bool mobike = false;      // both ends speak RFC 4555
  bool moves = false;       // RFC 4555 1.3: we began the first IKE SA of this line, so the addresses are ours to choose
  std::optional<Way> held;  // RFC 4555 3.7: of ESP, until the peer's new address is proven
  std::optional<NatHash> seen_as;  // of our address, as the peer saw it last (RFC 4555 3.8)
  bool update_wanted = false, proof_wanted = false, addresses_wanted = false;  // exchanges that are due
  bool counted = false;  // among the half-open of Admission, under `first_source`
  wire::IpAddress first_source;
  bool redundant = false;      // lost a collision: the peer deletes it, or has never known it
  bool wider_refused = false;  // for the moment: a CHILD SA for more than the others hold, wanted at `child_wanted`
  bool cannot_rekey = false;   // the peer refuses to: another SA takes its place, and then it is closed
  bool close_wanted = false;   // a Delete goes as soon as no other request is outstanding

  IkeChoice suite;
  IkeKeys keys;
  std::optional<SendingCipher> seals;
  std::optional<crypto::PacketCipher> opens;
  OurRequests requests;
  PeerRequests answers;
  Joiner joining_requests, joining_answers;
  Digest request_digest{};     // of the request that is being answered
  wire::OuterPath reply_path;  // RFC 7296 2.11: where that request came from
  bool reply_encapsulated = false;
  std::uint32_t repeated_elsewhere = 0;  // times that its answer went to another address

  std::unique_ptr<Handshake> handshake;
  Exchanging exchanging;
  Asked asked = Asked::kNothing;  // until keyd answers, what comes in is dropped
  std::uint64_t key_request = 0;
  std::optional<Authenticated> authenticated;  // responder: until our own AUTH is there
  std::shared_ptr<const PeerProof> proof;      // none: a preshared key
  std::vector<ChildSa> children;

  bool counts_as_refused = false;       // among State::refused
  wire::Instant sent{};                 // the last ESP packet, while a NAT is in front of us
  wire::Instant heard{};                // the last authenticated message or packet
  wire::Instant rekey = kNever;         // soft end of life
  wire::Instant ends = kNever;          // hard end; of a half-open or refused one, when it is given up
  wire::Instant child_wanted = kNever;  // when a new CHILD SA is asked for
  bool wider_wanted = false;            // also when there are some: the networks have grown
  Pairs pairs;
  wire::Instant keepalive = kNever;
  wire::Instant wakes = kNever;  // as it stands in the endpoint's list of deadlines

#ifdef SEKISHO_FAULTS
  std::function<void(const std::string& line)> tell_keys;  // Faults of endpoint.h
#endif
  // From SKEYSEED: all SK_* and both ciphers (RFC 7296 2.14).
  void install_keys(const crypto::SecretOctets& seed, const Nonces& nonces);
  [[nodiscard]] const crypto::SecretOctets& own_sk_p() const { return initiator ? keys.pi : keys.pr; }
  [[nodiscard]] const crypto::SecretOctets& peer_sk_p() const { return initiator ? keys.pr : keys.pi; }
  [[nodiscard]] Spi local() const { return initiator ? spis.initiator : spis.responder; }
  [[nodiscard]] bool half_open() const { return phase <= Phase::kAuthSent; }
  [[nodiscard]] bool established() const { return phase == Phase::kEstablished || phase == Phase::kReplaced; }
  [[nodiscard]] ChildSa* child_in(std::uint32_t in_spi) {
    for (ChildSa& child : children)
      if (child.in_spi == in_spi) return &child;
    return nullptr;
  }
  [[nodiscard]] ChildSa* child_out(std::uint32_t out_spi) {
    for (ChildSa& child : children)
      if (child.out_spi == out_spi && !child.closed()) return &child;
    return nullptr;
  }
};

}  // namespace tunnel::ike
