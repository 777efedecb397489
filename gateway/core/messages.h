// Every message that crosses a border between our processes (design 6), with its direction. Frames and descriptors are
// gateway/os/message_channel.h; octets are codec.h. A reader that finds an unknown type, a wrong version or trailing
// octets closes the channel: the supervisor then restarts that process, and the controller sends everything again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/text_forms.h"
#include "config/value/ids.h"
#include "config/value/instant.h"
#include "gateway/core/codec.h"
#include "gateway/core/refusal.h"
#include "policy/plan.h"
#include "tunnel/wire/outputs.h"

namespace gateway::core {

inline constexpr std::uint16_t kMessageVersion = 4;

enum class MessageType : std::uint16_t {
  // supervisor <-> child
  kPeerChannel = 1,  // + one descriptor: the end of a fresh channel to `role`
  kReady,            // child -> supervisor: doing its job
  kAlive,            // both ways: watchdog
  kStopRequest,      // supervisor -> child
  kReloadRequest,    // supervisor -> accessd
  kBusy,             // netd -> supervisor: will not answer for a while
  // accessd -> netd
  kApplyPlan = 32,   // whole plan; netd computes the difference to what it installed before
  kOpenDescriptors,  // answered by kDescriptors
  kCloseAll,         // forwarding off, closed table stays
  kCutFacilities,    // in the plan netd has, whatever accessd knows of it; answered by kFacilitiesCut
  kReadKernel,       // live_state.h; answered by kKernelState
  kRepairKernel,     // everything of ours once more, whatever the watcher has seen
  // netd -> accessd
  kPlanApplied = 48,
  kDescriptors,  // + TUN, then UDP sockets in the order of `sockets`, then conntrack events, then NFLOG. Also unasked,
                 // when
  // the TUN had to be made anew. netd -> supervisor: keep these; supervisor -> new netd: what the last one kept
  kKernelDrift,
  kKernelRefusals,  // once a second while they grow, and to every fresh accessd
  kFacilitiesCut,
  kKernelState,    // live_state.h
  kKernelTouched,  // somebody changed something that is not ours, and may matter; at most once a second
  // accessd -> tunneld
  kConfigureTunnels = 64,  // whole plan; tunneld computes the difference. First time: + TUN and UDP descriptors
  kStatusQuery,
  kReadTunnels,  // live_state.h; answered by kTunnelState
  // tunneld -> accessd
  kTunnelsConfigured = 80,
  kTunnelEvents,
  kStatusReport,
  kTimestampFloor,  // to be made durable; tunneld waits for the echo before it goes beyond
  kGuardRefusals,   // at most once a second, while there is something to tell
  kTunnelState,     // live_state.h
  // accessd -> keyd
  kConfigureKeys = 96,
  // keyd -> accessd
  kKeysConfigured,
  // tunneld -> keyd and back
  kKeyRequests = 112,
  kKeyReplies,
};

enum class ProcessRole : std::uint8_t { kSupervisor, kNetd, kTunneld, kKeyd, kAccessd };
// "netd": as in the program's name, the log and the records.
[[nodiscard]] std::string name_of(ProcessRole role);

struct PeerChannel {
  ProcessRole role = ProcessRole::kSupervisor;
};
struct Ready {
  std::string status;
};
struct Alive {
  std::uint64_t count = 0;
};
struct StopRequest {
  bool keep_closed_table = true;
};
struct ReloadRequest {
  std::uint64_t count = 0;
};
struct Busy {
  std::uint16_t seconds = 0;  // the supervisor has its own bound
};

struct ApplyPlan {
  config::value::Generation generation;
  policy::Plan plan;
};
// The octets of ApplyPlan, of a plan that is somebody else's.
struct ApplyPlanOf {
  config::value::Generation generation;
  const policy::Plan& plan;
};
struct PlanApplied {
  config::value::Generation generation;
  bool good = false;
  std::string error;
};
struct OpenDescriptors {
  std::uint8_t unused = 0;
};
struct CloseAll {
  std::uint8_t unused = 0;
};
// Without a plan, or when it cannot be done, netd forwards nothing at all.
struct CutFacilities {
  config::value::Generation generation;  // comes back with the answer
  bool all = false;
  std::vector<config::value::FacilityName> facilities;
  // The plan that says so too comes behind this: then only what takes milliseconds is done, and answered when it is.
  bool plan_follows = false;
};
struct FacilitiesCut {
  config::value::Generation generation;
  bool good = false;
  std::string error;
};

// What comes in there: WireGuard; IKE on UDP 500; IKE and ESP on UDP 4500 (RFC 3948); IP protocol 50 (port 0).
enum class SocketKind : std::uint8_t { kWireguard, kIke, kIkeNat, kEsp };
struct BoundSocket {
  config::value::SocketAddress address;
  SocketKind kind = SocketKind::kWireguard;
  friend auto operator<=>(const BoundSocket&, const BoundSocket&) = default;
};
// Those a plan wants, sorted.
[[nodiscard]] std::vector<BoundSocket> sockets_of(const policy::Plan& plan);
struct Descriptors {
  bool good = false;
  std::string error;
  std::string tun_name;
  std::vector<BoundSocket> sockets;
};

struct RepairKernel {
  std::uint8_t unused = 0;
};
// Who changed something, as far as the kernel says so.
struct KernelWriter {
  std::uint32_t pid = 0;  // 0: unknown
  std::string program;    // empty: unknown, or gone already
};
struct KernelTouched {
  KernelWriter by;
};

// Something changed our part of the kernel and it was not us.
struct KernelDrift {
  std::string what;  // "table inet sekisho deleted", "route 10.2.0.0/24 table 7102 missing"
  bool repaired = false;
  std::uint32_t pid = 0;  // 0: the kernel does not say
  std::string program;
};

struct Counter {
  std::string name;
  std::uint64_t value = 0;
};

// The named counters of the table: every packet refused, by reason (firewall/reasons.h), since the table was made.
struct KernelRefusals {
  std::vector<Counter> totals;
};

// A certificate, a chain or a revocation list, as its file has it. Public.
struct NamedOctets {
  std::string name;  // as the plan names the file
  std::vector<std::uint8_t> octets;
};

// Tells whether a key is the one of before, and nothing else of it.
struct KeyMark {
  std::string name;
  std::uint64_t mark = 0;
  friend bool operator==(const KeyMark&, const KeyMark&) = default;
};

template <class OwnedOrNot>
struct ConfigureTunnelsForm {
  config::value::Generation generation;
  OwnedOrNot plan;
  std::vector<BoundSocket> sockets;           // empty: keep the descriptors of before
  std::array<std::uint8_t, 32> public_key{};  // of plan.gateway_key
  std::uint64_t timestamp_floor = 0;          // TAI64N seconds never to be used again (S18)
  config::value::WallTime wall_now;
  std::vector<std::uint16_t>
      signature_schemes{};           // of plan.signing_key (tunnel::crypto::SignatureScheme), the best first
  std::vector<NamedOctets> files{};  // every one the plan names
  std::vector<KeyMark> key_marks{};  // of the preshared keys it names
};
using ConfigureTunnels = ConfigureTunnelsForm<policy::Plan>;
using ConfigureTunnelsOf = ConfigureTunnelsForm<const policy::Plan&>;  // to be written only
struct TunnelsConfigured {
  config::value::Generation generation;
  bool good = false;
  std::string error;
};

// Octets of a sentence for the record: a peer may bring as many names and networks as it likes into one.
inline constexpr std::size_t kLongestDetail = 4096;
// Cut to that, between two characters (UTF-8), and ending in "...".
void shorten(std::string& detail);

struct TunnelEvent {
  tunnel::wire::EventKind kind = tunnel::wire::EventKind::kTunnelUp;
  std::string facility;  // empty for an unknown peer
  config::value::SocketAddress remote;
  std::string detail;
};
struct TunnelEvents {
  std::vector<TunnelEvent> events;
  std::uint64_t lost = 0;  // before these, for want of room
};

// What the guard refused. Packets are samples (gateway/core/refusal_log.h), sums are exact.
enum class Direction : std::uint8_t { kOutOfTunnel, kIntoTunnel };
struct RefusedPacket {
  std::string facility;        // whose tunnel it came out of, or would have entered; empty: no facility's
  std::string other_facility;  // whose address the other end is, when it is one's
  Direction direction = Direction::kOutOfTunnel;
  Refusal reason = Refusal::kTruncated;
  config::value::WallTime at;
  std::optional<config::value::IpAddress> source, destination;  // empty: could not be read
  bool as_sent = false;  // the source is as a facility with translation wrote it itself, not as others see it
  bool fragment = false;
  std::uint8_t protocol = 0;
  std::optional<std::uint16_t> source_port, destination_port;  // ICMP: identifier, type * 256 + code
};
struct RefusedSum {
  struct Reason {
    Direction direction = Direction::kOutOfTunnel;
    Refusal reason = Refusal::kTruncated;
    std::uint64_t count = 0;  // since this facility's last sum
    std::uint64_t total = 0;  // since tunneld began
  };
  std::string facility;
  std::vector<Reason> reasons;
};
inline constexpr std::size_t kMostRefusedPackets = 256, kMostRefusedSums = 512;  // in one message
struct GuardRefusals {
  std::vector<RefusedPacket> packets;
  std::vector<RefusedSum> sums;
  [[nodiscard]] bool empty() const { return packets.empty() && sums.empty(); }
};

struct StatusQuery {
  std::uint64_t id = 0;
};
struct TunnelStatus {
  std::string facility;
  bool up = false;
  std::optional<config::value::SocketAddress> remote;
  std::optional<config::value::Instant> last_handshake;
  std::optional<config::value::Instant> since;       // up or down since; down: since it was configured at the earliest
  std::optional<config::value::Instant> last_heard;  // anything authentic of the peer; of this tunneld's life
  std::uint64_t received_bytes = 0, received_packets = 0, sent_bytes = 0, sent_packets = 0, handshakes = 0;
  std::uint64_t outer_received = 0, outer_sent = 0;  // octets of UDP payload with WireGuard, of ESP with IKEv2
  std::uint64_t guard_refused_in = 0, guard_refused_out = 0;
  std::string problem;  // why the last handshakes failed, for a person; empty after one that did not
  std::optional<config::value::Instant> problem_since;
  std::string negotiated;                                      // of IKEv2: the algorithms in use
  std::optional<config::value::WallTime> certificate_expires;  // of the peer's chain, the first end
};
struct StatusReport {
  std::uint64_t id = 0;
  std::vector<TunnelStatus> tunnels;
  std::vector<Counter> counters;
};
struct TimestampFloor {
  std::uint64_t seconds = 0;
};

struct KeySource {
  enum class Kind : std::uint8_t {
    kWireguardPrivate,
    kPreshared,
    kIkePreshared,
    kIkeSigning,
    kIkePpk
  };  // one key, one purpose
  std::string name;  // as requests name it = path as written in the configuration
  Kind kind = Kind::kWireguardPrivate;
  std::string path;  // absolute
};
struct ConfigureKeys {
  std::vector<KeySource> keys;
};
struct KeyOutcome {
  std::string name;
  bool good = false;
  std::string error;
  std::array<std::uint8_t, 32> public_key{};       // kWireguardPrivate
  std::vector<std::uint16_t> signature_schemes{};  // kIkeSigning
  std::uint64_t mark = 0;  // of a preshared key: the same octets have the same; kIkeSigning: PublicKey::mark
};
struct KeysConfigured {
  std::vector<KeyOutcome> keys;
};
struct KeyRequests {
  std::vector<tunnel::wire::KeyRequest> requests;
};
struct KeyReplies {
  std::vector<tunnel::wire::KeyReply> replies;
};

// clang-format off
#define SEKISHO_ENUM_LIMIT(E, LAST) \
  template <> struct EnumLimit<E> { static constexpr bool valid(auto n) { return n <= static_cast<decltype(n)>(LAST); } };
SEKISHO_ENUM_LIMIT(ProcessRole, ProcessRole::kAccessd)
SEKISHO_ENUM_LIMIT(tunnel::wire::EventKind, tunnel::wire::EventKind::kSourceRefused)
SEKISHO_ENUM_LIMIT(KeySource::Kind, KeySource::Kind::kIkePpk)
SEKISHO_ENUM_LIMIT(tunnel::wire::KeyRequest::Operation, tunnel::wire::KeyRequest::Operation::kIkePpk)
SEKISHO_ENUM_LIMIT(SocketKind, SocketKind::kEsp)
SEKISHO_ENUM_LIMIT(config::RevocationCheck, config::RevocationCheck::kNotChecked)
SEKISHO_ENUM_LIMIT(config::CryptoProfile, config::CryptoProfile::kIpsecCompat)
SEKISHO_ENUM_LIMIT(Direction, Direction::kIntoTunnel)
SEKISHO_ENUM_LIMIT(policy::PermissionKind, policy::PermissionKind::kInside)
#undef SEKISHO_ENUM_LIMIT
template <> struct EnumLimit<Refusal> { static constexpr bool valid(auto n) { return n > 0 && n < static_cast<decltype(n)>(Refusal::kCount); } };
template <> struct EnumLimit<policy::RouteTable> { static constexpr bool valid(auto n) { return policy::is_route_table(n); } };
template <> struct EnumLimit<config::value::IpProtocol> {
  static constexpr bool valid(auto n) { return n == 1 || n == 6 || n == 17 || n == 58; } };

template <class Ar> void fields(Ar& ar, PeerChannel& m) { transfer_all(ar, m.role); }
template <class Ar> void fields(Ar& ar, Ready& m) { transfer_all(ar, m.status); }
template <class Ar> void fields(Ar& ar, Alive& m) { transfer_all(ar, m.count); }
template <class Ar> void fields(Ar& ar, Busy& m) { transfer_all(ar, m.seconds); }
template <class Ar> void fields(Ar& ar, StopRequest& m) { transfer_all(ar, m.keep_closed_table); }
template <class Ar> void fields(Ar& ar, ReloadRequest& m) { transfer_all(ar, m.count); }
template <class Ar> void fields(Ar& ar, ApplyPlan& m) { transfer_all(ar, m.generation, m.plan); }
template <class Ar> void fields(Ar& ar, ApplyPlanOf& m) { transfer_all(ar, m.generation, const_cast<policy::Plan&>(m.plan)); }
template <class Ar> void fields(Ar& ar, PlanApplied& m) { transfer_all(ar, m.generation, m.good, m.error); }
template <class Ar> void fields(Ar& ar, OpenDescriptors& m) { transfer_all(ar, m.unused); }
template <class Ar> void fields(Ar& ar, CloseAll& m) { transfer_all(ar, m.unused); }
template <class Ar> void fields(Ar& ar, CutFacilities& m) { transfer_all(ar, m.generation, m.all, m.facilities, m.plan_follows); }
template <class Ar> void fields(Ar& ar, FacilitiesCut& m) { transfer_all(ar, m.generation, m.good, m.error); }
template <class Ar> void fields(Ar& ar, RepairKernel& m) { transfer_all(ar, m.unused); }
template <class Ar> void fields(Ar& ar, KernelWriter& m) { transfer_all(ar, m.pid, m.program); }
template <class Ar> void fields(Ar& ar, KernelTouched& m) { transfer_all(ar, m.by); }
template <class Ar> void fields(Ar& ar, BoundSocket& m) { transfer_all(ar, m.address, m.kind); }
template <class Ar> void fields(Ar& ar, NamedOctets& m) { transfer_all(ar, m.name, m.octets); }
template <class Ar> void fields(Ar& ar, Descriptors& m) { transfer_all(ar, m.good, m.error, m.tun_name, m.sockets); }
template <class Ar> void fields(Ar& ar, KernelDrift& m) { transfer_all(ar, m.what, m.repaired, m.pid, m.program); }
template <class Ar>
void fields(Ar& ar, KernelRefusals& m) {
  transfer_all(ar, m.totals);
}
template <class Ar> void fields(Ar& ar, KeyMark& m) { transfer_all(ar, m.name, m.mark); }
template <class Ar, class P> void fields(Ar& ar, ConfigureTunnelsForm<P>& m) { transfer_all(ar, m.generation, const_cast<policy::Plan&>(m.plan), m.sockets, m.public_key, m.timestamp_floor, m.wall_now, m.signature_schemes, m.files, m.key_marks); }
template <class Ar> void fields(Ar& ar, TunnelsConfigured& m) { transfer_all(ar, m.generation, m.good, m.error); }
template <class Ar> void fields(Ar& ar, TunnelEvent& m) { transfer_all(ar, m.kind, m.facility, m.remote, m.detail); }
template <class Ar> void fields(Ar& ar, TunnelEvents& m) { transfer_all(ar, m.events, m.lost); }
template <class Ar> void fields(Ar& ar, RefusedPacket& m) { transfer_all(ar, m.facility, m.other_facility, m.direction, m.reason, m.at, m.source, m.destination, m.as_sent, m.fragment, m.protocol, m.source_port, m.destination_port); }
template <class Ar> void fields(Ar& ar, RefusedSum::Reason& m) { transfer_all(ar, m.direction, m.reason, m.count, m.total); }
template <class Ar> void fields(Ar& ar, RefusedSum& m) { transfer_all(ar, m.facility, m.reasons); }
template <class Ar> void fields(Ar& ar, GuardRefusals& m) { transfer_all(ar, m.packets, m.sums); }
template <class Ar> void fields(Ar& ar, StatusQuery& m) { transfer_all(ar, m.id); }
template <class Ar> void fields(Ar& ar, TunnelStatus& m) { transfer_all(ar, m.facility, m.up, m.remote, m.last_handshake, m.since, m.last_heard, m.received_bytes, m.received_packets, m.sent_bytes, m.sent_packets, m.handshakes, m.outer_received, m.outer_sent, m.guard_refused_in, m.guard_refused_out, m.problem, m.problem_since, m.negotiated, m.certificate_expires); }
template <class Ar> void fields(Ar& ar, Counter& m) { transfer_all(ar, m.name, m.value); }
template <class Ar> void fields(Ar& ar, StatusReport& m) { transfer_all(ar, m.id, m.tunnels, m.counters); }
template <class Ar> void fields(Ar& ar, TimestampFloor& m) { transfer_all(ar, m.seconds); }
template <class Ar> void fields(Ar& ar, KeySource& m) { transfer_all(ar, m.name, m.kind, m.path); }
template <class Ar> void fields(Ar& ar, ConfigureKeys& m) { transfer_all(ar, m.keys); }
template <class Ar> void fields(Ar& ar, KeyOutcome& m) { transfer_all(ar, m.name, m.good, m.error, m.public_key, m.signature_schemes, m.mark); }
template <class Ar> void fields(Ar& ar, KeysConfigured& m) { transfer_all(ar, m.keys); }
template <class Ar> void fields(Ar& ar, KeyRequests& m) { transfer_all(ar, m.requests); }
template <class Ar> void fields(Ar& ar, KeyReplies& m) { transfer_all(ar, m.replies); }
// clang-format on

}  // namespace gateway::core

// Found by argument-dependent look-up in the namespace of the value they describe.
namespace config::value {
template <class Ar, class Tag>
void fields(Ar& ar, Name<Tag>& name) {
  gateway::core::transfer_all(ar, name.text);
}
template <class Ar>
void fields(Ar& ar, RuleId& id) {
  gateway::core::transfer_all(ar, id.number);
}
template <class Ar>
void fields(Ar& ar, Generation& id) {
  gateway::core::transfer_all(ar, id.number);
}
template <class Ar>
void fields(Ar& ar, SocketAddress& a) {
  gateway::core::transfer_all(ar, a.address, a.port);
}
template <class Ar>
void fields(Ar& ar, ServicePort& p) {
  gateway::core::transfer_all(ar, p.protocol, p.first, p.last);
}
}  // namespace config::value

namespace policy {
template <class Ar>
void fields(Ar& ar, NetworkMap& m) {
  gateway::core::transfer_all(ar, m.real, m.seen);
}
template <class Ar>
void fields(Ar& ar, WireguardPeer& m) {
  gateway::core::transfer_all(ar, m.public_key, m.preshared_key, m.endpoint, m.persistent_keepalive_seconds);
}
template <class Ar>
void fields(Ar& ar, AlgorithmException& m) {
  gateway::core::transfer_all(ar, m.algorithm, m.until);
}
template <class Ar>
void fields(Ar& ar, IkePeer& m) {
  gateway::core::transfer_all(ar, m.local_id, m.remote_id, m.preshared_key, m.authority_file, m.revocation_list_file,
                              m.revocation, m.list_grace_days, m.endpoint, m.always_in_udp, m.ppk_id, m.ppk,
                              m.ppk_required, m.exceptions);
}
template <class Ar>
void fields(Ar& ar, FacilityPlan& m) {
  gateway::core::transfer_all(ar, m.name, m.title, m.networks, m.sources, m.mtu, m.wireguard, m.ike, m.isolated);
}
template <class Ar>
void fields(Ar& ar, Permission& m) {
  gateway::core::transfer_all(ar, m.rule, m.kind, m.from_facility, m.to_facility, m.source, m.destination, m.port,
                              m.until, m.name, m.origin);
}
template <class Ar>
void fields(Ar& ar, Route& m) {
  gateway::core::transfer_all(ar, m.table, m.destination, m.interface, m.via, m.mtu);
}
template <class Ar>
void fields(Ar& ar, RoutingRule& m) {
  gateway::core::transfer_all(ar, m.priority, m.incoming_interface, m.mark, m.table, m.prohibit);
}
template <class Ar>
void fields(Ar& ar, Plan& m) {
  config::Offloads& offloads = m.offloads;
  gateway::core::transfer_all(ar, offloads.tun_tcp, offloads.tun_udp, offloads.udp_segment, offloads.udp_gro);
  gateway::core::transfer_all(ar, m.live.every_seconds, m.live.repair);
  gateway::core::transfer_all(ar, m.gateway_name, m.outside_interface, m.outside_addresses, m.wireguard_port,
                              m.gateway_key, m.ikev2, m.crypto_profile, m.certificate_file, m.signing_key,
                              m.inside_interface, m.tunnel_mtu, m.facilities, m.permissions, m.routes, m.rules);
  // They stand in the text nft reads, and the plan may come from a process that was taken over.
  for (const std::string* name : {&m.outside_interface, &m.inside_interface})
    if (!name->empty() && !config::InterfaceName::parse(*name)) ar.fail();
}
}  // namespace policy

namespace tunnel::wire {
template <class Ar>
void fields(Ar& ar, KeyRequest& m) {
  gateway::core::transfer_all(ar, m.id, m.operation, m.key, m.input, m.prf, m.octets, m.scheme, m.secrets);
}
template <class Ar>
void fields(Ar& ar, KeyReply& m) {
  gateway::core::transfer_all(ar, m.id, m.good, m.output, m.octets, m.secrets);
}
}  // namespace tunnel::wire
