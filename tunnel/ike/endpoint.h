// IKEv2 for all peers of one worker, without I/O (design 5; RFC 7296). The same calls as tunnel::wireguard::Endpoint.
#pragma once

#include <algorithm>
#include <compare>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/distinguished_name.h"
#include "tunnel/crypto/rng.h"
#include "tunnel/ike/admission.h"
#include "tunnel/ike/payload_auth.h"
#include "tunnel/ike/profile.h"
#include "tunnel/ike/window.h"
#include "tunnel/wire/outputs.h"

namespace tunnel::ike {

using wire::Duration;
using wire::Instant;

// A socket of the caller. `number` is what stands in OuterPath::socket.
struct Door {
  enum class Kind : std::uint8_t {
    kPlain,  // UDP 500: IKE
    kNat,    // UDP 4500: four zero octets before IKE, ESP without (RFC 3948)
    kEsp,    // IP protocol 50, raw: ESP packets without the IP header; ports are 0
  };
  std::uint16_t number = 0;
  config::value::Family family = config::value::Family::kV4;
  std::uint16_t port = 500;
  Kind kind = Kind::kPlain;
  [[nodiscard]] bool encapsulates() const { return kind == Kind::kNat; }
  std::optional<wire::IpAddress> local;  // the address it is bound to; none: any of its family
};

// Different ones, of all peers together: a CERTREQ tells no more (1,280 octets to whoever asks).
inline constexpr std::size_t kMostAuthorities = 64;

struct EndpointParams {
  std::uint8_t worker = 0;  // stands in the top 8 bits of every SPI we choose
  std::vector<Door> doors;
  std::vector<wire::IpAddress> addresses;  // our outer ones, as far as known: for NAT detection when we begin
  wire::WallTime wall_now{};               // for certificates; the endpoint advances it with Instant
  AdmissionLimits admission;
  Backoff backoff;
  std::uint64_t first_key_request = 1;  // ids of KeyRequests count up from it; not 0
  std::size_t fragment_size = 1232;     // octets of an IKE message in one datagram: 1280 without IPv6 and UDP headers
};

// Octets of our chain that go into an IKE_AUTH: it must fit a datagram with everything else.
inline constexpr std::size_t kMostChain = 24 * 1024;

[[nodiscard]] inline std::weak_ordering compare_host_names(const std::vector<std::uint8_t>& a,
                                                           const std::vector<std::uint8_t>& b) {
  const auto lower = [](std::uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c; };
  return std::lexicographical_compare_three_way(
      a.begin(), a.end(), b.begin(), b.end(),
      [&](std::uint8_t x, std::uint8_t y) { return std::weak_ordering(lower(x) <=> lower(y)); });
}

// Type and octets of an ID payload (RFC 7296 3.5).
struct IdentityValue {
  IdType type = IdType::kFqdn;
  std::vector<std::uint8_t> data;
  [[nodiscard]] Identity view() const { return {type, data}; }
  // DNs by RFC 5280 7.1 (a name has many encodings), host names without letters' case (RFC 4343), as a certificate's
  // are compared (RFC 5280 7.2), all others by their octets.
  friend bool operator==(const IdentityValue& a, const IdentityValue& b) { return (a <=> b) == 0; }
  friend std::weak_ordering operator<=>(const IdentityValue& a, const IdentityValue& b) {
    if (a.type == IdType::kDn && b.type == IdType::kDn) return crypto::compare_names(a.data, b.data);
    if (a.type == IdType::kFqdn && b.type == IdType::kFqdn) return compare_host_names(a.data, b.data);
    return std::tie(a.type, a.data) <=> std::tie(b.type, b.data);
  }
};

struct Lifetimes {
  Duration ike = std::chrono::hours(8);
  Duration child = std::chrono::hours(1);
  std::uint64_t child_bytes = std::uint64_t{1} << 40;  // one way on one CHILD SA, then it is rekeyed
  Duration liveness = std::chrono::seconds(30);        // of silence, then the peer is asked (RFC 7296 2.4); zero: never
  Duration keepalive = std::chrono::seconds(20);       // to a NAT in front of us (RFC 3948 4)
  Duration retry = std::chrono::seconds(10);           // after a failed attempt of ours
  Duration margin{};  // rekeying begins at least this long before the end, and after 80 to 90 % of the life in any case
  friend bool operator==(const Lifetimes&, const Lifetimes&) = default;
};

// Signature authentication (RFC 7427), of both ends or of none.
struct CertificateAuthentication {
  std::string key;                                        // our private key's name at keyd
  std::vector<crypto::SignatureScheme> schemes;           // of that key, the best first
  std::vector<std::vector<std::uint8_t>> chain;           // DER: our certificate, then what leads to its authority
  std::shared_ptr<const crypto::CertificateTrust> trust;  // of the peer's certificate
  std::vector<std::array<std::uint8_t, 20>> authorities;  // their Certificate::authority_hash, for CERTREQ
  crypto::Revocation revocation = crypto::Revocation::kRequired;
  Duration list_grace{};
  // By what the trust holds: read again from the same files it is no reason to judge a running SA anew.
  friend bool operator==(const CertificateAuthentication& a, const CertificateAuthentication& b) {
    const bool same = a.trust == b.trust || (a.trust && b.trust && *a.trust == *b.trust);
    return same && a.key == b.key && a.schemes == b.schemes && a.chain == b.chain && a.authorities == b.authorities &&
           a.revocation == b.revocation && a.list_grace == b.list_grace;
  }
};

// A preshared key against quantum computers, mixed into the keys of a new IKE SA (RFC 8784).
struct PpkParams {
  std::string id;         // as the peer names it: PPK_ID_FIXED
  std::string key;        // name at keyd
  bool required = false;  // else a peer without it is taken too
  friend bool operator==(const PpkParams&, const PpkParams&) = default;
};

struct PeerParams {
  wire::PeerId id;
  IdentityValue local_id, remote_id;
  std::optional<CertificateAuthentication> certificate;  // instead of the preshared key
  std::string preshared_key;                             // name at keyd
  std::optional<PpkParams> ppk;
  std::optional<wire::SocketAddress> endpoint;                // where we begin; none: we only answer
  bool force_encapsulation = false;                           // ESP always in UDP 4500, as if a NAT were there
  bool start = false;                                         // begin at once and again whenever it is down
  std::vector<wire::Prefix> outer_sources;                    // empty: any
  std::vector<wire::Prefix> local_networks, remote_networks;  // what the CHILD SAs may carry
  Profile profile;
  Lifetimes lifetimes;
  friend bool operator==(const PeerParams&, const PeerParams&) = default;
};

struct PeerCounters {
  std::uint64_t received_bytes = 0, received_packets = 0, sent_bytes = 0, sent_packets = 0;  // inner bytes
  std::uint64_t outer_received = 0, outer_sent = 0;  // octets of ESP, from SPI to ICV
  std::uint64_t handshakes = 0;                      // IKE and CHILD SAs made, rekeying included
  std::optional<Instant> last_handshake;
  std::optional<Instant> last_heard;  // authenticated, of an IKE SA that stands: a message or a packet, empty ones too
  std::optional<wire::OuterPath> path;
  std::size_t ike_sas = 0, child_sas = 0;
  std::optional<wire::WallTime> certificate_expires;  // the first end in the peer's chain; its SAs end there
  bool up = false;                                    // a CHILD SA is there
  std::string negotiated;                             // of the newest CHILD SA and its IKE SA
};

#ifdef SEKISHO_FAULTS
struct Faults {                 // deliberate mistakes, so that tests can show what the other layers catch (promise P4)
  bool open_selectors = false;  // deliver whatever addresses an authenticated inner packet has
  std::function<void(const std::string& line)> tell_keys = {};  // of each new SA, told_keys.h
};
#endif

class Endpoint {  // no clock, no socket, no log
 public:
  Endpoint(EndpointParams params, crypto::Rng& rng, Instant now);
  ~Endpoint();
  Endpoint(Endpoint&&) noexcept;
  Endpoint& operator=(Endpoint&&) noexcept;

  // A peer that was there keeps what the new parameters still allow: its certificates are judged again, and only what
  // is no longer allowed is deleted, at once and with a word to the peer. Other identities or another kind of
  // authentication start anew.
  void set_peer(const PeerParams& peer, Instant now, wire::Outputs& out);
  // At once: the peer is told once, our side is gone when the call ends.
  void remove_peer(wire::PeerId id, Instant now, wire::Outputs& out);

  void receive(wire::OuterDatagram datagram, Instant now, wire::Outputs& out);
  // Without a CHILD SA the packet waits while one is made, and begins that where `endpoint` is known. `segmentation`
  // must be none.
  void send(const wire::InnerPacket& packet, Instant now, wire::Outputs& out);
  // Inner packets that wait for a CHILD SA of this peer; they are no longer ours then. For a peer that is to be
  // removed.
  [[nodiscard]] std::vector<std::vector<std::uint8_t>> take_staged(wire::PeerId id);
  void on_key_reply(const wire::KeyReply& reply, Instant now, wire::Outputs& out);
  void on_deadline(Instant now, wire::Outputs& out);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // Sockets were handed over anew, or our addresses changed; SAs go on. next_deadline() may be earlier afterwards.
  void set_doors(std::vector<Door> doors, std::vector<wire::IpAddress> addresses);

  // Before the shell adopts a corrected wall clock.
  void set_wall_time(wire::WallTime wall_now, Instant now);

  [[nodiscard]] std::optional<PeerCounters> counters(wire::PeerId id) const;
  [[nodiscard]] std::size_t half_open() const;
  // All IKE SAs, half-open ones included.
  [[nodiscard]] std::size_t ike_sas() const;
  [[nodiscard]] std::size_t esp_spis() const;  // of ours: in use, or offered and not yet answered
#ifdef SEKISHO_FAULTS
  void set_faults(Faults faults);
#endif

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tunnel::ike
