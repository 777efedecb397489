// 1:1 prefix translation between the addresses a facility uses itself (real) and those everybody else sees. Stateless;
// checksums change incrementally (RFC 1624), in the packet and in the one quoted by an ICMP error (RFC 5508 3.1).
#pragma once

#include <vector>

#include "gateway/core/inner_packet.h"
#include "policy/plan.h"

namespace gateway::core {

class Translation {
 public:
  Translation() = default;
  // Pairs must have one length and one family.
  [[nodiscard]] static Result<Translation, std::string> compile(const std::vector<policy::NetworkMap>& networks);

  // False: every address stays as it is, and the functions below need not be called.
  [[nodiscard]] bool translates() const { return translates_; }
  [[nodiscard]] const std::vector<policy::NetworkMap>& networks() const { return networks_; }
  // Out of the tunnel: source, and the quoted destination, from real to seen. Refuses a source that is not the
  // facility's. Changes `bytes` and `view` together.
  [[nodiscard]] Refusal to_seen(tunnel::wire::Bytes bytes, InnerPacketView& view) const;
  // Into the tunnel: destination, and the quoted source, from seen to real.
  [[nodiscard]] Refusal to_real(tunnel::wire::Bytes bytes, InnerPacketView& view) const;
  // What to_real() did, undone.
  [[nodiscard]] Refusal undo_to_real(tunnel::wire::Bytes bytes, InnerPacketView& view) const;

 private:
  using Side = config::value::Prefix policy::NetworkMap::*;
  [[nodiscard]] Refusal turn_destination(tunnel::wire::Bytes bytes, InnerPacketView& view, Side from, Side to) const;
  std::vector<policy::NetworkMap> networks_;
  bool translates_ = false;
};

}  // namespace gateway::core
