// Where routing rules and tables send packets, as exact packet sets: those of a plan, or as the kernel has them.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "policy/kernel_routes.h"
#include "policy/packet_set.h"
#include "policy/plan.h"

namespace policy {

inline constexpr const char* kHostRoutes = "(the host's own routes)";  // no rule of ours: anywhere

// Some packets and the interface they leave by; kHere: they are the gateway's. What goes nowhere is not there. Of two
// routes of one kind for one prefix both count.
struct Routed {
  std::string interface;
  PacketSet packets;
};

// The kernel goes on with the next rule, whatever this one asks for; past a goto whose target is not there, too.
[[nodiscard]] bool is_passed_over(const KernelRule& rule, const std::vector<KernelRule>& all);

class Routing {
 public:
  // What the plan's rules leave over goes by kHostRoutes.
  explicit Routing(const Plan& plan) : routes_(kernel_routes(plan)), whole_(false) {}
  // All there is: what no rule takes goes nowhere.
  explicit Routing(KernelRoutes routes) : routes_(std::move(routes)), whole_(true) {}

  // Packets that came in by `incoming` with `mark` on them. `answers`: what is routed is the packets' source, which is
  // the destination of the answer (PacketPoint is the flow's own tuple). What is not plain takes them and does not.
  [[nodiscard]] std::vector<Routed> of(const std::string& incoming, std::uint32_t mark, PacketSet packets,
                                       bool answers);
  // Marks of which this is the same are routed alike.
  [[nodiscard]] std::vector<bool> kind_of(std::uint32_t mark) const;

 private:
  struct Way {
    std::string interface;  // empty: nowhere
    std::vector<AddressRange> destinations;
  };
  using Table = std::vector<Way>;
  using Found = std::map<std::string, PacketSet>;
  [[nodiscard]] const Table& table(std::uint32_t number, Family family, std::int32_t suppressed);
  [[nodiscard]] PacketSet of_family(const std::string& incoming, std::uint32_t mark, PacketSet packets, bool answers,
                                    Family family, Found& found);
  [[nodiscard]] PacketSet looked_up(const KernelRule& rule, const PacketSet& packets, bool answers, Found& found);

  KernelRoutes routes_;
  bool whole_;
  std::map<std::tuple<std::uint32_t, Family, std::int32_t>, Table> tables_;
};

}  // namespace policy
