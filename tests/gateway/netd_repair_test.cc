// netd against the real kernel, when something went wrong: rules that could not be read back, and strangers' rules that
// take packets before ours. A gateway without a mistake: netd_kernel_test.cc.
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "firewall/compile.h"
#include "firewall/kernel_listing.h"
#include "gateway/daemon/netd_kernel.h"
#include "gateway/os/sysctl.h"
#include "policy/compile.h"
#include "tests/gateway/network_namespace.h"
#include "tests/gateway/opened_kernel.h"
#include "tests/gateway/patience.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using daemon::NetdKernel;
using daemon::NetdRules;

policy::Plan sample_plan() {
  return policy::compile(::tests::sample_config(), ::tests::at_second(1)).plan;
}

constexpr const char* kNeverReadBack = "198.51.100.77";

// Installed, but never read back as it was meant by kernels of this test.
policy::Plan plan_not_read_back() {
  auto plan = sample_plan();
  plan.permissions.clear();
  plan.facilities[0].sources = {*config::value::Prefix::parse(kNeverReadBack)};
  return plan;
}

os::OsResult<std::vector<std::string>> one_missing(os::NftablesTable& table, const firewall::RuleSet& wanted) {
  for (const auto& set : wanted.sets)
    if (std::ranges::count(set.elements, kNeverReadBack) != 0) return std::vector<std::string>{"one is missing"};
  return daemon::listed_differences(table, wanted);
}

bool has_rule(const std::string& family, const std::string& pref) {
  // asks by taking it away: the last question of a test
  return stranger("ip " + family + " rule del pref " + pref) == 0;
}

}  // namespace

TEST_CASE("netd: rules that cannot be read back give way to the old plan's", "[fw]") {
  const NetworkNamespace space;
  const auto plan = sample_plan();
  auto kernel = opened(plan, one_missing);
  const auto failed = kernel.apply(plan_not_read_back());
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().to_string().find("does not hold what was installed") != std::string::npos);
  CHECK(holds(firewall::compile(plan)));
  CHECK(kernel.check_parameters().drifts.empty());  // once a second
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: rules that cannot be read back give way to the closed ones when no plan ran yet", "[fw]") {
  const NetworkNamespace space;
  auto kernel = NetdKernel::open(one_missing);
  REQUIRE(kernel.has_value());
  REQUIRE_FALSE(kernel->apply(plan_not_read_back()).has_value());
  const auto told = kernel->check_parameters();
  REQUIRE_FALSE(told.drifts.empty());
  CHECK(holds(firewall::closed_rule_set("")));
}

TEST_CASE("netd: after rules that could not be read back, a stranger's change is still put back", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // a plain table, that strangers can change
  const auto plan = sample_plan();
  auto kernel = opened(plan, one_missing);
  REQUIRE_FALSE(kernel.apply(plan_not_read_back()).has_value());
  (void)kernel.check_parameters();
  (void)kernel.repair();
  REQUIRE(stranger("nft flush ruleset") == 0);
  const auto repairs = repaired(kernel);
  REQUIRE_FALSE(repairs.drifts.empty());
  INFO(repairs.drifts[0].what);
  CHECK(repairs.drifts[0].program == "nft");
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: a stranger's rule that takes our packets before ours goes, and is told", "[fw]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  const std::string family = GENERATE("-4", "-6");
  const std::string what = GENERATE("lookup main", "iif sekisho0 lookup main", "iif dc0 lookup 99",
                                    "iif wan0 lookup 99", "fwmark 0x80000000/0x80000000 lookup main", "prohibit",
                                    "tos 0x10 lookup 99", "pref 7109 iif sekisho0 lookup 99");
  const std::string pref = what.starts_with("pref") ? "" : "pref 100 ";
  INFO(family << " " << what);
  REQUIRE(stranger("ip " + family + " rule add " + pref + what) == 0);
  const auto repairs = repaired(kernel);
  REQUIRE(repairs.drifts.size() == 1);
  CHECK(repairs.drifts[0].repaired);
  CHECK(repairs.drifts[0].what.find("of others diverts our packets") != std::string::npos);
  CHECK_FALSE(has_rule(family, pref.empty() ? "7109" : "100"));
}

TEST_CASE("netd: a stranger's rule from a source of ours goes, from another source it stays", "[fw]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  const auto [source, stays] = GENERATE(Catch::Generators::table<std::string, bool>(
      {{"10.2.0.0/24", false}, {"10.2.0.7", false}, {"10.0.0.0/8", false}, {"192.0.2.10", true}}));
  INFO(source);
  REQUIRE(stranger("ip rule add pref 100 from " + source + " lookup 99") == 0);
  CHECK(repaired(kernel).drifts.empty() == stays);
  CHECK(has_rule("-4", "100") == stays);
}

TEST_CASE("netd: a stranger's rule that cannot take our packets stays", "[fw]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  const std::string what =
      GENERATE("pref 100 iif lo lookup 99", "pref 100 iif eth9 lookup 99", "pref 100 oif wan0 lookup 99",
               "pref 100 fwmark 0x80000/0xff0000 lookup main", "pref 7141 lookup 99", "pref 100 l3mdev");
  INFO(what);
  REQUIRE(stranger("ip rule add " + what) == 0);
  CHECK(repaired(kernel).drifts.empty());
  CHECK(has_rule("-4", what.starts_with("pref 7141") ? "7141" : "100"));
}

TEST_CASE("netd: a stranger's rule from before the start goes with the plan, and is told at the next check", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("ip rule add pref 100 lookup main") == 0);
  auto kernel = opened(sample_plan());
  const auto told = kernel.check_parameters();
  REQUIRE(told.drifts.size() == 1);
  CHECK(told.drifts[0].what.find("rule IPv4 100 from all lookup 254") != std::string::npos);
  CHECK_FALSE(has_rule("-4", "100"));
  CHECK(kernel.check_parameters().drifts.empty());
}

// gateway.live.repair is about what differs between two applies.
TEST_CASE("netd: a stranger's rule goes with an apply also where nothing is repaired, and is only told between",
          "[fw]") {
  const NetworkNamespace space;
  auto plan = sample_plan();
  plan.live.repair = false;
  auto kernel = opened(plan);
  REQUIRE(stranger("ip rule add pref 100 iif sekisho0 lookup main") == 0);
  (void)repaired(kernel);
  REQUIRE(has_rule("-4", "100"));  // left as it is; the question took it away
  REQUIRE(stranger("ip rule add pref 100 iif sekisho0 lookup main") == 0);
  REQUIRE(kernel.apply(plan).has_value());
  const auto told = kernel.check_parameters();
  REQUIRE(told.drifts.size() == 1);
  CHECK(told.drifts[0].repaired);
  CHECK(told.drifts[0].what.find("of others diverts our packets") != std::string::npos);
  CHECK_FALSE(has_rule("-4", "100"));
}

TEST_CASE("netd: the queues of fragments are widened and their time cut; wider ones stay", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(os::write_sysctl("net/ipv4/ipfrag_time", "5").has_value());
  REQUIRE(os::write_sysctl("net/ipv6/ip6frag_high_thresh", "67108864").has_value());
  auto kernel = opened(sample_plan());
  CHECK(*os::read_sysctl("net/ipv4/ipfrag_high_thresh") == "33554432");
  CHECK(*os::read_sysctl("net/netfilter/nf_conntrack_frag6_high_thresh") == "33554432");
  CHECK(*os::read_sysctl("net/netfilter/nf_conntrack_frag6_timeout") == "10");
  CHECK(*os::read_sysctl("net/ipv4/ipfrag_time") == "5");
  CHECK(*os::read_sysctl("net/ipv6/ip6frag_high_thresh") == "67108864");
}

namespace {

bool is_asleep() {
  auto table = os::NftablesTable::open();
  const auto text = table->list_rules();
  const auto all = text ? firewall::read_ruleset(*text) : std::unexpected(std::string());
  return !all || std::ranges::any_of(*all, firewall::is_dormant);
}

}  // namespace

TEST_CASE("netd: a table of nobody's own that was put to sleep is awake again", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  const auto plan = sample_plan();
  auto kernel = opened(plan);
  REQUIRE(stranger("nft add table inet sekisho { flags dormant; }") == 0);
  REQUIRE(is_asleep());
  const auto repairs = repaired(kernel);
  REQUIRE_FALSE(repairs.drifts.empty());
  INFO(repairs.drifts[0].what);
  CHECK(repairs.drifts[0].repaired);
  CHECK_FALSE(is_asleep());
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: a table that sleeps already at the start is awake before anything else", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho { flags dormant; }") == 0);
  REQUIRE(is_asleep());
  auto kernel = NetdKernel::open();
  REQUIRE(kernel.has_value());
  CHECK_FALSE(is_asleep());
}

TEST_CASE("netd: a table that is taken away before there is a plan is closed at once", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // a plain one, as kernels before 6.9 have
  {
    const auto before = opened(sample_plan());
  }
  auto kernel = daemon::NetdKernel::open();
  REQUIRE(kernel.has_value());
  CHECK(holds(firewall::compile(sample_plan())));  // what the last one left stays
  const std::string what = GENERATE("nft flush ruleset", "nft delete table inet sekisho");
  REQUIRE(stranger(what) == 0);
  const auto repairs = repaired(*kernel);
  CHECK(repairs.drifts.size() == 1);
  CHECK(holds(firewall::closed_rule_set("")));
}

namespace {

// More than is listed while orders wait.
firewall::RuleSet long_rules() {
  auto rules = firewall::closed_rule_set("");
  firewall::Set many{"many", "set", "ipv4_addr", "", {}};
  for (int i = 0; i <= 20'000; ++i)
    many.elements.push_back("10.7." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  std::ranges::sort(many.elements);
  rules.sets.push_back(std::move(many));
  return rules;
}

}  // namespace

TEST_CASE("netd rules: a long table that cannot be read back is not one that differs, and is looked at again", "[fw]") {
  const NetworkNamespace space;
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  const auto wanted = long_rules();
  REQUIRE(rules->install(wanted).has_value());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);  // no pipe to a child
  rules->confirm();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(rules->unread().empty());
  CHECK_FALSE(rules->uncertain());
  CHECK(rules->elements() == NetdRules::elements_of(wanted));  // it is not thrown away
  CHECK(eventually([&] { return rules->confirm(), rules->unread().empty(); }));
  CHECK_FALSE(rules->uncertain());
}

TEST_CASE("netd rules: a long table is read back beside, and what differs makes the next install replace it", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // a plain table, that strangers can change
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  CHECK(rules->quick_to_list());
  const auto wanted = long_rules();
  REQUIRE(rules->install(wanted).has_value());
  CHECK_FALSE(rules->quick_to_list());
  const bool changed = GENERATE(false, true);
  CAPTURE(changed);
  if (changed) REQUIRE(stranger("nft delete element inet sekisho many { 10.7.0.1 }") == 0);
  CHECK_FALSE(rules->uncertain());  // not read back yet
  const auto patience = changed ? kPatience : std::chrono::seconds(3);
  CHECK(eventually([&] { return rules->confirm(), rules->uncertain(); }, std::chrono::milliseconds(30), patience) ==
        changed);
  CHECK(rules->install(wanted).has_value());
  CHECK_FALSE(rules->uncertain());
  CHECK(rules->differences()->empty());
  CHECK(holds(wanted));
}

TEST_CASE("netd rules: what a change that failed has left is never taken for the next one's", "[fw]") {
  const NetworkNamespace space;
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  const auto closed = firewall::closed_rule_set("");
  REQUIRE(rules->install(closed).has_value());
  auto broken = long_rules();
  broken.sets.back().elements.emplace_back("192.0.2.99");
  broken.chains.push_back({"extra", "", {"no rule of anybody"}});
  REQUIRE_FALSE(rules->install(broken).has_value());  // its set is filled by then
  CHECK(rules->install(long_rules()).has_value());
  CHECK(holds(long_rules()));
  CHECK_FALSE(rules->uncertain());
}

TEST_CASE("netd rules: a long table whose content is not known is made right, whatever was in its sets", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // a plain table, that strangers can change
  {
    auto before = daemon::NetdRules::open();
    REQUIRE(before.has_value());
    REQUIRE(before->install(long_rules()).has_value());
  }
  REQUIRE(stranger("nft add element inet sekisho many { 192.0.2.99 }") == 0);
  REQUIRE(stranger("nft delete element inet sekisho many { 10.7.0.1 }") == 0);
  REQUIRE(stranger("nft add set inet sekisho foreign { type ipv4_addr; }") == 0);
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  REQUIRE(rules->install(long_rules()).has_value());
  CHECK(holds(long_rules()));
}

TEST_CASE("netd rules: of a change that is refused nothing more passes than before, also where the table was not known",
          "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  {
    auto before = daemon::NetdRules::open();
    REQUIRE(before.has_value());
    REQUIRE(before->install(long_rules()).has_value());
  }
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  auto broken = long_rules();
  broken.sets.back().elements.emplace_back("192.0.2.99");
  broken.chains.push_back({"extra", "", {"no rule of anybody"}});
  REQUIRE_FALSE(rules->install(broken).has_value());
  CHECK(rules->uncertain());
  CHECK(holds(long_rules()));
}

TEST_CASE("netd rules: a stranger's map that goes to a chain of ours does not keep it from being made anew", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  const auto wanted = firewall::compile(sample_plan());
  REQUIRE(rules->install(wanted).has_value());
  REQUIRE(
      stranger(
          "nft add map inet sekisho x { type ipv4_addr : verdict; elements = { 192.0.2.1 : goto drop_detour }; }") ==
      0);
  REQUIRE(rules->repair(true).has_value());
  CHECK(holds(wanted));
}

TEST_CASE("netd rules: somebody who writes to other tables all the time makes no change fail", "[fw]") {
  const NetworkNamespace space;
  bool disturbed = true;
  auto rules = daemon::NetdRules::open([&](os::NftablesTable& table, const firewall::RuleSet& wanted) {
    if (disturbed) return os::OsResult<std::vector<std::string>>(std::unexpected(os::OsError{EAGAIN, "changed"}));
    return daemon::listed_differences(table, wanted);
  });
  REQUIRE(rules.has_value());
  const auto wanted = firewall::compile(sample_plan());
  REQUIRE(rules->install(wanted).has_value());
  CHECK_FALSE(rules->uncertain());
  rules->confirm();
  CHECK_FALSE(rules->uncertain());
  REQUIRE(rules->install(firewall::closed_rule_set("")).has_value());
  disturbed = false;
  rules->confirm();
  CHECK_FALSE(rules->uncertain());
  CHECK(holds(firewall::closed_rule_set("")));
}

TEST_CASE("netd rules: what a stranger is known to have changed is put back also where nothing can be listed", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  bool disturbed = false;
  auto rules = daemon::NetdRules::open([&](os::NftablesTable& table, const firewall::RuleSet& wanted) {
    if (disturbed) return os::OsResult<std::vector<std::string>>(std::unexpected(os::OsError{EAGAIN, "changed"}));
    return daemon::listed_differences(table, wanted);
  });
  REQUIRE(rules.has_value());
  const auto wanted = firewall::compile(sample_plan());
  REQUIRE(rules->install(wanted).has_value());
  REQUIRE(stranger("nft add rule inet sekisho forward accept") == 0);
  CHECK_FALSE(holds(wanted));
  disturbed = true;
  CHECK(rules->repair(false).has_value());  // nothing is known: it is looked at later, and why not now is told
  rules->confirm();
  CHECK_FALSE(rules->unread().empty());
  CHECK_FALSE(holds(wanted));
  CHECK(rules->repair(true)->size() == 1);
  CHECK(holds(wanted));
}

TEST_CASE("netd rules: a repair that fails is not forgotten", "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  auto rules = daemon::NetdRules::open();
  REQUIRE(rules.has_value());
  const auto wanted = firewall::compile(sample_plan());
  REQUIRE(rules->install(wanted).has_value());
  REQUIRE(stranger("nft add rule inet sekisho forward accept") == 0);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);  // nothing can be asked
  CHECK_FALSE(rules->repair(true).has_value());
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(rules->uncertain());
  rules->confirm();
  CHECK(rules->uncertain());
  REQUIRE(rules->install(wanted).has_value());
  CHECK(holds(wanted));
}

}  // namespace gateway::tests
