// `sekisho verify --live`: is what is really installed (live_state.h) what was applied, and do the promises hold of it
// (docs/decisions/0014)? One pure function over one value: accessd runs it beside its loop, the command line by itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "gateway/core/live_state.h"
#include "gateway/core/proof.h"

namespace gateway::core {

struct LiveDifference {
  std::string layer;  // "nftables", "routes", "links", "addresses", "parameters", "tunnels", "guard"
  std::string what;   // in the kernel's own words: the rule, element, route, ip rule, address, link or sysctl
  bool opens = false, closes = false;
  std::string says;                           // what it does: a way and a packet, or a sentence
  std::optional<policy::PacketPoint> packet;  // that passes, or no longer does
  bool ours = true;                           // netd puts it back; false: of others, and only told
};

struct LiveVerdict {
  std::optional<Proof> proof;
  std::string not_proved;  // why there is none
  std::vector<LiveDifference> differences;
  std::size_t left_out = 0;        // differences that are not in the list
  std::vector<std::string> notes;  // what could not be judged, and is no finding
  [[nodiscard]] bool good() const { return proof && proof->holds() && differences.empty(); }
  // It says nothing of what is installed: the state, or a listing in it, could not be read.
  [[nodiscard]] bool nothing_read() const { return !proof && differences.empty(); }
};

// A state that could not be read is not good.
[[nodiscard]] LiveVerdict prove_live(const LiveState& state);

// "nftables: rule missing: ...; opens: forward, ...".
[[nodiscard]] std::string to_sentence(const LiveDifference& difference);

}  // namespace gateway::core
