// Routing as the kernel has it: every table, every rule, both families; as values, read back by netd or made of a plan.
// What the kernel could also ask and is not modelled (type of service, user, source-specific routes) makes a route or
// rule that is not `plain`: it may take a packet, or not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/plan.h"

namespace policy {

inline constexpr std::uint32_t kNotLocked = 1u << 16;
inline constexpr std::uint32_t kMainTable = 254, kLocalTable = 255;  // RT_TABLE_*
inline constexpr const char* kHere = "(the gateway itself)";         // as an interface: delivered locally

struct KernelHop {
  std::string interface;
  std::optional<IpAddress> via;
  friend auto operator<=>(const KernelHop&, const KernelHop&) = default;
};

struct KernelRoute {
  enum class Type : std::uint8_t { kUnicast, kLocal, kNowhere, kThrow, kOther };
  std::uint32_t table = kMainTable;
  Prefix destination;
  std::uint32_t metric = 0;  // of two for one prefix the lower counts
  Type type = Type::kUnicast;
  std::vector<KernelHop> hops;  // of kUnicast; several share the packets
  std::uint32_t mtu = 0;        // 0: what the interface takes; with kNotLocked, an error of somebody's may change it
  bool plain = true;
  std::string text = {};  // as `ip route` says it
  friend auto operator<=>(const KernelRoute&, const KernelRoute&) = default;
};

struct KernelRule {
  enum class Action : std::uint8_t { kLookUp, kGoto, kNothing, kNowhere, kOther };
  config::value::Family family = config::value::Family::kV4;
  std::uint32_t priority = 0;
  bool inverted = false;
  Prefix from, to;                 // length 0: any
  std::string incoming, outgoing;  // interfaces; outgoing: of a local socket alone
  std::uint32_t mark = 0, mask = 0;
  Action action = Action::kLookUp;
  std::uint32_t table = 0;   // kLookUp
  std::uint32_t target = 0;  // kGoto: the priority where it goes on
  // A route whose prefix is no longer than this does not count; -1: all do.
  std::int32_t suppressed = -1;
  bool plain = true;
  std::string text = {};  // as `ip rule` says it
  friend auto operator<=>(const KernelRule&, const KernelRule&) = default;
};

struct KernelRoutes {
  std::vector<KernelRoute> routes;
  std::vector<KernelRule> rules;  // by family and priority; of one priority in the kernel's order
  friend bool operator==(const KernelRoutes&, const KernelRoutes&) = default;
};

// The plan's tables and rules alone.
[[nodiscard]] KernelRoutes kernel_routes(const Plan& plan);

// As iproute2 writes them: "10.80.0.10 dev dc0 table 7101 mtu 1380", "7110: from all iif sekisho0 lookup 7101".
[[nodiscard]] std::string to_text(const KernelRoute& route);
[[nodiscard]] std::string to_text(const KernelRule& rule);

}  // namespace policy
