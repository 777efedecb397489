// The live proof over a state that is made of a plan as netd and tunneld would tell it: clean it says nothing, and each
// edit is named with its layer. Against a real kernel: tests/lab/test_live.py.
#include <functional>

#include "firewall/kernel_listing.h"
#include "policy/isolation.h"
#include "tests/model/live_world.h"

using namespace live_world;

namespace {

struct Case {
  const char* name;
  std::function<void(World&)> edit;
  const char* layer;
  const char* words;  // of the difference
};

KernelRoute route(std::uint32_t table, const char* to, const char* interface) {
  KernelRoute out;
  out.table = table, out.destination = prefix(to), out.hops = {{interface, std::nullopt}};
  return out;
}

void erase_route(World& w, std::uint32_t table, const char* to) {
  REQUIRE(std::erase_if(w.state.kernel.routes.routes,
                        [&](const auto& each) { return each.table == table && each.destination == prefix(to); }) == 1);
}

void erase_rule(World& w, std::uint32_t priority) {
  REQUIRE(std::erase_if(w.state.kernel.routes.rules, [&](const auto& each) { return each.priority == priority; }) == 2);
}

// Behind ours.
void add_rule_of_the_host(World& w, const char* incoming, std::uint32_t table) {
  KernelRule rule;
  rule.priority = 20000, rule.incoming = incoming, rule.table = table;
  auto& rules = w.state.kernel.routes.rules;
  rules.insert(std::ranges::find(rules, 32766u, &KernelRule::priority), rule);
}

// A next-hop object that is not read.
void add_route_by_object(World& w, const char* to) {
  auto by_object = route(policy::kMainTable, to, "wan0");
  by_object.hops.clear(), by_object.type = KernelRoute::Type::kOther, by_object.plain = false;
  w.state.kernel.routes.routes.push_back(by_object);
}

void first_goto(World& w, std::uint32_t target) {
  KernelRule rule;
  rule.priority = 100, rule.action = KernelRule::Action::kGoto, rule.target = target;
  w.state.kernel.routes.rules.insert(w.state.kernel.routes.rules.begin() + 1, rule);
}

void first_rule(World& w, std::uint32_t table) {
  KernelRule rule;
  rule.priority = 100, rule.table = table, rule.from = prefix("10.2.0.0/24");
  w.state.kernel.routes.rules.insert(w.state.kernel.routes.rules.begin() + 1, rule);
}

const std::vector<Case> kNamed{
    {"a rule that accepts",
     [](World& w) { w.chain("forward").rules.insert(w.chain("forward").rules.begin(), "accept"); }, "nftables",
     "rule added: table inet sekisho, chain forward: \"accept\" (handle "},
    {"an element", [](World& w) { w.add("service4", "0x0a020000 . 10.80.0.99 . tcp . 22 : 0x00000009"); }, "nftables",
     "element added: table inet sekisho, @service4 { 0x0a020000 . 10.80.0.99 . tcp . 22"},
    {"NAT by a stranger",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tchain post { # handle 1\n\t\ttype nat hook postrouting priority "
           "srcnat; policy accept;\n\t\toifname \"wan0\" masquerade # handle 2\n\t}\n}\n";
     },
     "nftables", "table ip nat, chain post: \"oifname \"wan0\" masquerade\" (handle 2)"},
    {"a drop by a stranger",
     [](World& w) {
       w.more_tables =
           "table inet theirs { # handle 9\n\tchain fwd { # handle 1\n\t\ttype filter hook forward priority "
           "filter; policy accept;\n\t\tip daddr 10.80.0.10 drop # handle 2\n\t}\n}\n";
     },
     "nftables", "table inet theirs, hook forward: chain fwd"},
    {"a host's own firewall that forgets the tunnels",
     [](World& w) {
       w.more_tables =
           "table ip filter { # handle 9\n\tchain INPUT { # handle 1\n\t\ttype filter hook input priority "
           "filter; policy drop;\n\t\ttcp dport 22 accept # handle 2\n\t}\n}\n";
     },
     "nftables", "table ip filter, hook input: chain INPUT"},
    {"NAT of a facility's own addresses",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tchain post { # handle 1\n\t\ttype nat hook postrouting priority "
           "srcnat; policy accept;\n\t\tip saddr 10.0.0.0/8 oifname != \"docker0\" masquerade # handle 2\n\t}\n}\n";
     },
     "nftables", "ip saddr 10.0.0.0/8 oifname != \"docker0\" masquerade"},
    {"a tunnel's port taken for a container",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tchain DOCKER { # handle 1\n\t\tudp dport " +
           std::to_string(w.plan.wireguard_port) +
           " counter dnat to 172.17.0.2 # handle 6\n\t}\n\tchain pre { # handle 2\n\t\ttype nat hook prerouting "
           "priority dstnat; policy accept;\n\t\tfib daddr type local counter jump DOCKER # handle 7\n\t}\n}\n";
     },
     "nftables", "counter dnat to 172.17.0.2"},
    {"a target of iptables' that nft cannot translate",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tchain post { # handle 1\n\t\ttype nat hook postrouting priority "
           "srcnat; policy accept;\n\t\tcounter xt target \"NETMAP\" # handle 2\n\t}\n}\n";
     },
     "nftables", "xt target"},
    {"iptables-legacy", [](World& w) { w.more_tables = firewall::legacy_table("ip", "nat"); }, "nftables",
     "table ip nat of iptables-legacy"},
    {"our table asleep", [](World& w) { w.asleep = true; }, "nftables", "table inet sekisho is dormant"},
    {"a route by a next-hop object", [](World& w) { add_route_by_object(w, "10.2.0.0/16"); }, "routes",
     "route of others: "},
    {"a rule for another interface into the tunnels", [](World& w) { add_rule_of_the_host(w, "docker0", 7102); },
     "routes", "iif docker0 lookup 7102"},
    {"a route of the host into the tunnels",
     [](World& w) { w.state.kernel.routes.routes.push_back(route(policy::kMainTable, "10.2.0.0/24", "sekisho0")); },
     "routes", "10.2.0.0/24 dev sekisho0"},
    {"a parameter of the host's",
     [](World& w) { w.state.kernel.parameters.push_back({"net/ipv4/conf/all/route_localnet", "1", "0", false}); },
     "parameters", "sysctl net/ipv4/conf/all/route_localnet is 1, not 0"},
    {"a service's route gone", [](World& w) { erase_route(w, 7101, "10.80.0.10/32"); }, "routes",
     "route missing: 10.80.0.10 "},
    {"a facility's route gone", [](World& w) { erase_route(w, 7102, "10.2.0.0/24"); }, "routes",
     "route missing: 10.2.0.0/24 dev sekisho0 table 7102"},
    {"a route to a facility for tunnels",
     [](World& w) { w.state.kernel.routes.routes.push_back(route(7101, "10.3.0.0/24", "sekisho0")); }, "routes",
     "route added: 10.3.0.0/24 dev sekisho0 table 7101"},
    {"a default route for tunnels",
     [](World& w) {
       erase_route(w, 7101, "0.0.0.0/0");
       w.state.kernel.routes.routes.push_back(route(7101, "0.0.0.0/0", "wan0"));
     },
     "routes", "route added: default dev wan0 table 7101"},
    {"another next hop",
     [](World& w) {
       for (auto& each : w.state.kernel.routes.routes)
         if (each.table == 7101 && each.destination == prefix("10.80.0.10/32"))
           each.hops[0].via = address("10.80.0.66");
     },
     "routes", "via 10.80.0.66"},
    {"prohibit gone",
     [](World& w) {
       erase_rule(w, 7111);
       erase_route(w, 7101, "0.0.0.0/0");
     },
     "routes", "7111: from all iif sekisho0 prohibit"},
    {"look-up gone", [](World& w) { erase_rule(w, 7110); }, "routes",
     "ip rule missing: 7110: from all iif sekisho0 lookup 7101"},
    {"a stranger's rule before ours", [](World& w) { first_rule(w, policy::kMainTable); }, "routes",
     "ip rule added: 100: from 10.2.0.0/24 lookup main"},
    {"a stranger's goto past ours", [](World& w) { first_goto(w, 32766); }, "routes",
     "ip rule added: 100: from all goto 32766; opens"},
    {"a route of the host behind a goto",
     [](World& w) {
       first_goto(w, 32766);
       w.state.kernel.routes.routes.push_back(route(policy::kMainTable, "198.51.100.0/24", "eth5"));
     },
     "routes", "route of others: 198.51.100.0/24 dev eth5 table main"},
    {"the local table not asked", [](World& w) { erase_rule(w, 32766); }, "routes", "ip rule missing: 32766"},
    {"no way to the tunnels' other ends", [](World& w) { erase_route(w, policy::kMainTable, "0.0.0.0/0"); }, "routes",
     "of the tunnels themselves"},
    {"a facility's address here",
     [](World& w) {
       auto here = route(policy::kLocalTable, "10.80.0.10/32", "dc0");
       here.type = KernelRoute::Type::kLocal;
       w.state.kernel.routes.routes.push_back(here);
     },
     "routes", "local 10.80.0.10 dev dc0 table local"},
    {"outside address gone", [](World& w) { w.state.kernel.addresses.erase(w.state.kernel.addresses.begin()); },
     "addresses", "address missing: 203.0.113.10 dev wan0"},
    {"an address on the tunnel device",
     [](World& w) { w.state.kernel.addresses.push_back({"sekisho0", address("10.2.0.1"), 24}); }, "addresses",
     "address added: 10.2.0.1/24 dev sekisho0"},
    {"a link down", [](World& w) { w.state.kernel.links[1].up = false; }, "links", "link dc0 is down"},
    {"a link gone", [](World& w) { w.state.kernel.links.erase(w.state.kernel.links.begin()); }, "links",
     "link wan0 missing"},
    {"a link in a bridge", [](World& w) { w.state.kernel.links[1].master = "br0"; }, "links",
     "link dc0 is a part of br0"},
    {"traffic control", [](World& w) { w.state.kernel.links[0].disciplines = {"qdisc clsact"}; }, "links",
     "qdisc clsact"},
    {"the device of somebody else", [](World& w) { w.state.kernel.links[2].index = 44; }, "links", "index 44"},
    {"a small MTU", [](World& w) { w.state.kernel.links[2].mtu = 576; }, "links", "MTU 576"},
    {"a parameter", [](World& w) { w.state.kernel.parameters[0].value = "0"; }, "parameters",
     "sysctl net/ipv4/ip_forward is 0, not 1"},
    {"wide selectors", [](World& w) { w.state.tunnels.tunnels[0].near.push_back(prefix("10.99.0.0/16")); }, "tunnels",
     "selectors of "},
    {"a tunnel gone", [](World& w) { w.state.tunnels.tunnels.erase(w.state.tunnels.tunnels.begin()); }, "tunnels",
     "missing"},
    {"another translation",
     [](World& w) {
       for (auto& each : w.state.tunnels.tunnels)
         if (each.facility == "hakodate") each.networks[0].seen = prefix("100.64.9.0/24");
     },
     "tunnels", "translation of hakodate"},
    {"a network that the guard gives to nobody", [](World& w) { w.state.tunnels.tunnels[0].guarded.clear(); }, "guard",
     "networks of "},
    {"a row of the guard",
     [](World& w) {
       w.state.tunnels.rows.push_back({policy::range_of(prefix("10.2.0.0/24")), policy::range_of(prefix("10.3.0.0/24")),
                                       6, 1, 65535, config::WallTime::max()});
     },
     "guard", "row of the guard: 10.2.0.0-10.2.0.255 -> 10.3.0.0-10.3.0.255"},
    {"a row of the guard gone", [](World& w) { w.state.tunnels.rows.pop_back(); }, "guard", "no row of the guard for"},
    {"a fault switch", [](World& w) { w.state.tunnels.faults = {"open_guard"}; }, "tunnels", "fault switch open_guard"},
};

const std::vector<Case> kNothing{
    {"nothing", [](World&) {}, "", ""},
    {"a table of a stranger that only drops others",
     [](World& w) {
       w.more_tables =
           "table ip filter { # handle 9\n\tchain INPUT { # handle 1\n\t\ttype filter hook input priority filter; "
           "policy drop;\n\t\tudp dport 51820 accept # handle 2\n\t}\n\tchain FORWARD { # handle 3\n\t\ttype filter "
           "hook "
           "forward "
           "priority filter; policy accept;\n\t\tip saddr 172.17.0.0/16 drop # handle 4\n\t}\n}\n";
     },
     "", ""},
    {"a host with docker and a published port",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tchain DOCKER { # handle 1\n\t\tiifname \"docker0\" counter return # handle 5\n"
           "\t\tiifname != \"docker0\" tcp dport 8080 counter dnat to 172.17.0.2:80 # handle 6\n\t}\n"
           "\tchain PREROUTING { # handle 2\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
           "\t\tfib daddr type local counter jump DOCKER # handle 7\n\t}\n"
           "\tchain OUTPUT { # handle 3\n\t\ttype nat hook output priority -100; policy accept;\n"
           "\t\tip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER # handle 8\n\t}\n"
           "\tchain POSTROUTING { # handle 4\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
           "\t\tip saddr 172.17.0.0/16 oifname != \"docker0\" counter masquerade # handle 9\n"
           "\t\tip saddr 172.17.0.2 ip daddr 172.17.0.2 tcp dport 80 counter masquerade # handle 10\n\t}\n}\n";
     },
     "", ""},
    {"a table of others that is asleep",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tflags dormant\n\tchain post { # handle 1\n\t\ttype nat hook postrouting "
           "priority srcnat; policy accept;\n\t\tmasquerade # handle 2\n\t}\n}\n";
     },
     "", ""},
    {"filter of iptables-legacy", [](World& w) { w.more_tables = firewall::legacy_table("ip6", "filter"); }, "", ""},
    {"a route by a next-hop object elsewhere", [](World& w) { add_route_by_object(w, "172.16.0.0/12"); }, "", ""},
    {"a rule of the host for another interface", [](World& w) { add_rule_of_the_host(w, "docker0", 99); }, "", ""},
    {"NAT of another interface",
     [](World& w) {
       w.more_tables =
           "table ip nat { # handle 9\n\tchain post { # handle 1\n\t\ttype nat hook postrouting priority srcnat; "
           "policy "
           "accept;\n\t\tiifname \"docker0\" oifname \"wan0\" masquerade # handle 2\n\t}\n}\n";
     },
     "", ""},
    {"a route of another table",
     [](World& w) { w.state.kernel.routes.routes.push_back(route(99, "10.2.0.0/24", "wan0")); }, "", ""},
    {"a route of the host elsewhere",
     [](World& w) { w.state.kernel.routes.routes.push_back(route(policy::kMainTable, "172.16.0.0/12", "eth5")); }, "",
     ""},
    {"a worse route beside ours",
     [](World& w) {
       auto worse = route(7101, "10.80.0.10/32", "dc0");
       worse.metric = 5000, worse.mtu = 0;
       for (auto& each : w.state.kernel.routes.routes)
         if (each.table == 7101 && each.destination == prefix("10.80.0.10/32")) each.metric = 1024;
       w.state.kernel.routes.routes.push_back(worse);
     },
     "", ""},
    {"a rule of the host behind ours", [](World& w) { add_rule_of_the_host(w, "", 99); }, "", ""},
    {"a goto whose target is not there", [](World& w) { first_goto(w, 20000); }, "", ""},
    {"an address more outside",
     [](World& w) { w.state.kernel.addresses.push_back({"wan0", address("203.0.113.77"), 24}); }, "", ""},
    {"a link of others down", [](World& w) { w.state.kernel.links.push_back({"eth5", 9, false, 1500, "", {}}); }, "",
     ""},
    {"a counter", [](World& w) { w.chain("forward").rules.insert(w.chain("forward").rules.begin(), "counter"); }, "",
     ""},
};

}  // namespace

TEST_CASE("live proof: an edit of anything is named with its layer, in the kernel's words") {
  for (const Case& each : kNamed) {
    CAPTURE(each.name);
    World world;
    each.edit(world);
    const auto verdict = world.prove();
    told(verdict);
    CHECK_FALSE(verdict.good());
    const bool named = std::ranges::any_of(verdict.differences, [&](const auto& difference) {
      return difference.layer == each.layer &&
             gateway::core::to_sentence(difference).find(each.words) != std::string::npos;
    });
    CHECK(named);
  }
}

TEST_CASE("live proof: what changes nothing is not reported") {
  for (const Case& each : kNothing) {
    CAPTURE(each.name);
    World world;
    each.edit(world);
    const auto verdict = world.prove();
    told(verdict);
    CHECK(verdict.good());
    CHECK(verdict.proof);
  }
}

TEST_CASE("live proof: the theorems are of what is installed") {
  World opened;
  opened.chain("forward").rules.insert(opened.chain("forward").rules.begin(), "accept");
  const auto alone = opened.prove();
  CHECK(fails(alone, "P4"));  // nftables alone is open: without the guard a facility's packets reach every port inside
  World both;
  both.chain("forward").rules.insert(both.chain("forward").rules.begin(), "accept");
  both.state.tunnels.rows.push_back({policy::range_of(prefix("10.2.0.0/24")), policy::range_of(prefix("10.80.0.10/32")),
                                     6, 22, 22, config::WallTime::max()});
  const auto verdict = both.prove();
  told(verdict);
  CHECK(fails(verdict, "P1"));
  World foreign;
  for (auto& fact : foreign.state.tunnels.tunnels)
    if (fact.facility == "matsumae") fact.near.push_back(prefix("10.3.0.0/24"));
  CHECK(fails(foreign.prove(), "P2"));
  World closed;
  closed.elements("service4").clear();
  CHECK(fails(closed.prove(), "exact"));
  World gone;
  gone.state.kernel.routes.rules.clear();
  CHECK_FALSE(gone.prove().good());
}

TEST_CASE("live proof: a state that cannot be read is no good state") {
  World world;
  world.state.kernel.error = "netlink: Permission denied";
  CHECK_FALSE(world.prove().good());
  World torn;
  torn.more_tables = "table inet x {\n";
  CHECK_FALSE(torn.prove().good());
  World none;
  (void)none.prove();
  none.state.kernel.ruleset.clear();
  const auto verdict = gateway::core::prove_live(none.state);
  REQUIRE_FALSE(verdict.differences.empty());
  CHECK(verdict.differences[0].what == "table missing: inet sekisho");
}

namespace {

// As every layer is given it when these are isolated.
World isolated(const std::vector<std::string>& names) {
  World world;
  policy::Plan marks;
  for (const auto& name : names)
    marks.facilities.emplace_back().name.text = name, marks.facilities.back().isolated = true;
  world.plan = policy::isolate_as(world.plan, marks);
  world.table = firewall::compile(world.plan);
  world.state.tunnels = tunnels_of(world.plan);
  auto& routes = world.state.kernel.routes.routes;
  std::erase_if(routes, [](const auto& each) { return policy::is_route_table(each.table); });
  std::ranges::move(policy::kernel_routes(world.plan).routes, std::back_inserter(routes));
  return world;
}

}  // namespace

TEST_CASE("live proof: an isolated facility has no tunnel and no route, and that is as it should be") {
  World one = isolated({"matsumae"}), all = isolated({"hakodate", "matsumae"});
  for (World* world : {&one, &all}) {
    const auto verdict = world->prove();
    told(verdict);
    CHECK(verdict.good());
  }
  erase_route(one, 7102, "10.2.0.0/24");  // unreachable
  one.state.kernel.routes.routes.push_back(route(7102, "10.2.0.0/24", "sekisho0"));
  const auto verdict = one.prove();
  told(verdict);
  REQUIRE_FALSE(verdict.differences.empty());
  CHECK(verdict.differences[0].opens);
  CHECK(verdict.differences[0].what.find("10.2.0.0/24") != std::string::npos);
}

TEST_CASE("live proof: of more differences than are told the rest is counted, and what opens is told first") {
  const auto of_layer = [](const LiveVerdict& verdict, const std::string& layer) {
    return std::ranges::count(verdict.differences, layer, &gateway::core::LiveDifference::layer);
  };
  World routes;
  erase_route(routes, 7102, "10.2.0.0/24");  // closes
  for (int i = 0; i < 300; ++i)
    routes.state.kernel.routes.routes.push_back(
        route(7101, ("10.3.0." + std::to_string(i % 256) + "/32").c_str(), i < 256 ? "sekisho0" : "wan0"));
  auto verdict = routes.prove();
  CHECK(of_layer(verdict, "routes") == 100);
  CHECK(verdict.left_out == 201);
  World tunnels;
  tunnels.state.tunnels.tunnels.erase(tunnels.state.tunnels.tunnels.begin());  // closes
  for (int i = 0; i < 150; ++i) {
    gateway::core::TunnelFact fact;
    fact.facility = "stranger" + std::to_string(i);
    tunnels.state.tunnels.tunnels.push_back(fact);
  }
  verdict = tunnels.prove();
  CHECK(of_layer(verdict, "tunnels") == 100);
  CHECK(
      std::ranges::all_of(verdict.differences, [](const auto& each) { return each.layer != "tunnels" || each.opens; }));
  CHECK(verdict.left_out == 51);
  CHECK_FALSE(verdict.good());
  World foreign;
  foreign.more_tables =
      "table ip nat { # handle 9\n\tchain post { # handle 1\n\t\ttype nat hook postrouting priority "
      "srcnat; policy accept;\n";
  for (int i = 0; i < 30; ++i)
    foreign.more_tables += "\t\toifname \"wan0\" masquerade # handle " + std::to_string(i + 2) + "\n";
  foreign.more_tables += "\t}\n}\n";
  verdict = foreign.prove();
  CHECK(of_layer(verdict, "nftables") == 20);
  CHECK(verdict.left_out == 10);
}

TEST_CASE("live proof: whether a parameter is put back is as netd tells it") {
  World world;
  world.state.kernel.parameters = {{"net/ipv4/conf/all/rp_filter", "2", "0 or 1", false},
                                   {"net/ipv4/conf/sekisho0/rp_filter", "0", "1", true},
                                   {"net/ipv4/ip_forward", "1", "1", true}};
  const auto verdict = world.prove();
  REQUIRE(verdict.differences.size() == 2);
  CHECK_FALSE(verdict.differences[0].ours);
  CHECK(verdict.differences[1].ours);
}
