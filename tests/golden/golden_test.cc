// Configuration -> plan -> nft text, compared with files that people read in review.
// SEKISHO_UPDATE_GOLDEN=1 writes them anew.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "firewall/compile.h"
#include "firewall/diff.h"
#include "firewall/listing.h"
#include "firewall/render.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;

namespace {

std::string text(const policy::Plan& plan) {
  std::ostringstream out;
  for (const auto& row : plan.permissions)
    out << "permit " << row.rule.number << " " << row.source.to_string() << " -> " << row.destination.to_string() << " "
        << row.port.to_string() << (row.until ? " until end" : "") << "  # " << row.name << ": " << row.origin << "\n";
  for (const auto& route : plan.routes)
    out << "route " << static_cast<std::uint32_t>(route.table) << " " << route.destination.to_string() << " "
        << (route.interface.empty() ? "unreachable" : "dev " + route.interface)
        << (route.via ? " via " + route.via->to_string() : "") << "\n";
  for (const auto& rule : plan.rules)
    out << "rule " << rule.priority << " iif " << rule.incoming_interface << " mark " << rule.mark << " "
        << (rule.prohibit ? "prohibit" : "lookup " + std::to_string(static_cast<std::uint32_t>(rule.table))) << "\n";
  return out.str();
}

std::string file_text(const std::string& path) {
  std::ifstream file(SEKISHO_SOURCE_DIR + path);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

void check_golden(const std::string& name, const std::string& found) {
  const std::string path = std::string(SEKISHO_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("SEKISHO_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << found;
  INFO(name);
  CHECK(found == file_text("/tests/golden/" + name));
}

}  // namespace

TEST_CASE("golden: the sample configuration, its end of an exchange, and the closed table") {
  const auto plan = policy::compile(sample_config(), at_second(1)).plan;
  const auto later = policy::compile(sample_config(), at_second(kExchangeEnds)).plan;
  const auto rules = firewall::compile(plan);
  const auto closed = firewall::closed_rule_set(plan.outside_interface);
  check_golden("sample.plan", text(plan));
  check_golden("sample.nft", firewall::render_file(rules));
  check_golden("closed.nft", firewall::render_file(closed));
  check_golden("closed_without_a_plan.nft", firewall::render_file(firewall::closed_rule_set("")));
  check_golden("exchange_ends.nft", firewall::render(firewall::diff(rules, firewall::compile(later))));
  check_golden("exchange_begins.nft", firewall::render(firewall::diff(firewall::compile(later), rules)));
  check_golden("open.nft", firewall::render(firewall::diff(closed, rules)));
  // netd found its own table and trusts nothing of it: everything goes and comes again in one transaction.
  const auto listing = firewall::read_listing(file_text("/tests/fuzz/seeds/listing/sample.json"));
  REQUIRE(listing);
  check_golden("rebuild.nft", firewall::render(firewall::replace(*listing, rules)));
  check_golden("close.nft", firewall::render(firewall::diff(rules, closed)));
}
