// The configuration text for one facility's router: tunnel, packet filter, clock. Whoever installs it fills in what
// stands in <...>: the preshared key above all, which never passes through here.
#pragma once

#include <string>
#include <vector>

#include "gateway/router/facts.h"
#include "gateway/router/vendors.h"

namespace gateway::router {

struct Made {
  WallTime now;                    // stands in the text as a day
  std::string generation;          // of the running configuration; empty: not known
  std::string gateway_public_key;  // WireGuard; empty: to be filled in
};

struct Text {
  std::string text;
  std::vector<std::string> notes;  // for the person who made it, sentences
};

enum class Part : std::uint8_t { kConfiguration, kFilter };  // kFilter: only where Vendor::filter_apart

[[nodiscard]] Result<Text, std::string> router_config(const Facts& facts, const Vendor& vendor, Part part,
                                                      const Made& made);

}  // namespace gateway::router
