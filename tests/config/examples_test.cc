// The published examples are good, whole, and mean what they say.
#include <catch2/catch.hpp>

#include "tests/config/support.h"

using namespace config_test;
using namespace config;

TEST_CASE("every example loads without a diagnostic") {
  for (const auto& example : examples()) {
    CAPTURE(example.name);
    const auto loaded = load(example.files, kNow);
    CHECK(all_text(loaded) == "");
  }
}

TEST_CASE("the example with two hospitals becomes these values") {
  const auto config = load(examples()[2].files, kNow).config;
  REQUIRE(config.facilities.size() == 2);
  const auto& hakodate = config.facilities[0];
  CHECK(hakodate.name.text == "hakodate");
  CHECK(hakodate.title == "函館総合病院");
  CHECK(hakodate.role == Role::kDisclosing);
  REQUIRE(hakodate.networks.size() == 2);
  CHECK(hakodate.networks[0].real.to_string() == "192.168.1.0/24");
  CHECK(hakodate.networks[0].seen_as.to_string() == "100.64.1.0/24");
  CHECK(hakodate.networks[1].real == hakodate.networks[1].seen_as);
  CHECK(hakodate.may_use.size() == 2);
  CHECK(hakodate.may_use_at[1] == Position{1, 8, 28});
  REQUIRE(hakodate.offers.size() == 1);
  CHECK(hakodate.offers[0].ports[1].to_string() == "tcp/104");
  CHECK(hakodate.tunnel.wireguard.endpoint->to_string() == "198.51.100.7:51820");
  CHECK(hakodate.tunnel.sources[1].to_string() == "2001:db8:7::/64");
  CHECK(hakodate.at == Position{1, 4, 5});
  const auto& matsumae = config.facilities[1].tunnel;
  CHECK(matsumae.wireguard.preshared_key_file == "keys/matsumae.psk");
  CHECK(matsumae.wireguard.persistent_keepalive_seconds == 25);
  CHECK(matsumae.mtu == 1280);
  // 2030-04-01 00:00 in Tokyo is 15:00 UTC of the day before.
  CHECK(matsumae.wireguard.exception->until.time_since_epoch() == std::chrono::seconds(1901199600));
  CHECK(config.gateway.inside.next_hops[0].to_string() == "10.80.255.1");
  CHECK(config.gateway.wireguard.port == 51820);
  CHECK(config.tests.size() == 5);
  CHECK(config.tests[4].from == "inside:relay");
  CHECK(config.inside_may_reach[0].offer.text == "images");
}
