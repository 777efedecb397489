// Where the plan's routing rules and tables send packets, as exact packet sets.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "policy/packet_set.h"
#include "policy/plan.h"

namespace policy {

inline constexpr const char* kHostRoutes = "(the host's own routes)";  // no rule of ours: anywhere

// Some packets and the interface they leave by; empty: they go nowhere. Of two routes for one prefix both count.
struct Routed {
  std::string interface;
  PacketSet packets;
};

class Routing {
 public:
  // `plan` must outlive the result.
  explicit Routing(const Plan& plan) : plan_(plan) {}
  // Packets that came in by `incoming` with `mark` on them. `answers`: what is routed is the packets' source, which is
  // the destination of the answer (PacketPoint is the flow's own tuple).
  [[nodiscard]] std::vector<Routed> of(const std::string& incoming, std::uint32_t mark, PacketSet packets,
                                       bool answers);

 private:
  using Table = std::vector<std::pair<std::string, std::vector<AddressRange>>>;
  [[nodiscard]] const Table& table(RouteTable number);

  const Plan& plan_;
  std::map<RouteTable, Table> tables_;  // by interface: the destinations whose longest route leads there
};

}  // namespace policy
