// What netd tells of a real kernel, and that it leaves alone what the plan says is to be left.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "firewall/compile.h"
#include "firewall/diff.h"
#include "firewall/elements.h"
#include "firewall/kernel_listing.h"
#include "firewall/table_edits.h"
#include "gateway/core/codec.h"
#include "gateway/core/live_routes.h"
#include "gateway/daemon/netd_kernel.h"
#include "gateway/daemon/netd_state_reader.h"
#include "gateway/os/clock.h"
#include "gateway/os/kernel_facts.h"
#include "gateway/os/sysctl.h"
#include "policy/compile.h"
#include "policy/isolation.h"
#include "tests/gateway/network_namespace.h"
#include "tests/gateway/opened_kernel.h"
#include "tests/gateway/patience.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using daemon::NetdKernel;
using daemon::NetdStateReader;

policy::Plan sample_plan(bool repair = true) {
  auto plan = policy::compile(::tests::sample_config(), ::tests::at_second(1)).plan;
  plan.live.repair = repair;
  return plan;
}

core::KernelState state_of(NetdKernel& kernel) {
  auto state = kernel.state_reader()();
  INFO(state.error);
  REQUIRE(state.error.empty());
  return state;
}

const policy::KernelRoute* route_to(const core::KernelState& state, std::uint32_t table, const char* to) {
  const auto prefix = *config::value::Prefix::parse(to);
  const auto found = std::ranges::find_if(
      state.routes.routes, [&](const auto& each) { return each.table == table && each.destination == prefix; });
  return found == state.routes.routes.end() ? nullptr : &*found;
}

TEST_CASE("netd state: what it tells of a kernel that it has set up is the plan", "[osn]") {
  const NetworkNamespace space;
  const auto plan = sample_plan();
  auto kernel = opened(plan);
  const auto state = state_of(kernel);
  CHECK_FALSE(state.closed);
  const auto tables = firewall::read_ruleset(state.ruleset);
  REQUIRE(tables.has_value());
  REQUIRE(tables->size() == 1);
  for (const auto& edit : firewall::edits(firewall::compile(plan), firewall::installed(tables->at(0), state.sets)))
    FAIL_CHECK(edit.object << ": " << edit.text);
  for (const auto& difference : core::route_differences(plan, state.routes)) FAIL_CHECK(core::to_sentence(difference));
  for (const char* name : {"lo", "wan0", "dc0", "sekisho0"}) {
    const auto link = std::ranges::find(state.links, name, &core::KernelLink::name);
    REQUIRE(link != state.links.end());
    CHECK((link->up && link->disciplines.empty() && link->master.empty()));
    if (std::string(name) == "sekisho0") CHECK(link->index == state.tun_index);
  }
  CHECK(state.parameters.size() > 20);
  for (const auto& each : state.parameters) {
    CAPTURE(each.path);
    if (each.ours) CHECK(each.value == each.wanted);
    if (each.path.find("/conf/sekisho0/") != std::string::npos) CHECK(each.ours);
  }
}

TEST_CASE("netd state: routes, rules, addresses, links and parameters of others are told as they are", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  REQUIRE(stranger("ip addr add 192.0.2.7/24 dev dc0") == 0);
  REQUIRE(stranger("ip route add 198.51.100.0/24 via 192.0.2.1 dev dc0 table 99 metric 5 mtu 1300") == 0);
  REQUIRE(stranger("ip route add blackhole 198.51.101.0/24") == 0);
  REQUIRE(stranger("ip rule add pref 20000 from 192.0.2.0/24 fwmark 0x10/0xf0 lookup 99 suppress_prefixlength 8") == 0);
  REQUIRE(stranger("ip rule add pref 20001 not iif dc0 ipproto udp dport 53 prohibit") == 0);
  REQUIRE(stranger("ip link add br0 type bridge") == 0);
  REQUIRE(stranger("ip link set dc0p master br0") == 0);
  REQUIRE(stranger("tc qdisc add dev wan0 clsact") == 0);
  const auto state = state_of(kernel);
  CHECK(std::ranges::any_of(state.addresses, [](const auto& each) {
    return each.interface == "dc0" && each.address.to_string() == "192.0.2.7" && each.length == 24;
  }));
  const auto* route = route_to(state, 99, "198.51.100.0/24");
  REQUIRE(route != nullptr);
  CHECK(policy::to_text(*route) == "198.51.100.0/24 via 192.0.2.1 dev dc0 table 99 metric 5 mtu 1300");
  CHECK(route->plain);
  REQUIRE(route_to(state, policy::kMainTable, "198.51.101.0/24") != nullptr);
  CHECK(route_to(state, policy::kMainTable, "198.51.101.0/24")->type == policy::KernelRoute::Type::kNowhere);
  REQUIRE(route_to(state, policy::kLocalTable, "192.0.2.7/32") != nullptr);
  CHECK(route_to(state, policy::kLocalTable, "192.0.2.7/32")->type == policy::KernelRoute::Type::kLocal);
  const auto rule = std::ranges::find(state.routes.rules, 20000u, &policy::KernelRule::priority);
  REQUIRE(rule != state.routes.rules.end());
  CHECK(policy::to_text(*rule) == "20000: from 192.0.2.0/24 fwmark 0x10/0xf0 lookup 99 suppress_prefixlength 8");
  CHECK(rule->plain);
  const auto odd = std::ranges::find(state.routes.rules, 20001u, &policy::KernelRule::priority);
  REQUIRE(odd != state.routes.rules.end());
  CHECK((!odd->plain && odd->inverted && odd->incoming == "dc0"));
  CHECK(policy::to_text(*odd).find("ipproto dport") != std::string::npos);
  CHECK(std::ranges::find(state.links, "dc0p", &core::KernelLink::name)->master == "br0");
  CHECK(std::ranges::find(state.links, "wan0", &core::KernelLink::name)->disciplines ==
        std::vector<std::string>{"qdisc clsact"});
}

NetdStateReader::Octets answer_of(NetdStateReader& reader) {
  for (const auto end = os::boot_now() + kPatience; os::boot_now() < end;) {
    pollfd waiting{reader.descriptor(), POLLIN, 0};
    (void)poll(&waiting, 1, 200);
    if (auto octets = reader.answer(os::boot_now())) return *std::move(octets);
  }
  FAIL("no answer");
  return {};
}

TEST_CASE("netd state: who wrote our table is told however many other tables come", "[osn]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // not our own: strangers may write it
  auto kernel = opened(sample_plan());
  REQUIRE(stranger("nft add chain inet sekisho theirs") == 0);
  (void)repaired(kernel);
  for (int i = 0; i < 40; ++i) REQUIRE(stranger("nft add table inet zz" + std::to_string(100 + i)) == 0);
  (void)kernel.repair();
  const auto state = state_of(kernel);
  CHECK(state.writers.size() == 32);
  CHECK(std::ranges::count(state.writers, "sekisho", &core::TableWriter::table) == 1);
}

TEST_CASE("netd state: it is read in a child, while netd goes on, and is the same", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  NetdStateReader reader;
  CHECK_FALSE(reader.end("nothing is under way"));
  const auto read_here = [&] {
    auto state = state_of(kernel);
    state.id = 7;
    return core::encode(state);
  };
  bool still = false, same = false;
  for (int i = 0; i < 20 && !still; ++i) {  // until no interface gets a link-local address while it is read
    const auto before = read_here();
    REQUIRE(reader.start(7, kernel.state_reader(), os::boot_now()).has_value());
    const auto told = core::decode<core::KernelState>(answer_of(reader));
    REQUIRE(told.has_value());
    CHECK_FALSE(reader.running());
    CHECK((told->id == 7 && told->error.empty() && told->tun_index != 0));
    still = before == read_here();
    same = core::encode(*told) == before;
  }
  CHECK((still && same));
}

TEST_CASE("netd state: a change ends the reading at once, and who asked is told why", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  NetdStateReader reader;
  const auto for_ever = []() -> core::KernelState {
    for (;;) pause();
  };
  REQUIRE(reader.start(8, for_ever, os::boot_now()).has_value());
  CHECK_FALSE(reader.answer(os::boot_now()));
  const auto ended = reader.end("a change came first");
  REQUIRE(ended.has_value());
  CHECK_FALSE(reader.running());
  const auto told = core::decode<core::KernelState>(*ended);
  REQUIRE(told.has_value());
  CHECK((told->id == 8 && told->error == "a change came first"));
  REQUIRE(reader.start(
                    9, [] { return core::KernelState(); }, os::boot_now())
              .has_value());  // and another question is answered
  CHECK(core::decode<core::KernelState>(answer_of(reader))->id == 9);
}

TEST_CASE("netd state: a reader that is late is ended, and who asked is told") {
  NetdStateReader reader;
  const auto began = os::boot_now();
  const auto for_ever = []() -> core::KernelState {
    for (;;) pause();
  };
  REQUIRE(reader.start(5, for_ever, began).has_value());
  CHECK_FALSE(reader.answer(began + os::ForkedWorker::kMostTime - std::chrono::seconds(1)));
  const auto told = reader.answer(began + os::ForkedWorker::kMostTime);
  REQUIRE(told.has_value());
  CHECK_FALSE(reader.running());
  const auto late = core::decode<core::KernelState>(*told);
  REQUIRE(late.has_value());
  CHECK(late->id == 5);
  CHECK(late->error.find("took longer than 60 s") != std::string::npos);
}

TEST_CASE("netd state: what is longer than a message, or whose reader dies, is told as an error") {
  NetdStateReader small(200'000);
  REQUIRE(small
              .start(
                  3,
                  [] {
                    core::KernelState state;
                    state.ruleset.assign(300'000, 'x');
                    return state;
                  },
                  os::boot_now())
              .has_value());
  const auto long_one = core::decode<core::KernelState>(answer_of(small));
  REQUIRE(long_one.has_value());
  CHECK((long_one->id == 3 && long_one->ruleset.empty()));
  CHECK(long_one->error.find("no more than 200000 can be told") != std::string::npos);
  NetdStateReader dies;
  REQUIRE(dies.start(4, []() -> core::KernelState { _exit(9); }, os::boot_now()).has_value());
  CHECK(core::decode<core::KernelState>(answer_of(dies))->error.find("status 9") != std::string::npos);
}

TEST_CASE("netd state: tables of iptables-legacy are named, where the kernel has any") {
  char folder[] = "/tmp/sekisho-legacy-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string directory = folder;
  CHECK(os::legacy_tables(directory)->empty());
  std::ofstream(directory + "/ip_tables_names") << "nat\nfilter\n";
  std::ofstream(directory + "/ip6_tables_names") << "";
  using Tables = std::vector<std::pair<std::string, std::string>>;
  CHECK(*os::legacy_tables(directory) == Tables{{"ip", "nat"}, {"ip", "filter"}});
  std::filesystem::remove_all(directory);
}

TEST_CASE("netd state: what holds for every interface of the host is told, and not set", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  const std::string path = GENERATE("net/ipv4/conf/all/proxy_arp", "net/ipv4/conf/all/route_localnet",
                                    "net/ipv4/conf/all/accept_local", "net/ipv6/conf/all/proxy_ndp");
  REQUIRE(os::write_sysctl(path, "1").has_value());
  CHECK(kernel.check_parameters().drifts.empty());
  const auto state = state_of(kernel);
  const auto told = std::ranges::find(state.parameters, path, &core::KernelParameter::path);
  REQUIRE(told != state.parameters.end());
  CHECK((told->value == "1" && told->wanted == "0" && !told->ours));
  CHECK(os::read_sysctl(path) == "1");
}

TEST_CASE("netd state: a route by a next-hop object that the kernel does not resolve leads nobody knows where",
          "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  REQUIRE(os::write_sysctl("net/ipv4/nexthop_compat_mode", "0").has_value());
  REQUIRE(stranger("ip nexthop add id 7 dev dc0") == 0);
  REQUIRE(stranger("ip route add 10.2.0.0/24 nhid 7") == 0);
  const auto state = state_of(kernel);
  const auto* route = route_to(state, policy::kMainTable, "10.2.0.0/24");
  REQUIRE(route != nullptr);
  CHECK((route->type == policy::KernelRoute::Type::kOther || !route->hops.empty()));
  CHECK(route->type == policy::KernelRoute::Type::kOther);
  CHECK(policy::to_text(*route).find("nhid 7") != std::string::npos);
}

TEST_CASE("netd state: filters of the queues of our interfaces are told", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  REQUIRE(stranger("tc qdisc add dev dc0 root handle 1: htb") == 0);
  const auto disciplines = [&] {
    const auto state = state_of(kernel);
    return std::ranges::find(state.links, "dc0", &core::KernelLink::name)->disciplines;
  };
  CHECK(disciplines().empty());
  REQUIRE(stranger("tc filter add dev dc0 parent 1: protocol ip u32 match u32 0 0 flowid 1:1") == 0);
  CHECK(disciplines() == std::vector<std::string>{"filter u32"});
}

TEST_CASE("netd state: who changed nftables is told, of each table", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(sample_plan());
  REQUIRE(stranger("nft add table ip theirs") == 0);
  const auto repairs = repaired(kernel);
  REQUIRE(repairs.touched.has_value());
  CHECK(repairs.touched->by.program == "nft");
  CHECK(repairs.drifts.empty());
  const auto state = state_of(kernel);
  REQUIRE(state.writers.size() == 1);
  CHECK((state.writers[0].table == "theirs" && state.writers[0].by.program == "nft" && state.writers[0].by.pid != 0));
}

TEST_CASE("netd: what differs is left and told once where the plan says so, and an apply puts it back", "[osn]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // nobody's own: a stranger may change it
  const auto plan = sample_plan(false);
  auto kernel = opened(plan);
  REQUIRE(stranger("ip route del 10.80.0.10/32 table 7101") == 0);
  auto repairs = repaired(kernel);
  REQUIRE(repairs.drifts.size() == 1);
  CHECK(repairs.drifts[0].what == "route 10.80.0.10/32 table 7101 missing");
  CHECK_FALSE(repairs.drifts[0].repaired);
  CHECK(route_to(state_of(kernel), 7101, "10.80.0.10/32") == nullptr);
  REQUIRE(stranger("nft add element inet sekisho reach4 { 10.80.0.77 }") == 0);
  repairs = repaired(kernel);
  REQUIRE_FALSE(repairs.drifts.empty());
  CHECK(repairs.drifts[0].what == "element 10.80.0.77 of reach4 is not ours");
  CHECK((!repairs.drifts[0].repaired && repairs.drifts[0].program == "nft"));
  REQUIRE(os::write_sysctl("net/ipv4/conf/dc0/send_redirects", "1").has_value());
  CHECK(kernel.check_parameters().drifts.size() == 1);
  CHECK(kernel.check_parameters().drifts.empty());  // once
  CHECK(os::read_sysctl("net/ipv4/conf/dc0/send_redirects") == "1");
  REQUIRE(kernel.apply(plan).has_value());
  CHECK(route_to(state_of(kernel), 7101, "10.80.0.10/32") != nullptr);
  CHECK(os::read_sysctl("net/ipv4/conf/dc0/send_redirects") == "0");
}

TEST_CASE("netd: a cut of a table that was left changed cuts one facility, and not what a stranger changed", "[osn]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);  // nobody's own: a stranger may change it
  const auto plan = sample_plan(false);
  auto kernel = opened(plan);
  const auto isolate = [&](const std::string& name) { return kernel.cut({{}, false, {{name}}}); };
  REQUIRE(plan.facilities.size() > 1);
  SECTION("what is to be taken away is gone already") {
    REQUIRE(stranger("nft flush set inet sekisho facility4") == 0);
    REQUIRE(stranger("nft flush set inet sekisho facility6") == 0);
  }
  SECTION("a row of a stranger's") {
    REQUIRE(stranger("nft add element inet sekisho reach4 { 10.80.0.77 }") == 0);
    REQUIRE(isolate(plan.facilities[0].name.text).has_value());  // before the event is read
    REQUIRE(stranger("nft add element inet sekisho reach4 { 10.80.0.78 }") == 0);
  }
  (void)repaired(kernel);
  REQUIRE(isolate(plan.facilities[0].name.text).has_value());
  CHECK_FALSE(state_of(kernel).closed);
  CHECK(kernel.plan()->facilities[0].isolated);
  for (const auto& set : state_of(kernel).sets)
    for (const char* row : {"10.80.0.77", "10.80.0.78"}) CHECK(std::ranges::count(set.elements, row) == 0);
  CHECK(holds(firewall::compile(*kernel.plan())));
}

namespace {

// Of so many facilities that their table is not made anew in a moment.
policy::Plan plan_of_many() {
  auto config = ::tests::sample_config();
  for (int i = 0; i < 700; ++i)
    config.facilities.push_back(::tests::facility(
        "z" + std::to_string(1000 + i),
        {::tests::network("10." + std::to_string(100 + i / 256) + "." + std::to_string(i % 256) + ".0/24")},
        {"karte", "yoyaku"}));
  return policy::compile(config, ::tests::at_second(1)).plan;
}

bool names_isolated(const policy::Plan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.facilities, name, [](const auto& each) { return each.name.text; });
  return found != plan.facilities.end() && found->isolated;
}

}  // namespace

TEST_CASE("netd: of a long table one facility is cut at once, before the plan that says so", "[osn]") {
  const NetworkNamespace space;
  const auto plan = plan_of_many();
  auto kernel = opened(plan);
  const core::CutFacilities order{{2}, false, {{"z1005"}}, true};
  policy::Plan marks;
  marks.facilities = plan.facilities;
  for (auto& facility : marks.facilities) facility.isolated = facility.name.text == "z1005";
  const auto isolated = policy::isolate_as(plan, marks);
  const auto missing = [&] {
    std::size_t count = 0;
    const auto state = state_of(kernel);
    for (const auto& set : firewall::elements_of_parties(plan, order.facilities)) {
      const auto held = std::ranges::find(state.sets, set.name, &firewall::ListedSet::name);
      REQUIRE(held != state.sets.end());
      for (const auto& element : set.elements) count += std::ranges::count(held->elements, element) == 0 ? 1 : 0;
      if (set.elements.empty()) continue;
      CHECK_FALSE(held->elements.empty());  // of others
    }
    return count;
  };
  CHECK(missing() == 0);
  REQUIRE(kernel.cut_at_once(order));
  CHECK(missing() > 3);
  CHECK(names_isolated(*kernel.plan(), "z1005"));
  CHECK_FALSE(names_isolated(*kernel.plan(), "z1006"));
  CHECK(kernel.check_parameters().drifts.empty());  // nothing of it is put back
  CHECK(missing() > 3);
  REQUIRE(kernel.apply(isolated).has_value());
  CHECK(holds(firewall::compile(isolated)));
  REQUIRE(kernel.apply(plan).has_value());  // and again
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: the emergency stop of a long table is that nothing is forwarded", "[osn]") {
  const NetworkNamespace space;
  auto kernel = opened(plan_of_many());
  CHECK(os::read_sysctl("net/ipv4/ip_forward") == "1");
  REQUIRE(kernel.cut_at_once({{2}, true, {}, true}));
  CHECK(os::read_sysctl("net/ipv4/ip_forward") == "0");
  CHECK(kernel.check_parameters().drifts.empty());
  CHECK(os::read_sysctl("net/ipv4/ip_forward") == "0");
}

TEST_CASE("netd: where a plan is there in a moment, or the table is not known, nothing is cut ahead of it", "[osn]") {
  const NetworkNamespace space;
  const auto plan = sample_plan();
  auto kernel = opened(plan);
  CHECK_FALSE(kernel.cut_at_once({{2}, false, {plan.facilities[0].name}, true}));
  CHECK_FALSE(kernel.cut_at_once({{2}, true, {}, true}));
  CHECK(*kernel.plan() == plan);
  CHECK(holds(firewall::compile(plan)));
}

TEST_CASE("netd: who is here by another name, or may be let through by what was left, waits for the plan", "[osn]") {
  const NetworkNamespace space;
  auto plan = plan_of_many();
  plan.live.repair = false;
  auto kernel = opened(plan);
  REQUIRE(kernel.apply(plan).has_value());  // from here on nobody knows what a stranger did meanwhile
  CHECK_FALSE(kernel.cut_at_once({{2}, false, {{"z1005"}, {"another"}}, true}));
  CHECK_FALSE(names_isolated(*kernel.plan(), "z1005"));
  CHECK_FALSE(kernel.cut_at_once({{2}, false, {{"z1005"}}, true}));  // it was done, and is not the whole truth
  CHECK(names_isolated(*kernel.plan(), "z1005"));
}

TEST_CASE("netd state: events that were lost may have been of others, too", "[osn]") {
  const NetworkNamespace space;
  auto watch = os::KernelWatch::open();
  REQUIRE(watch.has_value());
  const int least = 1;
  for (const int socket : {watch->nftables_descriptor(), watch->routing_descriptor()})
    REQUIRE(setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &least, sizeof least) == 0);
  SECTION("of nftables") {
    REQUIRE(stranger("nft add table ip theirs") == 0);
    for (int i = 0; i < 20; ++i) REQUIRE(stranger("nft add chain ip theirs c" + std::to_string(i)) == 0);
  }
  SECTION("of routes") {
    for (int i = 0; i < 20; ++i)
      REQUIRE(stranger("ip route add blackhole 198.51.100." + std::to_string(i) + "/32") == 0);
  }
  const auto changes = watch->drain();  // the loss is told before what is left
  CHECK((changes.rules || changes.routing));
  CHECK(changes.writers.empty());
  CHECK(changes.elsewhere);
}

TEST_CASE("netd: everything of ours is put back when asked for, whatever the watch has seen", "[osn]") {
  const NetworkNamespace space;
  const auto plan = sample_plan();
  auto kernel = opened(plan);
  REQUIRE(stranger("ip route del 10.80.0.10/32 table 7101") == 0);
  REQUIRE(os::write_sysctl("net/ipv4/conf/dc0/forwarding", "0").has_value());
  const auto repairs = kernel.repair_all();
  const auto says = [&](const char* what) {
    return std::ranges::any_of(
        repairs.drifts, [&](const auto& each) { return each.what.find(what) != std::string::npos && each.repaired; });
  };
  CHECK(says("route 10.80.0.10/32 table 7101 missing"));
  CHECK(says("net/ipv4/conf/dc0/forwarding is 0, not 1"));
  CHECK(route_to(state_of(kernel), 7101, "10.80.0.10/32") != nullptr);
  CHECK(os::read_sysctl("net/ipv4/conf/dc0/forwarding") == "1");
}

}  // namespace
}  // namespace gateway::tests
