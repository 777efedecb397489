// One rule of the table, read from its nft text: the words that chains.cc, entry_chains.cc and error_chains.cc write,
// and no others. A word that is not known is an error, never skipped: whoever writes a new rule teaches its meaning
// here, or nothing is proved about the table any more. For passing.cc and element_sets.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"
#include "policy/packet_set.h"

namespace firewall {

// The way of the packets that are asked about: well formed, whole, unicast frames of a flow that conntrack knows or
// takes on. What limits rates, joins fragments or is about ICMP errors is not asked.
struct Road {
  std::string in, out;      // interfaces; `out` is empty before routing
  bool to_gateway = false;  // the destination is an address of this machine
  // Packets of the reply direction. Their set is written by the flow's own tuple, as conntrack has it: `source` is who
  // opened the flow, and the destination of this packet.
  bool answer = false;
  friend auto operator<=>(const Road&, const Road&) = default;
};

// What an expression asks for, in the flow's own tuple (policy::PacketPoint).
enum class Field : std::uint8_t { kMark, kSource, kDestination, kProtocol, kPort };

enum class Verdict : std::uint8_t { kAccept, kDrop, kJump, kGoto, kReturn };

struct Step {
  enum class Kind : std::uint8_t {
    kNever,        // does not happen on this road
    kPackets,      // goes on with those in `packets`
    kElements,     // with those whose key[0] is in the set `name`
    kMarkIs,       // with those whose mark is `number`
    kSetMark,      // their mark is `number` from here on
    kSetMarkFrom,  // with those whose key[0] the map `name` knows; their mark is what it says
    kLookUp,       // with those whose `key` the map `name` knows
    kVerdict,
  };
  Kind kind = Kind::kNever;
  bool inverted = false;  // kPackets, kElements, kMarkIs: with the others. Of kElements, of the family in `packets`
  policy::PacketSet packets;
  std::string name;  // of the set, map or chain, without "@"
  std::vector<Field> key;
  std::uint32_t number = 0;
  Verdict verdict = Verdict::kDrop;
};

// The error: what is not understood.
[[nodiscard]] config::value::Result<std::vector<Step>, std::string> read_rule(const std::string& rule,
                                                                              const Road& road);

// Decimal or 0x...; nothing else.
[[nodiscard]] std::optional<std::uint32_t> number_of(std::string_view text);
[[nodiscard]] std::optional<std::uint8_t> protocol_number(std::string_view name);

}  // namespace firewall
