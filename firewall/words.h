// What several chains say, and how each family says it. For the files of this folder only.
#pragma once

#include <string>
#include <vector>

namespace firewall {

using Rules = std::vector<std::string>;

inline const std::string kTunnel = "\"sekisho0\"";

// How one family is written.
struct Words {
  char digit;
  std::string protocol;  // "ip"
  std::string nfproto;   // "ipv4"
  std::string request;   // echo
  std::string reply;
  std::string errors;
};
[[nodiscard]] const Words& words_v4();
[[nodiscard]] const Words& words_v6();

// What a permitted packet gets besides its rule number in the conntrack mark.
inline constexpr const char* kPass = "meta mark set 0 accept";
inline constexpr const char* kPassAcross = "meta mark set 0x80000000 accept";

[[nodiscard]] std::string quoted(const std::string& name);
void append(Rules& to, const Rules& more);

// Puts the facility number of one end ("saddr", "daddr") into the packet mark. 0, "no facility", is in no set's key.
[[nodiscard]] Rules facility_of(const Words& words, const std::string& end);

}  // namespace firewall
