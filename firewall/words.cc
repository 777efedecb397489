#include "firewall/words.h"

namespace firewall {

const Words& words_v4() {
  static const Words kWords{
      '4',
      "ip",
      "ipv4",
      "icmp type echo-request",
      "icmp type echo-reply",
      "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
  };
  return kWords;
}

const Words& words_v6() {
  static const Words kWords{
      '6',
      "ip6",
      "ipv6",
      "icmpv6 type echo-request",
      "icmpv6 type echo-reply",
      "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
  };
  return kWords;
}

// Whoever made the plan has judged the name. What could end the text here all the same names no interface any more.
std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) text += c > ' ' && c <= '~' && c != '"' ? c : '?';
  return text + "\"";
}

void append(Rules& to, const Rules& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Rules facility_of(const Words& words, const std::string& end) {
  return {"meta mark set 0", "meta mark set " + words.protocol + " " + end + " map @site" + words.digit};
}

}  // namespace firewall
