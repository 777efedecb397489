// The form in which a verdict (live_proof.h) comes back from the process that made it.
#pragma once

#include "gateway/core/codec.h"
#include "gateway/core/live_proof.h"

namespace policy {
template <class Ar>
void fields(Ar& ar, PacketPoint& m) {
  gateway::core::transfer_all(ar, m.source, m.destination, m.protocol, m.port);
  if (m.source.family() != m.destination.family()) ar.fail();
}
}  // namespace policy

namespace gateway::core {

// clang-format off
template <class Ar> void fields(Ar& ar, Breach& m) { transfer_all(ar, m.what, m.packet, m.line, m.rules); }
template <class Ar> void fields(Ar& ar, Theorem& m) { transfer_all(ar, m.promise, m.statement, m.breaches); }
template <class Ar> void fields(Ar& ar, Proof& m) { transfer_all(ar, m.theorems, m.facilities, m.pairs, m.open_pairs, m.boxes); }
template <class Ar> void fields(Ar& ar, LiveDifference& m) { transfer_all(ar, m.layer, m.what, m.opens, m.closes, m.says, m.packet, m.ours); }
template <class Ar> void fields(Ar& ar, LiveVerdict& m) { transfer_all(ar, m.proof, m.not_proved, m.differences, m.left_out, m.notes); }
// clang-format on

}  // namespace gateway::core
