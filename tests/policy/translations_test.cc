// Both addresses, wherever one is told.
#include <catch2/catch.hpp>

#include "policy/compile.h"
#include "policy/matrix.h"
#include "policy/translations.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using policy::Translations;

namespace {

policy::Plan plan_of() {
  policy::Plan plan;
  plan.facilities.resize(3);
  plan.facilities[0].networks = {{prefix("192.168.1.0/24"), prefix("100.64.2.0/24")},
                                 {prefix("fd00:1::/64"), prefix("2001:db8:1::/64")}};
  plan.facilities[1].networks = {{prefix("192.168.1.0/25"), prefix("100.64.1.128/25")}};
  plan.facilities[2].networks = {{prefix("10.2.0.0/24"), prefix("10.2.0.0/24")}};
  return plan;
}

}  // namespace

TEST_CASE("translations: what is seen has its real address, what nobody translates is itself") {
  const auto plan = plan_of();
  const Translations translations(plan);
  for (const auto& [seen, real] : std::vector<std::pair<std::string, std::string>>{{"100.64.2.9", "192.168.1.9"},
                                                                                   {"100.64.1.137", "192.168.1.9"},
                                                                                   {"100.64.1.127", "100.64.1.127"},
                                                                                   {"100.64.3.0", "100.64.3.0"},
                                                                                   {"10.2.0.7", "10.2.0.7"},
                                                                                   {"2001:db8:1::5", "fd00:1::5"},
                                                                                   {"192.168.1.9", "192.168.1.9"},
                                                                                   {"0.0.0.0", "0.0.0.0"},
                                                                                   {"::", "::"}}) {
    INFO(seen);
    CHECK(translations.real(address(seen)) == address(real));
    CHECK(policy::real_address(plan, address(seen)) == address(real));
  }
  CHECK(Translations().real(address("100.64.2.9")) == address("100.64.2.9"));
}

TEST_CASE("translations: prefixes as a whole, or not at all") {
  const Translations translations(plan_of());
  CHECK(translations.real(prefix("100.64.2.0/24")) == prefix("192.168.1.0/24"));
  CHECK(translations.real(prefix("100.64.2.64/26")) == prefix("192.168.1.64/26"));
  CHECK(translations.real(prefix("100.64.2.0/23")) == prefix("100.64.2.0/23"));
  CHECK(translations.text(prefix("100.64.2.5/32")) == "100.64.2.5 (192.168.1.5)");
  CHECK(translations.text(prefix("100.64.2.0/24")) == "100.64.2.0/24 (192.168.1.0/24)");
  CHECK(translations.text(prefix("10.2.0.0/24")) == "10.2.0.0/24");
}

TEST_CASE("translations: of a facility, from real to seen") {
  const auto plan = plan_of();
  CHECK(policy::seen_address(plan.facilities[1], address("192.168.1.9")) == address("100.64.1.137"));
  CHECK_FALSE(policy::seen_address(plan.facilities[1], address("192.168.1.129")));
}

TEST_CASE("matrix: each opening has the real prefixes beside the seen ones") {
  const auto config = sample_config();
  const auto plan = policy::compile(config, at_second(10)).plan;
  const Translations translations(plan);
  std::size_t translated = 0;
  for (const auto& opening : policy::matrix(config, plan, {}, at_second(10)).openings) {
    REQUIRE(opening.sources_real.size() == opening.sources.size());
    REQUIRE(opening.destinations_real.size() == opening.destinations.size());
    for (std::size_t i = 0; i < opening.sources.size(); ++i) {
      CHECK(opening.sources_real[i] == translations.real(opening.sources[i]));
      translated += opening.sources_real[i] != opening.sources[i];
    }
    for (std::size_t i = 0; i < opening.destinations.size(); ++i)
      CHECK(opening.destinations_real[i] == translations.real(opening.destinations[i]));
  }
  CHECK(translated > 0);
}
