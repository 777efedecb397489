// Random configurations: decide on the compiled plan against a naive reading of the configuration itself.
#include <catch2/catch.hpp>
#include <random>

#include "policy/compile.h"
#include "policy/decide.h"
#include "policy/verify.h"
#include "tests/policy/sample_config.h"

using namespace tests;

namespace {

constexpr std::int64_t kNow = 1000;

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    config_ = sample_config();
    config_.services.clear();
    config_.facilities.clear();
    config_.exchanges.clear();
    config_.inside_may_reach.clear();
    for (int i = 0; i < 3; ++i)
      config_.services.push_back(service("s" + std::to_string(i), {"10.80.0." + std::to_string(i)}, ports()));
    for (int i = 0; i < 4; ++i) config_.facilities.push_back(random_facility(i));
    for (int i = 0; i < 4; ++i) add_exchange();
    for (int i = 0; i < 2; ++i)
      config_.inside_may_reach.push_back({{"s" + std::to_string(below(3))}, facility_name(), {"o"}, {}});
  }

  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  [[nodiscard]] const config::GatewayConfig& config() const { return config_; }

  policy::Packet packet() {
    policy::Packet out;
    out.source = any_address();
    out.destination = any_address();
    out.protocol = below(2) == 0 ? config::value::IpProtocol::kTcp : config::value::IpProtocol::kUdp;
    out.destination_port = static_cast<std::uint16_t>(below(8));
    return out;
  }

  // Straight from the words of the configuration; nothing of policy/ is used.
  [[nodiscard]] bool permits(const policy::Packet& p) const {
    for (const auto& facility : config_.facilities)
      for (const auto& name : facility.may_use)
        for (const auto& each : config_.services)
          if (each.name == name && sees(facility, p.source) && has(each.addresses, p.destination) &&
              opens(each.ports, p))
            return true;
    for (const auto& line : config_.exchanges)
      if (line.until > at_second(kNow) && sees(named(line.from), p.source) && offered(line.to, p)) return true;
    for (const auto& line : config_.inside_may_reach)
      for (const auto& each : config_.services)
        if (each.name == line.service && has(each.addresses, p.source) && offered(line.facility, p)) return true;
    return false;
  }

 private:
  std::vector<std::string> ports() {
    const unsigned first = below(6);
    return {"tcp/" + std::to_string(below(7) + 1),
            "udp/" + std::to_string(first + 1) + "-" + std::to_string(first + 2)};
  }

  config::Facility random_facility(int i) {
    const std::string n = std::to_string(i);
    std::vector<std::string> uses;
    for (int s = 0; s < 3; ++s)
      if (below(2) == 0) uses.push_back("s" + std::to_string(s));
    auto out = facility("f" + n, {network("192.168.0.0/24", "100.64." + n + ".0/24")}, uses);
    config::Offer offer;
    offer.name.text = "o";
    offer.addresses = {address("192.168.0." + std::to_string(below(4)))};
    for (const auto& each : ports()) offer.ports.push_back(port(each));
    out.offers = {offer};
    return out;
  }

  config::FacilityName facility_name() { return {"f" + std::to_string(below(4))}; }

  void add_exchange() {
    const auto from = facility_name();
    const auto to = facility_name();
    if (from != to) config_.exchanges.push_back({from, to, {"o"}, "", at_second(below(2) == 0 ? kNow : kNow + 1), {}});
  }

  config::IpAddress any_address() {
    if (below(3) == 0) return address("10.80.0." + std::to_string(below(4)));
    return address("100.64." + std::to_string(below(5)) + "." + std::to_string(below(4)));
  }

  [[nodiscard]] const config::Facility& named(const config::FacilityName& name) const {
    for (const auto& each : config_.facilities)
      if (each.name == name) return each;
    FAIL("no such facility");
    return config_.facilities.front();
  }

  static bool sees(const config::Facility& facility, const config::IpAddress& a) {
    return facility.networks[0].seen_as.contains(a);
  }
  static bool has(const std::vector<config::IpAddress>& list, const config::IpAddress& a) {
    return std::find(list.begin(), list.end(), a) != list.end();
  }
  static bool opens(const std::vector<config::ServicePort>& list, const policy::Packet& p) {
    for (const auto& each : list)
      if (each.protocol == p.protocol && each.first <= p.destination_port && p.destination_port <= each.last)
        return true;
    return false;
  }
  // 192.168.0.H of facility fN is seen as 100.64.N.H.
  [[nodiscard]] bool offered(const config::FacilityName& name, const policy::Packet& p) const {
    const auto& offer = named(name).offers[0];
    const auto seen = p.destination.octets();
    const auto real = offer.addresses[0].octets();
    return named(name).networks[0].seen_as.contains(p.destination) && seen[3] == real[3] && opens(offer.ports, p);
  }

  std::mt19937 random_;
  config::GatewayConfig config_;
};

}  // namespace

TEST_CASE("model: decide says what the configuration's words say") {
  std::size_t permitted = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    World world(seed);
    const auto plan = policy::compile(world.config(), at_second(kNow)).plan;
    REQUIRE(policy::verify(plan).empty());
    for (int i = 0; i < 500; ++i) {
      const policy::Packet packet = world.packet();
      const bool expected = world.permits(packet);
      permitted += expected ? 1 : 0;
      INFO("seed " << seed << ": " << packet.source.to_string() << " -> " << packet.destination.to_string() << " "
                   << int(packet.protocol) << "/" << packet.destination_port);
      REQUIRE(policy::decide(plan, packet, at_second(kNow)).allowed() == expected);
    }
  }
  CHECK(permitted > 1000);  // the worlds are not all closed
}
