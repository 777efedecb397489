"""Edits of a running gateway's kernel by hand, each with what undoes it, for test_live.py."""
from topology import CARRIER4, GATEWAY4, INTERNET4, OTHER4, SERVICE4, SERVICE6


class Edit:
    def __init__(self, name, do, undo):
        self.name, self._do, self._undo = name, do, undo

    def do(self):
        self._do()

    def undo(self):
        self._undo()

    def __str__(self):
        return self.name


class Edits:
    def __init__(self, lab):
        self.lab, self.gw = lab, lab.gw
        self.good_table = self.table()
        self.good_routes = self.own_routes()

    def own_routes(self):
        """{(family, table): lines}"""
        return {(family, table): self.gw.ip(family, "route", "show", "table", table, check=False).stdout.splitlines()
                for family in ("-4", "-6") for table in ("7101", "7102", "7103", "7104")}

    def put_routes_back(self):
        """With an interface's last address the kernel takes its routes away, of every table."""
        for (family, table), lines in self.own_routes().items():
            for line in self.good_routes[family, table]:
                if line not in lines:
                    self.gw.ip(family, "route", "add", *[word for word in line.split() if word not in ("linkdown", "dead")], "table", table)

    def table(self):
        return self.gw.run("nft", "list", "table", "inet", "sekisho").stdout

    def nft(self, name, *lines):
        """Undone by putting the whole table back as it was, in one transaction."""
        before = self.table()
        return Edit(name, lambda: self.gw.nft("\n".join(lines)), lambda: self.gw.nft("delete table inet sekisho\n" + before))

    def rules(self, chain):
        """[(handle, text)] as listed."""
        found = []
        for line in self.gw.run("nft", "-a", "-s", "list", "chain", "inet", "sekisho", chain).stdout.splitlines():
            text, mark, handle = line.strip().rpartition(" # handle ")
            if mark and not text.endswith("{"):
                found.append((int(handle), text))
        return found

    def handle(self, chain, words):
        return next(handle for handle, text in self.rules(chain) if words in text)

    def rule_added(self, chain, rule, before=None):
        at = f" handle {self.handle(chain, before)}" if before else ""
        return self.nft(f"{chain}: + {rule}", f"insert rule inet sekisho {chain}{at} {rule}")

    def rule_deleted(self, chain, words):
        return self.nft(f"{chain}: - {words}", f"delete rule inet sekisho {chain} handle {self.handle(chain, words)}")

    def rule_replaced(self, chain, words, rule):
        return self.nft(f"{chain}: {words} -> {rule}", f"replace rule inet sekisho {chain} handle {self.handle(chain, words)} {rule}")

    def rule_first(self, chain, words):
        """Moved to the top."""
        handle = self.handle(chain, words)
        text = dict(self.rules(chain))[handle]
        return self.nft(f"{chain}: ^ {words}", f"delete rule inet sekisho {chain} handle {handle}", f"insert rule inet sekisho {chain} {text}")

    def rule_moved(self, chain, words, before):
        handle = self.handle(chain, words)
        text = dict(self.rules(chain))[handle]
        return self.nft(f"{chain}: {words} before {before}", f"delete rule inet sekisho {chain} handle {handle}",
                        f"insert rule inet sekisho {chain} handle {self.handle(chain, before)} {text}")

    def elements(self, set_name):
        text = self.gw.run("nft", "-s", "list", "set" if "map" not in self.kind(set_name) else "map", "inet", "sekisho", set_name).stdout
        inner = text.partition("elements = {")[2].partition("}")[0]
        return [" ".join(each.split()) for each in inner.split(",") if each.strip()]

    def kind(self, set_name):
        return "map" if f"map {set_name} {{" in self.good_table else "set"

    def element_added(self, set_name, element):
        return self.nft(f"@{set_name} + {element}", f"add element inet sekisho {set_name} {{ {element} }}")

    def element_deleted(self, set_name, element=None):
        element = element or self.elements(set_name)[0]
        return self.nft(f"@{set_name} - {element}", f"delete element inet sekisho {set_name} {{ {element} }}")

    def class_of(self, network):
        return next(each.partition(" : ")[2] for each in self.elements("class4") if each.startswith(network + " "))

    def ip(self, name, do, undo, also=()):
        def run(words):
            self.gw.ip(*words)

        def back():
            for words in (undo, *also):
                run(words)
        return Edit(name, lambda: run(do), back)

    def route_line(self, table, prefix, family="-4"):
        for line in self.gw.ip(family, "route", "show", "table", table).stdout.splitlines():
            words = line.split()
            if words[0] == prefix or (words[0] in ("unreachable", "local") and words[1] == prefix):
                # what only a listing says
                for noise in ("linkdown", "dead"):
                    if noise in words:
                        words.remove(noise)
                return words
        raise AssertionError(f"no route {prefix} in table {table}")

    def route_deleted(self, table, prefix, family="-4"):
        words = self.route_line(table, prefix, family)
        return self.ip(f"route - {' '.join(words)} table {table}", [family, "route", "del", *words, "table", table],
                       [family, "route", "add", *words, "table", table])

    def route_added(self, *words, family="-4"):
        return self.ip(f"route + {' '.join(words)}", [family, "route", "add", *words], [family, "route", "del", *words])

    def rule_line(self, priority, family="-4"):
        for line in self.gw.ip(family, "rule", "show").stdout.splitlines():
            if line.startswith(f"{priority}:"):
                words = line.partition(":")[2].split()
                return [word for word in words if word not in ("[detached]", "proto", "171")]
        raise AssertionError(f"no rule {priority}")

    def ip_rule_deleted(self, priority, family="-4"):
        words = self.rule_line(priority, family)
        own = ["pref", str(priority), *words]
        return self.ip(f"rule - {priority} {' '.join(words)}", [family, "rule", "del", *own], [family, "rule", "add", *own])

    def ip_rule_added(self, *words, family="-4"):
        return self.ip(f"rule + {' '.join(words)}", [family, "rule", "add", *words], [family, "rule", "del", *words])

    def sysctl(self, path, value):
        before = self.gw.sysctl(path)
        return Edit(f"sysctl {path} = {value}", lambda: self.gw.sysctl(path, value), lambda: self.gw.sysctl(path, before))

    def address_added(self, address, interface):
        def undo():
            self.gw.ip("addr", "del", address, "dev", interface)
            self.put_routes_back()
        return Edit(f"address + {address} {interface}", lambda: self.gw.ip("addr", "add", address, "dev", interface), undo)

    def outside_address_deleted(self):
        words = [f"{GATEWAY4}/24", "dev", "wan0"]
        return self.ip("address - outside", ["addr", "del", *words], ["addr", "add", *words],
                       also=[["route", "replace", "default", "via", CARRIER4]])

    def foreign(self, name, text):
        """A table of its own: `text` is its first word pair and body."""
        family, table = text.split()[1:3]
        return Edit(name, lambda: self.gw.nft(text), lambda: self.gw.nft(f"delete table {family} {table}"))

    def link(self, name, words, undo):
        return self.ip(name, ["link", "set", *words], ["link", "set", *undo])


def nat(e):
    return e.foreign("NAT", 'table ip theirs { chain post { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }; }')


# name, the edit, words of a sentence that must be there
NAMED = [
    ("accept on top of forward", lambda e: e.rule_added("forward", "accept"), 'chain forward: "accept" (handle'),
    ("one host let through", lambda e: e.rule_added("forward", f"ip saddr {e.lab.b.pc4} ip daddr {e.lab.a.pc4} accept"), 'chain forward: "ip saddr '),
    ("a port with a word that is not known", lambda e: e.rule_added("forward", "tcp flags syn accept"), "tcp flags"),
    ("policy accept", lambda e: e.nft("policy", "chain inet sekisho forward { policy accept; }"), "chain changed: table inet sekisho, chain forward"),
    ("the refusal of detours gone", lambda e: e.rule_deleted("across4", "meta mark != 0x80000000"), "rule missing: table inet sekisho, chain across4: \"meta mark != 0x80000000"),
    ("a facility's source not asked", lambda e: e.rule_deleted("before_fragments", 'iifname "sekisho0" ip saddr'), "chain before_fragments"),
    ("refusal widened to an accept", lambda e: e.rule_replaced("prerouting", "goto drop_detour", 'iifname { "wan0", "dc0" } accept'), "chain prerouting"),
    ("a look-up gone", lambda e: e.rule_deleted("to_inside4", "map @service4 "), "map @service4"),
    ("a refusal first", lambda e: e.rule_first("to_inside4", "goto drop_not_permitted"), "rule moved: table inet sekisho, chain to_inside4"),
    ("a drop of one service", lambda e: e.rule_added("forward", f"ip daddr {SERVICE4} drop"), f"ip daddr {SERVICE4} drop"),
    ("IP options let in", lambda e: e.rule_deleted("from_tunnel", "ip hdrlength"), "ip hdrlength"),
    ("fragments unlimited", lambda e: e.rule_deleted("outside_fragments4", "limit rate"), "chain outside_fragments4"),
    ("not tracked any more", lambda e: e.rule_added("raw_prerouting", 'iifname "sekisho0" notrack'), "notrack"),
    ("ICMP errors of anybody", lambda e: e.rule_added("error_inward4", "accept"), "chain error_inward4"),
    ("a service's host more", lambda e: e.element_added("service4", f"{e.class_of(e.lab.b.lan4)} . {OTHER4} . tcp . 22 : 0x00000009"), f"@service4 {{ "),
    ("a permission gone", lambda e: e.element_deleted("service4"), "element missing: table inet sekisho, @service4"),
    ("an exchange more", lambda e: e.element_added("exchange4", f"{e.class_of(e.lab.a.lan4)} . {e.lab.b.pc4} . tcp . 22 : 0x00000009"), "@exchange4"),
    ("a facility more", lambda e: e.element_added("facility4", "10.99.0.0/24"), "@facility4 { 10.99.0.0/24 }"),
    ("the party of a rule", lambda e: e.element_deleted("ends_service"), "@ends_service"),
    ("NAT in a table of others", nat, "table ip theirs, chain post: \"oifname \"wan0\" masquerade\""),
    ("marks in a table of others", lambda e: e.foreign("marks", 'table inet theirs { chain pre { type filter hook prerouting priority -200; iifname "sekisho0" meta mark set 0x80000000; }; }'), "meta mark set"),
    ("a drop in a table of others", lambda e: e.foreign("drop", f"table inet theirs {{ chain theirs {{ type filter hook forward priority 5; ip daddr {SERVICE4} drop; }}; }}"), "table inet theirs, hook forward"),
    ("a service's route gone", lambda e: e.route_deleted("7101", SERVICE4), f"route missing: {SERVICE4} dev dc0 table 7101"),
    ("the same, IPv6", lambda e: e.route_deleted("7101", SERVICE6, "-6"), f"route missing: {SERVICE6} dev dc0 table 7101"),
    ("a facility's route gone", lambda e: e.route_deleted("7102", e.lab.a.lan4), "table 7102"),
    ("an exchange's route gone", lambda e: e.route_deleted("7103", f"{e.lab.a.pc4}"), "table 7103"),
    ("unreachable gone", lambda e: both(e.route_deleted("7101", "default"), e.ip_rule_deleted(7111)), "ip rule missing: 7111"),
    ("a facility's route for tunnels", lambda e: e.route_added(e.lab.a.lan4, "dev", "sekisho0", "table", "7101"), "dev sekisho0 table 7101"),
    ("a service's network for tunnels", lambda e: e.route_added("10.80.0.0/24", "dev", "dc0", "table", "7101"), "route added: 10.80.0.0/24 dev dc0 table 7101"),
    ("a facility outside", lambda e: e.route_added(e.lab.a.pc4, "dev", "wan0", "table", "7102"), "dev wan0 table 7102"),
    ("another next hop", lambda e: both(e.route_deleted("7101", SERVICE4), e.route_added(SERVICE4, "via", OTHER4, "dev", "dc0", "table", "7101")), f"via {OTHER4}"),
    ("the way to the tunnels' ends gone", lambda e: e.route_deleted("main", "default"), "of the tunnels themselves"),
    ("a look-up gone", lambda e: e.ip_rule_deleted(7110), "ip rule missing: 7110: from all iif sekisho0 lookup 7101"),
    ("a look-up of the gateway's own gone", lambda e: e.ip_rule_deleted(7131), "ip rule missing: 7131"),
    ("a rule of others before ours", lambda e: e.ip_rule_added("pref", "100", "from", e.lab.a.lan4, "lookup", "main"), "ip rule added: 100: from "),
    ("a rule of others by port", lambda e: e.ip_rule_added("pref", "101", "ipproto", "tcp", "lookup", "main"), "ipproto"),
    ("the outside address gone", lambda e: e.outside_address_deleted(), f"address missing: {GATEWAY4} dev wan0"),
    ("a service's address here", lambda e: e.address_added(f"{SERVICE4}/32", "lo"), f"local {SERVICE4} dev lo table local"),
    ("an address on the tunnel device", lambda e: e.address_added("10.77.0.1/24", "sekisho0"), "address added: 10.77.0.1/24 dev sekisho0"),
    ("forwarding off", lambda e: e.sysctl("net/ipv4/conf/sekisho0/forwarding", 0), "sysctl net/ipv4/conf/sekisho0/forwarding is 0, not 1"),
    ("no reverse path filter", lambda e: e.sysctl("net/ipv4/conf/sekisho0/rp_filter", 0), "sysctl net/ipv4/conf/sekisho0/rp_filter is 0, not 1"),
    ("redirects", lambda e: e.sysctl("net/ipv4/conf/dc0/send_redirects", 1), "sysctl net/ipv4/conf/dc0/send_redirects is 1, not 0"),
    ("proxy ARP outside", lambda e: e.sysctl("net/ipv4/conf/wan0/proxy_arp", 1), "proxy_arp is 1, not 0"),
    ("a small MTU", lambda e: e.link("MTU", ["sekisho0", "mtu", "1300"], ["sekisho0", "mtu", str(e.lab.tunnel_mtu)]), "link sekisho0 has the MTU 1300"),
    ("traffic control", lambda e: Edit("tc", lambda: e.gw.run("tc", "qdisc", "add", "dev", "dc0", "clsact"), lambda: e.gw.run("tc", "qdisc", "del", "dev", "dc0", "clsact")), "link dc0 has the traffic control qdisc clsact"),
]

SILENT = [
    ("a counter", lambda e: e.rule_added("forward", "ip saddr 10.2.0.9 counter")),
    ("a log", lambda e: e.rule_added("forward", 'log prefix "two words " group 9')),
    ("a rule with a comment, twice", lambda e: e.rule_added("prerouting", 'iifname "dc0" ip daddr @facility4 accept comment "once more"', 'iifname "dc0" ip daddr @facility4')),
    ("a drop of what is dropped", lambda e: e.rule_added("across4", "ip saddr 10.250.0.1 drop", "goto drop_detour")),
    ("refusals in another order", lambda e: e.rule_moved("before_fragments", 'iifname "sekisho0" ip6 saddr', 'iifname "sekisho0" ip saddr')),
    ("an element for nobody's mark", lambda e: e.element_added("service4", f"0x0a636300 . {OTHER4} . tcp . 22 : 0x00000009")),
    ("a chain that nobody goes to", lambda e: e.nft("chain", "add chain inet sekisho extra", "add rule inet sekisho extra accept")),
    ("a set that nobody asks", lambda e: e.nft("set", "add set inet sekisho mine { type ipv4_addr; elements = { 10.0.0.1 }; }")),
    ("a table of others that only drops strangers", lambda e: e.foreign("filter", "table inet theirs { chain theirs { type filter hook forward priority 5; ip saddr 172.17.0.0/16 drop; }; }")),
    ("a table of others that accepts", lambda e: e.foreign("accept", "table inet theirs { chain theirs { type filter hook forward priority -5; accept; }; }")),
    ("NAT of an interface that is not ours", lambda e: e.foreign("docker", 'table ip theirs { chain post { type nat hook postrouting priority srcnat; iifname "docker0" oifname "wan0" masquerade; }; }')),
    ("a route of the host", lambda e: e.route_added("172.16.0.0/12", "dev", "wan0")),
    ("a worse route beside ours", lambda e: e.route_added(SERVICE4, "dev", "dc0", "table", "7101", "metric", "5000")),
    ("a route of another table", lambda e: e.route_added("default", "dev", "wan0", "table", "99")),
    ("a rule of the host behind ours", lambda e: e.ip_rule_added("pref", "20000", "lookup", "99")),
    ("an address more", lambda e: e.address_added("203.0.113.77/24", "wan0")),
    ("a parameter that nobody relies on", lambda e: e.sysctl("net/ipv4/conf/dc0/log_martians", 1)),
    ("an unreachable route for the internet", lambda e: e.route_added("unreachable", INTERNET4, "table", "7101")),
]


def both(first, second):
    def do():
        first.do()
        second.do()

    def undo():
        second.undo()
        first.undo()
    return Edit(f"{first}; {second}", do, undo)
