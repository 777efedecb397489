// Two endpoints of which one changes its address (RFC 4555).
#pragma once

#include "tests/sim/ike_nodes.h"

namespace ike_sim {

inline const tunnel::wire::IpAddress kElsewhere = *tunnel::wire::IpAddress::parse("198.51.100.7");

struct MovingPair : Pair {
  MovingPair() { keep_seen = true; }
  void a_moves_to(const tunnel::wire::IpAddress& address) {
    a.address = address;
    a.endpoint->set_doors(a.doors(false), {address});
    a.on_deadline(now);
  }
};

}  // namespace ike_sim
