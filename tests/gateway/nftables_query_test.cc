// What is asked of nf_tables itself, beside what `nft` lists.
#include "gateway/os/nftables_query.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "tests/gateway/network_namespace.h"

namespace gateway::tests {
namespace {

using os::nftables_counters;
using os::nftables_flags;

TEST_CASE("nftables query: the named counters of one table, by name, also beyond 32 bits", "[fw]") {
  const NetworkNamespace space;
  CHECK(nftables_counters("sekisho")->empty());  // there is no such table
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  CHECK(nftables_counters("sekisho")->empty());
  REQUIRE(stranger("nft add counter inet sekisho detour { packets 5000000000 bytes 70000000000 ; }") == 0);
  REQUIRE(stranger("nft add counter inet sekisho already") == 0);
  REQUIRE(stranger("nft add quota inet sekisho none { over 9 mbytes ; }") == 0);  // another kind of object
  REQUIRE(stranger("nft add table inet other") == 0);
  REQUIRE(stranger("nft add counter inet other foreign") == 0);
  REQUIRE(stranger("nft add table ip sekisho") == 0);
  REQUIRE(stranger("nft add counter ip sekisho foreign") == 0);
  const auto found = nftables_counters("sekisho");
  REQUIRE(found.has_value());
  REQUIRE(found->size() == 2);
  CHECK(((*found)[0].name == "already" && (*found)[0].packets == 0 && (*found)[0].bytes == 0));
  CHECK(((*found)[1].name == "detour" && (*found)[1].packets == 5'000'000'000 && (*found)[1].bytes == 70'000'000'000));
}

TEST_CASE("nftables query: more counters than one answer holds", "[fw]") {
  const NetworkNamespace space;
  char file[] = "/tmp/sekisho-counters-XXXXXX";
  const int descriptor = mkstemp(file);
  REQUIRE(descriptor >= 0);
  close(descriptor);
  std::ofstream out(file);
  out << "table inet sekisho {\n";
  for (int i = 0; i < 1'500; ++i) out << "counter a_name_that_is_rather_long_" << i << " { }\n";
  out << "}\n";
  out.close();
  REQUIRE(stranger(std::string("nft -f ") + file) == 0);
  unlink(file);
  const auto found = nftables_counters("sekisho");
  REQUIRE(found.has_value());
  CHECK(found->size() == 1'500);
}

TEST_CASE("nftables query: the flags of a table, and that there is none", "[fw]") {
  const NetworkNamespace space;
  const auto none = nftables_flags("sekisho");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().number == ENOENT);
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  CHECK(*nftables_flags("sekisho") == 0);
  REQUIRE(stranger("nft add table inet sekisho { flags dormant; }") == 0);
  CHECK(*nftables_flags("sekisho") == 1);
}

}  // namespace
}  // namespace gateway::tests
