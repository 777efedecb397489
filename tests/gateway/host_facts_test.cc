// What this machine is seen to have, in a network namespace of the test's own.
#include "gateway/os/host_facts.h"

#include <algorithm>

#include "tests/gateway/network_namespace.h"

using namespace gateway;

TEST_CASE("host facts: an interface that is down, or whose other end is, has no link") {
  const tests::NetworkNamespace alone;
  const auto dark = [](const std::string& name) {
    const auto facts = os::host_facts();
    REQUIRE(std::ranges::find(facts.interfaces, name) != facts.interfaces.end());
    return std::ranges::count(facts.without_link, name) == 1;
  };
  CHECK_FALSE(dark("dc0"));
  REQUIRE(tests::stranger("ip link set dc0p down") == 0);
  CHECK(dark("dc0"));
  CHECK_FALSE(dark("wan0"));
  REQUIRE(tests::stranger("ip link set dc0p up") == 0);
  CHECK_FALSE(dark("dc0"));
  REQUIRE(tests::stranger("ip link set dc0 down") == 0);
  CHECK(dark("dc0"));
}
