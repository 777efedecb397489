// Everything a packet meets between the UDP sockets and the TUN (docs/decisions/0001), without I/O: tunnels, guard,
// translation, MSS, ECN, packet-too-big. One worker, one thread; the shell reads batches, calls, flushes
// DataPlaneOutputs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/core/fragments.h"
#include "gateway/core/guard.h"
#include "gateway/core/live_state.h"
#include "gateway/core/messages.h"
#include "gateway/core/refusal_log.h"
#include "gateway/core/translation.h"
#include "gateway/core/tunnels.h"

namespace gateway::core {

// Both clocks, read once per loop turn.
struct Times {
  Instant boot;
  WallTime wall;
};

// Read from the TUN. `bytes` is changed in place.
struct TunPacket {
  tunnel::wire::Bytes bytes;
  tunnel::wire::Segmentation segmentation{};
  bool room = false;  // as InnerPacket's
};

struct DataPlaneOutputs {
  tunnel::wire::Outputs wire;                   // transmits and key requests; deliveries and events are consumed
  std::vector<tunnel::wire::Bytes> tun_writes;  // whole packets, in the batch given or in wire.arena
  std::vector<TunnelEvent> events;              // with the facility's name of the moment they happened
  void clear() { wire.clear(), tun_writes.clear(), events.clear(); }
};

struct TunnelIdentity {
  std::array<std::uint8_t, 32> public_key{};           // of Plan::gateway_key
  std::uint64_t timestamp_floor = 0;                   // TAI64N seconds never to be used again
  std::span<const std::uint16_t> signature_schemes{};  // of Plan::signing_key
  std::span<const NamedOctets> files{};                // of certificates and revocation lists
  std::span<const KeyMark> key_marks{};                // of preshared keys and the signing key
};

#ifdef SEKISHO_FAULTS
struct DataPlaneFaults {
  bool open_guard = false;      // every verdict is "pass": what remains is the other layers (promise P4)
  bool open_selectors = false;  // handed to the endpoint
};
#endif

class DataPlane {
 public:
  explicit DataPlane(tunnel::crypto::Rng& rng) : tunnels_(rng) {}

  // The whole plan; what did not change keeps its session. An error, a sentence for a person, leaves everything as it
  // was.
  [[nodiscard]] Result<void, std::string> apply(const policy::Plan& plan, const TunnelIdentity& identity, Times now,
                                                DataPlaneOutputs& out);
  // The sockets that datagrams come in by and transmits leave through; before the first plan, and again when they
  // change.
  void set_sockets(std::span<const OuterSocket> sockets) { tunnels_.set_sockets(sockets); }
  // The end of this process: every router learns that its SAs are gone (RFC 7296 1.4.1) and may call again at once,
  // instead of sending into silence until its own patience ends. Nothing is carried afterwards.
  void leave(Times now, DataPlaneOutputs& out);

  void from_outside(std::span<const tunnel::wire::OuterDatagram> batch, Times now, DataPlaneOutputs& out);
  void from_tun(std::span<const TunPacket> batch, Times now, DataPlaneOutputs& out);
  void on_key_reply(const tunnel::wire::KeyReply& reply, Times now, DataPlaneOutputs& out);
  void on_deadline(Times now, DataPlaneOutputs& out);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // Timestamps up to here are durable (S18): initiations that were withheld for want of it go now.
  void set_durable_timestamps(std::uint64_t tai_seconds, Times now, DataPlaneOutputs& out);
  [[nodiscard]] std::uint64_t durable_timestamps() const { return durable_timestamps_; }
  [[nodiscard]] std::uint64_t timestamps_used() const { return tunnels_.timestamp_used(); }

  [[nodiscard]] bool uses_timestamps() const { return tunnels_.has_wireguard(); }
  // "" for a peer that is not configured.
  [[nodiscard]] std::string facility_name(tunnel::wire::PeerId peer) const;
  [[nodiscard]] std::vector<TunnelStatus> status() const;
  [[nodiscard]] std::vector<Counter> counters() const;
  // Its tunnels and its guard as they are (live_state.h).
  [[nodiscard]] TunnelState installed() const;
  [[nodiscard]] const RefusalCounts& refused_in() const { return refused_in_; }
  [[nodiscard]] const RefusalCounts& refused_out() const { return refused_out_; }
  // What was refused and is not yet on record: to be told to accessd.
  [[nodiscard]] RefusalLog& refusals() { return refusals_; }
#ifdef SEKISHO_FAULTS
  void set_faults(DataPlaneFaults faults);
#endif

 private:
  // One configured facility; its index in facilities_ is its PeerId and stays while it is configured.
  struct Facility {
    policy::FacilityPlan plan;
    tunnel::wire::PeerId id;
    TunnelParams tunnel;
    std::array<std::uint64_t, 2> key_marks{};  // of the preshared and the postquantum key (KeyMark)
    std::string problem;                       // of an IKEv2 peer: why it does not connect, as the last event said
    std::optional<Instant> problem_since;
    std::optional<Instant> since;  // up or down
    Translation translation;
    FacilityIndex guard_index = kNoFacility;  // position in the plan the guard was compiled from
    std::uint16_t mtu = 0;
    Instant too_big_refill;  // token bucket of packet-too-big answers
    std::uint32_t too_big_tokens = 0;
    std::uint64_t refused_in = 0, refused_out = 0;
    bool used = false;
  };
  struct Prepared {  // a plan that has been checked whole, nothing installed yet
    Guard guard;
    std::vector<Facility> facilities;  // in plan order
  };
  [[nodiscard]] static Result<Prepared, std::string> prepare(const policy::Plan& plan, const TunnelIdentity& identity,
                                                             WallTime now);
  void open_tunnels(const policy::Plan& plan, const TunnelIdentity& identity, Times now, DataPlaneOutputs& out);
  void remove_departed(const Prepared& prepared, Times now, DataPlaneOutputs& out);
  void end_tunnel(const Facility& facility, Times now, DataPlaneOutputs& out);
  void depart(Facility& facility, Times now, DataPlaneOutputs& out);
  void install(Prepared prepared, Times now, DataPlaneOutputs& out);
  [[nodiscard]] std::vector<std::vector<std::uint8_t>> take_staged(Times now);
  [[nodiscard]] std::uint32_t place_for(const std::string& name);

  void deliver(const tunnel::wire::Delivery& delivery, Times now, DataPlaneOutputs& out);
  [[nodiscard]] static Refusal to_seen(const Facility& facility, const tunnel::wire::Delivery& delivery,
                                       InnerPacketView& view);
  [[nodiscard]] Refusal admit(Facility& facility, const tunnel::wire::Delivery& delivery, InnerPacketView& view,
                              Times now);
  [[nodiscard]] Refusal judge_ingress(const Facility& facility, InnerPacketView& view, Times now);
  void send_one(const TunPacket& packet, Times now, DataPlaneOutputs& out);
  [[nodiscard]] Refusal emit(const TunPacket& packet, Facility& facility, InnerPacketView& view, Times now,
                             DataPlaneOutputs& out);
  [[nodiscard]] Refusal judge_egress(const Facility& facility, InnerPacketView& view, Times now);
  template <class Judge>
  [[nodiscard]] Refusal judge(std::uint32_t owner, InnerPacketView& view, Times now, const Judge& verdict);
  void answer_too_big(Facility& facility, const TunPacket& packet, const InnerPacketView& view, Times now,
                      DataPlaneOutputs& out);
  [[nodiscard]] Facility* facility_at(FacilityIndex guard_index);
  struct Refused {
    Direction direction = Direction::kOutOfTunnel;
    Refusal reason = Refusal::kNone;
    Facility* facility = nullptr;  // none: nobody's
    tunnel::wire::ConstBytes bytes;
    bool translated = true;  // the addresses are those everybody sees
  };
  void refuse(const Refused& refused, Times now);
  [[nodiscard]] std::string other_end(const RefusedPacket& packet, const Facility* facility) const;
  void settle(Times now, DataPlaneOutputs& out);
  void name_events(Times now, DataPlaneOutputs& out);
  void note_state(const tunnel::wire::Event& event, Times now);
  void remember_problem(const tunnel::wire::Event& event, Times now);
  [[nodiscard]] Facility* only_caller_from(const config::value::IpAddress& address);

  Tunnels tunnels_;
  bool configured_ = false;
  std::string gateway_key_;
  std::array<std::uint8_t, 32> public_key_{};
  Guard guard_;
  std::vector<Facility> facilities_;             // by PeerId::number
  std::map<std::string, std::uint32_t> places_;  // name -> index in facilities_
  std::vector<std::uint32_t> free_places_;
  std::vector<std::uint32_t> by_guard_index_;
  FragmentTable fragments_;
  std::vector<tunnel::wire::Bytes> segments_;  // of the super-packet at hand
  std::uint64_t durable_timestamps_ = 0;
  RefusalCounts refused_in_, refused_out_;
  RefusalLog refusals_;  // the place of a facility is its PeerId + 1
  tunnel::wire::DropCounts drops_;
#ifdef SEKISHO_FAULTS
  DataPlaneFaults faults_;
#endif
};

}  // namespace gateway::core
