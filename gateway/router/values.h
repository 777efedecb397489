// Facts, and a vendor's words for them, under the names that the templates use.
#pragma once

#include "config/moment.h"
#include "gateway/router/router_config.h"
#include "gateway/router/template.h"

namespace gateway::router {

inline constexpr int kIkeSeconds = 28800, kEspSeconds = 3600;  // RFC 7296 2.8: each end has its own, nothing is agreed

using config::day_text;
[[nodiscard]] std::string joined(const std::vector<std::string>& words, std::string_view between);
[[nodiscard]] std::string port_text(const config::ServicePort& port, std::string_view between);  // "443", "5000-5010"

// gateway, facility, date, generation, peer, mtu, mss, psk, networks, others, pairs, and the flows as the lists in,
// out, in_ports, in_echo, out_ports, out_echo. What the vendor's template cannot say (IPv6) is left out with a note.
void add_common(Values& values, const Facts& facts, const Vendor& vendor, const Made& made,
                std::vector<std::string>& notes);
// Algorithms and lifetimes.
void add_words(Values& values, const Vendor& vendor, const Choice& choice);
// Letters, digits and ".-_@:": what no router's configuration reads as anything else.
[[nodiscard]] bool is_plain(std::string_view text);

// The error names the identity that cannot be written for this vendor.
[[nodiscard]] Result<void, std::string> add_identities(Values& values, const Facts& facts, const Vendor& vendor);

// Where the router finds the gateway.
[[nodiscard]] Result<IpAddress, std::string> peer_address(const Facts& facts, const Vendor& vendor);

}  // namespace gateway::router
