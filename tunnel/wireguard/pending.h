// Handshake steps that wait for a reply of keyd: bounded, the oldest is dropped, each expires. A step names its peer by
// id and key, never by pointer: what it meant may have been removed or changed meanwhile.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "tunnel/wireguard/constants.h"
#include "tunnel/wireguard/handshake_response.h"

namespace tunnel::wireguard {

struct PeerName {
  wire::PeerId id;
  Key32 key{};
  std::string preshared_key;
};

namespace step {
struct Initiate {  // we call: DH(own, other)
  PeerName peer;
};
struct OpenStatic {  // called: DH(own, the caller's ephemeral)
  Initiation message;
  ResponderState state;
};
struct OpenTimestamp {  // called: DH(own, the caller)
  PeerName peer;
  Initiation message;
  ResponderState state;
};
struct Respond {  // called: preshared key
  PeerName peer;
  Key32 ephemeral{};      // ours, drawn for this response
  Timestamp timestamp{};  // of the initiation
  ResponderState state;
};
struct FinishStatic {  // we called, response came: DH(own, the other's ephemeral)
  PeerName peer;
  Response message;
  Noise noise;
};
struct FinishPsk {  // we called, response came: preshared key
  PeerName peer;
  Response message;
  Noise noise;
};
}  // namespace step

struct PendingStep {
  wire::OuterPath path;
  Instant since{};
  bool own = false;  // a call of ours, or the first answer to one: bounded by the number of peers, no sign of load
  std::variant<step::Initiate, step::OpenStatic, step::OpenTimestamp, step::Respond, step::FinishStatic,
               step::FinishPsk>
      what;
};

class PendingTable {
 public:
  // Ids are `first`, then every second number: two tables share them.
  PendingTable(std::size_t capacity, std::uint64_t first) : capacity_(capacity > 0 ? capacity : 1), next_id_(first) {}
  void set_capacity(std::size_t capacity) { capacity_ = capacity > 0 ? capacity : 1; }

  struct Added {
    std::uint64_t id = 0;
    bool dropped_oldest = false;
  };
  Added add(PendingStep step);
  [[nodiscard]] std::optional<PendingStep> take(std::uint64_t id);
  // Number of steps older than kStepLifetime that were dropped.
  std::size_t expire(Instant now);
  void clear() { steps_.clear(); }  // ids go on: a late reply finds nothing
  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  [[nodiscard]] Instant next_expiry() const;

 private:
  std::size_t capacity_;
  std::uint64_t next_id_;
  std::map<std::uint64_t, PendingStep> steps_;  // ids rise, so the first is the oldest
};

}  // namespace tunnel::wireguard
