// A small configuration built by hand: the tests of policy and firewall need no loader. Names and addresses follow the
// design's own example (design 9), with IPv6 beside every IPv4 address.
#pragma once

#include <string>

#include "config/gateway_config.h"

namespace tests {

inline config::IpAddress address(const std::string& text) {
  return config::IpAddress::parse(text).value();
}
inline config::Prefix prefix(const std::string& text) {
  return config::Prefix::parse(text).value();
}
inline config::ServicePort port(const std::string& text) {
  return config::ServicePort::parse(text).value();
}
inline config::WallTime at_second(std::int64_t seconds) {
  return config::WallTime{std::chrono::seconds{seconds}};
}

inline constexpr std::int64_t kExchangeEnds = 1'000'000;

inline config::Facility facility(const std::string& name, const std::vector<config::Network>& networks,
                                 const std::vector<std::string>& may_use) {
  config::Facility out;
  out.name.text = name;
  out.title = name;
  out.networks = networks;
  for (const std::string& service : may_use) {
    out.may_use.push_back({service});
    out.may_use_at.push_back({0, static_cast<std::uint32_t>(10 + out.may_use.size()), 5});
  }
  out.tunnel.protocol = config::TunnelProtocol::kWireguard;
  out.tunnel.wireguard.public_key = name + "-key";
  return out;
}

inline config::Network network(const std::string& real, const std::string& seen) {
  return {prefix(real), prefix(seen), {}};
}
inline config::Network network(const std::string& both) {
  return network(both, both);
}

inline config::Service service(const std::string& name, const std::vector<std::string>& addresses,
                               const std::vector<std::string>& ports) {
  config::Service out;
  out.name.text = name;
  for (const std::string& text : addresses) out.addresses.push_back(address(text));
  for (const std::string& text : ports) out.ports.push_back(port(text));
  return out;
}

// hakodate (translated 192.168.1.0/24 -> 100.64.1.0/24) offers images; matsumae may fetch them until kExchangeEnds;
// karte's host may fetch them too; esashi has nothing to do with either.
inline config::GatewayConfig sample_config() {
  config::GatewayConfig out;
  out.files = {"sekisho.json"};
  out.gateway.name = "dc1";
  out.gateway.outside = {"wan0", {address("203.0.113.10"), address("2001:db8::10")}, {}, {}};
  out.gateway.inside = {"dc0", {address("10.90.0.1")}, {}};
  out.services = {service("karte", {"10.80.0.10", "2001:db8:80::10"}, {"tcp/443", "icmp"}),
                  service("yoyaku", {"10.80.0.20"}, {"udp/5000-5010", "tcp/80"})};
  out.facilities = {
      facility("esashi", {network("10.3.0.0/24")}, {"karte"}),
      facility("hakodate", {network("192.168.1.0/24", "100.64.1.0/24"), network("2001:db8:a::/64")}, {"karte"}),
      facility("matsumae", {network("10.2.0.0/24"), network("2001:db8:b::/64")}, {"karte", "yoyaku"})};
  config::Offer images;
  images.name.text = "images";
  images.addresses = {address("192.168.1.5"), address("2001:db8:a::5")};
  images.ports = {port("tcp/443"), port("tcp/104"), port("icmp")};
  out.facilities[1].offers = {images};
  out.exchanges = {{{"matsumae"}, {"hakodate"}, {"images"}, "referral", at_second(kExchangeEnds), {0, 40, 3}}};
  out.inside_may_reach = {{{"karte"}, {"hakodate"}, {"images"}, {0, 50, 3}}};
  return out;
}

}  // namespace tests
