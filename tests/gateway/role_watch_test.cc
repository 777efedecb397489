// Flows that do not fit a declared role.
#include <catch2/catch.hpp>

#include "gateway/audit/role_watch.h"

using config::value::Instant;
using gateway::audit::Record;
using gateway::audit::RoleWatch;
using namespace std::chrono_literals;

namespace {

config::GatewayConfig config_of(config::Role matsumae) {
  config::GatewayConfig config;
  config.facilities.resize(2);
  config.facilities[0].name.text = "hakodate", config.facilities[0].role = config::Role::kDisclosing;
  config.facilities[1].name.text = "matsumae", config.facilities[1].role = matsumae;
  return config;
}

Record flow(const char* direction, const char* facility, const char* other = "", const char* kind = "flow.begin") {
  Record record{kind, {{"direction", direction}, {"facility", facility}}};
  if (*other != '\0') record.fields["other_facility"] = other;
  for (const auto* field : {"source", "destination", "destination_real", "protocol", "rule_origin"})
    record.fields[field] = field;
  return record;
}

}  // namespace

TEST_CASE("role watch: a flow into a facility that only reads is said, with who opened it and by which line") {
  RoleWatch watch;
  watch.set_config(config_of(config::Role::kViewing));
  const auto said = watch.look({flow("facility-to-facility", "hakodate", "matsumae")}, Instant(1h));
  REQUIRE(said.size() == 1);
  CHECK(said[0] ==
        "a flow into matsumae, whose role is viewing: from hakodate, source -> destination "
        "(destination_real) protocol, by rule_origin");
  RoleWatch other;
  other.set_config(config_of(config::Role::kViewing));
  CHECK(other.look({flow("inside-to-facility", "matsumae")}, Instant(1h)).at(0).find("from inside") !=
        std::string::npos);
}

TEST_CASE("role watch: what fits is not said") {
  RoleWatch watch;
  watch.set_config(config_of(config::Role::kViewing));
  CHECK(watch
            .look({flow("facility-to-service", "matsumae"), flow("facility-to-facility", "matsumae", "hakodate"),
                   flow("inside-to-facility", "hakodate"),
                   flow("facility-to-facility", "hakodate", "matsumae", "flow.end"), Record{"flow.begin", {}}},
                  Instant(1h))
            .empty());
  watch.set_config(config_of(config::Role::kDisclosing));
  CHECK(watch.look({flow("inside-to-facility", "matsumae")}, Instant(1h)).empty());
}

TEST_CASE("role watch: once in an hour for each facility") {
  RoleWatch watch;
  watch.set_config(config_of(config::Role::kViewing));
  const auto into = flow("inside-to-facility", "matsumae");
  CHECK(watch.look({into, into}, Instant(1h)).size() == 1);
  CHECK(watch.look({into}, Instant(2h) - 1ns).empty());
  CHECK(watch.look({into}, Instant(2h)).size() == 1);
  watch.set_config(config_of(config::Role::kViewing));  // a reload does not begin anew
  CHECK(watch.look({into}, Instant(2h + 1s)).empty());
}
