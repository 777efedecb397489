// Configurations that are hard on purpose: adjacent networks, /32 and very short prefixes, what one facility is seen as
// is another's real network, port ranges that overlap, exchanges both ways, both families, both protocols of tunnels.
#pragma once

#include <random>

#include "tests/policy/sample_config.h"

namespace tests {

inline constexpr std::int64_t kRandomNow = 1000;

class RandomConfig {
 public:
  explicit RandomConfig(unsigned seed) : random_(seed) {
    config_ = sample_config();
    config_.services.clear(), config_.facilities.clear(), config_.exchanges.clear(), config_.inside_may_reach.clear();
    const unsigned services = 1 + below(3);
    for (unsigned i = 0; i < services; ++i)
      config_.services.push_back(service("s" + std::to_string(i), service_hosts(i), ports()));
    const unsigned facilities = 2 + below(3);
    for (unsigned i = 0; i < facilities; ++i) config_.facilities.push_back(random_facility(i));
    for (unsigned i = below(6); i > 0; --i) add_exchange();
    for (unsigned i = below(3); i > 0; --i)
      config_.inside_may_reach.push_back({{"s" + std::to_string(below(services))}, some_facility(), {"o"}, {}});
  }

  [[nodiscard]] const config::GatewayConfig& config() const { return config_; }
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

 private:
  std::vector<std::string> service_hosts(unsigned i) {
    std::vector<std::string> out{"10.80.0." + std::to_string(10 + i)};  // adjacent hosts
    if (below(2) == 0) out.push_back("2001:db8:80::" + std::to_string(1 + i));
    if (below(4) == 0) out.push_back("10.80.0.10");  // two services on one host
    return out;
  }

  std::vector<std::string> ports() {
    std::vector<std::string> out;
    for (unsigned i = 1 + below(4); i > 0; --i) {
      const char* protocol = below(2) == 0 ? "tcp/" : "udp/";
      const unsigned first = 1 + below(10), last = first + below(6);
      out.push_back(protocol + std::to_string(first) + (first == last ? "" : "-" + std::to_string(last)));
    }
    if (below(3) == 0) out.push_back("icmp");
    if (below(8) == 0) out.push_back("tcp/65530-65535");
    return out;
  }

  // Each facility has a place of its own among the seen addresses; what it really has may be another's.
  config::Facility random_facility(unsigned i) {
    const std::string n = std::to_string(i);
    std::vector<config::Network> networks;
    switch (below(5)) {
      case 0:
        networks.push_back(network("100.64." + std::to_string(below(4)) + ".0/24", "100.64." + n + ".0/24"));
        break;
      case 1:  // two halves and a neighbour
        networks.push_back(network("192.168.1.0/25", "100.64." + n + ".128/25"));
        networks.push_back(network("192.168.1.128/25", "100.64." + n + ".0/25"));
        break;
      case 2:
        networks.push_back(network("100.64." + n + ".0/32"));
        networks.push_back(network("100.64." + n + ".1/32"));
        break;
      case 3:  // a short one, at the end of the address space
        networks.push_back(i == 0 ? network("128.0.0.0/2") : network("100.64." + n + ".0/31"));
        break;
      default:
        networks.push_back(network("100.64." + n + ".0/24"));
    }
    if (below(2) == 0) networks.push_back(network("2001:db8:a::/64", "2001:db8:" + n + "::/64"));
    std::vector<std::string> uses;
    for (const auto& each : config_.services)
      if (below(3) != 0) uses.push_back(each.name.text);
    auto out = facility("f" + n, networks, uses);
    if (below(2) == 0) {
      out.tunnel.protocol = config::TunnelProtocol::kIkev2;
      out.tunnel.ikev2.remote_id = "fqdn:f" + n + ".example";
    }
    config::Offer offer;
    offer.name.text = "o";
    for (const auto& each : networks)
      if (offer.addresses.empty() || below(2) == 0) offer.addresses.push_back(host_in(each.real));
    for (const auto& each : ports()) offer.ports.push_back(port(each));
    out.offers = {offer};
    return out;
  }

  // Often the first address or the last, which may be no host's.
  config::IpAddress host_in(const config::Prefix& network) {
    std::array<std::uint8_t, 16> octets = network.address().storage();
    const std::size_t last = network.address().octets().size() - 1;
    const unsigned bits = network.address().bits() - network.length();
    const unsigned hosts = bits >= 8 ? 256 : 1u << bits;
    octets[last] = static_cast<std::uint8_t>(octets[last] + (below(3) == 0 ? hosts - 1 : below(std::min(hosts, 4u))));
    if (!network.address().is_v4()) return config::IpAddress::v6(octets);
    return config::IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
  }

  config::FacilityName some_facility() {
    return config_.facilities[below(static_cast<unsigned>(config_.facilities.size()))].name;
  }

  void add_exchange() {
    const auto from = some_facility(), to = some_facility();
    const auto until = at_second(below(4) == 0 ? kRandomNow : kRandomNow + 1);
    if (from == to) return;
    config_.exchanges.push_back({from, to, {"o"}, "", until, {}});
    if (below(2) == 0) config_.exchanges.push_back({to, from, {"o"}, "", until, {}});
  }

  std::mt19937 random_;
  config::GatewayConfig config_;
};

}  // namespace tests
