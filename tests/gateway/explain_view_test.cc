// What accessd answers to `sekisho explain`: as the command line does about a file, but not about more than it has time
// for.
#include "gateway/daemon/explain_view.h"

#include <catch2/catch.hpp>

#include "policy/compile.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using daemon::explanation_view;

TEST_CASE("explain: who has others to serve answers about a bounded number of ends, and says how to ask for fewer") {
  const auto config = ::tests::sample_config();
  const auto now = ::tests::at_second(0);
  const auto plan = policy::compile(config, now).plan;
  const daemon::Asked asked{config, plan, plan, now, {}, {}};
  const auto& row = plan.permissions.at(0);
  const auto question = daemon::question_of(row.from_facility.text, row.name);
  REQUIRE(question);
  const auto whole = explanation_view(asked, *question);
  REQUIRE(whole);
  const auto ends = (*whole)["answers"].size();
  REQUIRE(ends > 0);
  const auto just = explanation_view(asked, *question, ends);
  REQUIRE(just);
  CHECK(*just == *whole);
  const auto refused = explanation_view(asked, *question, ends - 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().find("stand for " + std::to_string(ends) + " pairs") != std::string::npos);
  CHECK(refused.error().find("name an address or a port") != std::string::npos);
}

}  // namespace
}  // namespace gateway::tests
