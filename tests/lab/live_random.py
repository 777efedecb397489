"""Random single edits of a running gateway's kernel, each with what it must come to by somebody else's judgement: for nftables z3 over the listed rules before
and after (tests/policy/z3_check.py), for routes and addresses the kernel's own look-up of many packets before and after.

`expected` is "named", "silent", or "either" where the judges do not see it (rates, fragments, errors, records) and the edit is no plain removal.
"""
import pathlib
import random
import re
import sys

from topology import CARRIER4, GATEWAY4, INTERNET4, OTHER4, SERVICE4, SERVICE6

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "policy"))
import z3  # noqa: E402
from z3_check import Meaning, counterexample  # noqa: E402

EXCHANGE = 0x80000000
# What the model of z3_check takes for "does not happen", or for nothing.
BEYOND = ("limit", "log ", "counter", "zone", "count over", "exthdr", "hdrlength", "frag-off", "related", "invalid", "established", "missing", "skuid", "update", "add @",
          "hoplimit", "ct mark . meta mark", "notrack")
UNSEEN = re.compile(r"^(error_|peer_fragments|outside_fragments)")
PRIORITIES = {"filter": 0, "mangle": -150, "raw": -300, "raw - 10": -310}


class Mutation:
    def __init__(self, kind, edit, expected, words):
        self.kind, self.edit, self.expected, self.words = kind, edit, expected, words

    def undo(self):
        self.edit.undo()

    def __str__(self):
        return f"{self.kind} ({self.expected}) {self.edit}"


def listed(gw):
    """The table as z3_check reads it, from the kernel's listing."""
    chains, sets, chain, name = [], {}, None, None
    text = gw.run("nft", "-s", "list", "table", "inet", "sekisho").stdout
    for found in re.finditer(r"\t(?:set|map) (\w+) \{(.*?)\n\t\}", text, re.S):
        name, body = found[1], found[2]
        inner = re.search(r"elements = \{(.*?)\}", body, re.S)
        sets[name] = [" ".join(each.split()) for each in inner[1].split(",") if each.strip()] if inner and "dynamic" not in body else []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("chain "):
            chain = {"name": line.split()[1], "hook": "", "rules": []}
            chains.append(chain)
        elif line == "}" or chain is None or line.startswith(("table ", "set ", "map ", "counter ")) and line.endswith("{"):
            chain = None if line == "}" else chain
        elif line.startswith("type "):
            hook = re.match(r"type filter hook (\w+) priority (.*?); policy (\w+);", line)
            priority = PRIORITIES.get(hook[2], hook[2])
            chain["hook"] = f"type filter hook {hook[1]} priority {priority}; policy {hook[3]};"
        else:
            line = re.sub(r"^counter (?!name)|(?<= )counter (?!name)| counter$", "", line).replace("& 16383 ", "& 0x3fff ")
            if line != "counter" and not line.endswith("notrack"):  # neither lets anything pass
                chain["rules"].append(line)
    return {"chains": chains, "sets": sets}


def roads():
    for answer in (False, True):
        for side in ("sekisho0", "dc0", "wan0"):
            if not (answer and side == "wan0"):  # a port of the other side: not in the model
                for here in (False, True):
                    yield {"hook": "prerouting", "in": side, "out": "", "to_gateway": here, "answer": answer, "mark": 0}
                yield {"hook": "input", "in": side, "out": "", "to_gateway": True, "answer": answer, "mark": 0}
            yield {"hook": "output", "in": "lo", "out": side, "to_gateway": False, "answer": answer, "mark": 0}
            for out in ("sekisho0", "dc0", "wan0"):
                for mark in (0, EXCHANGE) if side == "sekisho0" else (0,):
                    yield {"hook": "forward", "in": side, "out": out, "to_gateway": False, "answer": answer, "mark": mark}


def meanings(table):
    found = []
    for asked in roads():
        for version in (4, 6):
            here, mark = Meaning(table, asked, version).passes()
            found.append((asked, version, here, z3.And(here, mark == z3.BitVecVal(EXCHANGE, 32)), z3.And(here, mark == z3.BitVecVal(0, 32))))
    return found


def differs(before, after):
    """The first road on which another packet passes, or one with another mark."""
    for (asked, version, *old), (_, _, *new) in zip(before, after, strict=True):
        asks_marks = asked["hook"] == "prerouting"
        for a, b in list(zip(old, new, strict=True))[:3 if asks_marks else 1]:
            if not a.eq(b) and counterexample(a, b):
                return f"{asked['hook']} {asked['in']}->{asked['out']} answer {asked['answer']} IPv{version}"
    return None


class World:
    def __init__(self, lab, edits, seed):
        self.lab, self.edits, self.gw, self.random = lab, edits, lab.gw, random.Random(seed)
        self.rules_before = meanings(listed(self.gw))
        self.routes_before = self.routed()
        self.makers = [self.rule_deleted] * 4 + [self.rule_added] * 4 + [self.rule_moved] * 3 + [self.rule_widened] * 2 + [self.element] * 5 + \
            [self.route] * 4 + [self.ip_rule] * 3 + [self.address, self.parameter, self.foreign, self.host_route]

    def next(self):
        while True:
            mutation = self.random.choice(self.makers)()
            if mutation:
                return mutation

    # nftables
    def judged(self, kind, edit, words, otherwise="silent"):
        """Does it, and asks z3. `otherwise`: what is expected where it sees no difference."""
        try:
            edit.do()
        except Exception:  # the kernel refuses it: no edit
            return None
        try:
            way = differs(self.rules_before, meanings(listed(self.gw)))
        except ValueError:  # words that the judge does not know
            edit.undo()
            return None
        return Mutation(kind, edit, "named" if way else otherwise, words)

    def a_rule(self):
        chain = self.random.choice([each["name"] for each in listed(self.gw)["chains"]])
        rules = self.edits.rules(chain)
        return (chain, *self.random.choice(rules)) if rules else self.a_rule()

    @staticmethod
    def is_beyond(chain, text):
        return bool(UNSEEN.match(chain)) or any(word in text for word in BEYOND)

    def rule_deleted(self):
        chain, handle, text = self.a_rule()
        edit = self.edits.nft(f"{chain}: - {text}", f"delete rule inet sekisho {chain} handle {handle}")
        return self.judged("rule deleted", edit, [f"chain {chain}"], "named" if self.is_beyond(chain, text) else "silent")

    def some_match(self):
        hosts = [self.lab.a.pc4, self.lab.b.pc4, SERVICE4, OTHER4, self.lab.a.lan4, self.lab.b.lan4, "10.9.9.9", INTERNET4]
        choice = self.random.randrange(6)
        if choice == 0:
            return ""
        if choice == 1:
            return f'iifname "{self.random.choice(["sekisho0", "dc0", "wan0"])}" '
        if choice == 2:
            return f"ip saddr {self.random.choice(hosts)} ip daddr {self.random.choice(hosts)} "
        if choice == 3:
            return f"ip6 daddr {self.random.choice([SERVICE6, self.lab.a.pc6, self.lab.b.pc6])} "
        return f"ip {self.random.choice(['saddr', 'daddr'])} {self.random.choice(hosts)} "

    def rule_added(self):
        chain, handle, text = self.a_rule()
        verdict = self.random.choice(["accept", "accept", "drop", "drop", "counter", "return", "goto drop_detour"])
        rule = self.some_match() + verdict
        if not rule.strip():
            return None
        edit = self.edits.nft(f"{chain}: + {rule} before {text}", f"insert rule inet sekisho {chain} handle {handle} {rule}")
        silent = "silent" if verdict in ("counter", "drop", "goto drop_detour") and not UNSEEN.match(chain) else "either"
        if chain.startswith("drop_"):  # what counts refusals
            silent = "either"
        return self.judged("rule added", edit, [f"chain {chain}"], "silent" if verdict == "counter" else silent)

    def rule_moved(self):
        chain, handle, text = self.a_rule()
        others = [each for each, _ in self.edits.rules(chain) if each != handle]
        if not others:
            return None
        to = self.random.choice(others)
        edit = self.edits.nft(f"{chain}: ^ {text}", f"delete rule inet sekisho {chain} handle {handle}", f"insert rule inet sekisho {chain} handle {to} {text}")
        beyond = any(self.is_beyond(chain, each) for _, each in self.edits.rules(chain))
        return self.judged("rule moved", edit, [f"chain {chain}"], "either" if beyond else "silent")

    def rule_widened(self):
        """One condition less, or the verdict the other way."""
        chain, handle, text = self.a_rule()
        wider = self.random.choice([lambda: re.sub(r"ip6? [sd]addr (!= )?\S+ ", "", text, count=1), lambda: re.sub(r"goto drop_\w+$", "accept", text),
                                    lambda: re.sub(r'[io]ifname (!= )?("\w+"|\{[^}]*\}) ', "", text, count=1), lambda: text.replace("!= ", "", 1)])()
        if wider == text or not wider:
            return None
        edit = self.edits.nft(f"{chain}: {text} -> {wider}", f"replace rule inet sekisho {chain} handle {handle} {wider}")
        return self.judged("rule widened", edit, [f"chain {chain}"], "named" if self.is_beyond(chain, text) else "silent")

    def element(self):
        names = [name for name in listed(self.gw)["sets"] if not name.startswith(("flows", "fragments"))]
        name = self.random.choice(names)
        there = self.edits.elements(name)
        others = name.startswith(("site", "source", "ends_", "opens_", "answers_"))
        if there and self.random.random() < 0.5:
            gone = self.random.choice(there)
            edit = self.edits.element_deleted(name, gone)
            return self.judged("element deleted", edit, [f"@{name} "], "named" if others else "silent")
        added = self.new_element(name, there)
        if added is None:
            return None
        return self.judged("element added", self.edits.element_added(name, added), [f"@{name} "], "either" if others else "silent")

    def new_element(self, name, there):
        """Another host or another port, or a network that is not there."""
        if name.startswith(("facility", "reach", "source")):
            return self.random.choice([f"10.{self.random.randrange(50, 60)}.0.0/24", f"10.80.0.{self.random.randrange(20, 90)}"]) if name.endswith("4") else None
        if not there:
            return None
        base = self.random.choice(there)
        return re.sub(r"\. (\d+) :", lambda found: f". {int(found[1]) % 60000 + self.random.randrange(1, 9)} :", base) if re.search(r"\. \d+ :", base) else \
            re.sub(r"10\.\d+\.0\.(\d+)", f"10.80.0.{self.random.randrange(20, 90)}", base, count=1)

    # routes
    def routed(self):
        """What the kernel says of many packets: {question: interface and next hop}."""
        far = [SERVICE4, OTHER4, self.lab.a.pc4, self.lab.b.pc4, "10.1.0.0", "10.1.0.255", "10.2.0.9", INTERNET4, CARRIER4, "198.51.1.1", "198.51.2.77", "10.9.9.9", "172.16.9.9"]
        far6 = [SERVICE6, self.lab.a.pc6, self.lab.b.pc6, "2001:db8:1::7", "2001:db8:2::7", "fd00:9::9"]
        answers = {}
        for family, ends, sources in (("-4", far, {"sekisho0": [self.lab.a.pc4, self.lab.b.pc4], "dc0": [SERVICE4], "wan0": [INTERNET4]}),
                                      ("-6", far6, {"sekisho0": [self.lab.a.pc6, self.lab.b.pc6], "dc0": [SERVICE6], "wan0": ["2001:db8:1::7"]})):
            questions = [f"route get {end}" for end in ends]
            questions += [f"route get {end} from {source} iif {side}{mark}" for end in ends for side, its in sources.items() for source in its
                          for mark in (("", f" mark {EXCHANGE:#x}") if side == "sekisho0" else ("",))]
            for question in questions:
                shown = self.gw.ip(family, *question.split(), check=False)
                said = shown.stdout.splitlines()[0] if shown.returncode == 0 and shown.stdout else shown.stderr.strip()
                answers[family, question] = re.sub(r"\b(cache|uid \d+|expires \d+\w+|metric \d+|pref \w+|proto \w+|hoplimit \d+)\b", "", said).split()
        return answers

    def by_kernel(self, kind, edit, words, always=None):
        try:
            edit.do()
        except Exception:
            return None
        changed = [question for question, answer in self.routed().items() if answer != self.routes_before[question]]
        return Mutation(kind, edit, always or ("named" if changed else "either"), words)

    def route(self):
        table = self.random.choice(["7101", "7102", "7103", "7104"])
        family = self.random.choice(["-4", "-4", "-6"])
        lines = [line.split() for line in self.gw.ip(family, "route", "show", "table", table, check=False).stdout.splitlines()]
        if lines and self.random.random() < 0.5:
            words = self.random.choice(lines)
            prefix = words[1] if words[0] == "unreachable" else words[0]
            # the unreachable default stands before a rule that prohibits: without it nothing passes either
            return self.by_kernel("route deleted", self.edits.route_deleted(table, prefix, family), ["table " + table], "either" if words[0] == "unreachable" else "named")
        to = self.random.choice([self.lab.a.lan4, self.lab.b.lan4, OTHER4, "10.80.0.0/24", INTERNET4, "10.9.9.0/24", self.lab.b.pc4])
        device = self.random.choice(["sekisho0", "dc0", "wan0"])
        # of a table that our rules ask for packets that come in, every route that leads somewhere else than before opens or closes
        return self.by_kernel("route added", self.edits.route_added(to, "dev", device, "table", table), ["table " + table])

    def host_route(self):
        to = self.random.choice(["172.16.0.0/12", "10.200.0.0/16", "192.0.2.0/24"])
        return self.by_kernel("route of the host", self.edits.route_added(to, "dev", self.random.choice(["dc0", "wan0"])), ["route"], "silent")

    def ip_rule(self):
        if self.random.random() < 0.5:
            family, priority = self.random.choice(["-4", "-6"]), self.random.choice([7100, 7101, 7110, 7111, 7120, 7121, 7130, 7131, 7140])
            # behind a table that ends in unreachable, a prohibit is the second lock on the same door
            expected = "either" if priority in (7101, 7111) else "named"
            return self.by_kernel("ip rule deleted", self.edits.ip_rule_deleted(priority, family), [f"{priority}:"], expected)
        words = ["pref", str(self.random.choice([50, 500, 7105, 7115, 20000]))]
        words += self.random.choice([[], ["from", self.lab.a.lan4], ["to", SERVICE4], ["iif", "sekisho0"], ["iif", "wan0"], ["fwmark", "0x5"], ["iif", "eth9"]])
        words += ["lookup", self.random.choice(["main", "99", "7102"])]
        return self.by_kernel("ip rule added", self.edits.ip_rule_added(*words), ["ip rule added", "route"])

    def address(self):
        if self.random.random() < 0.3:
            return self.by_kernel("address deleted", self.edits.outside_address_deleted(), [f"address missing: {GATEWAY4}"], "named")
        address, interface = self.random.choice([("203.0.113.77/24", "wan0"), ("10.80.0.55/24", "dc0"), (f"{SERVICE4}/32", "lo"), (f"{self.lab.a.pc4}/32", "lo")])
        expected = "silent" if address.startswith(("203.", "10.80.0.55")) else "named"
        return self.by_kernel("address added", self.edits.address_added(address, interface), [address.split("/")[0]], expected)

    def parameter(self):
        relied = [("net/ipv4/ip_forward", 0), ("net/ipv4/conf/sekisho0/rp_filter", 0), ("net/ipv4/conf/all/accept_source_route", 1), ("net/ipv4/conf/dc0/accept_redirects", 1),
                  ("net/ipv4/conf/wan0/send_redirects", 1), ("net/ipv6/conf/wan0/accept_redirects", 1), ("net/ipv4/conf/sekisho0/src_valid_mark", 0),
                  ("net/ipv4/conf/wan0/proxy_arp", 1), ("net/ipv4/conf/sekisho0/accept_local", 1), ("net/ipv4/conf/wan0/forwarding", 0)]
        others = [("net/ipv4/conf/dc0/log_martians", 1), ("net/ipv4/tcp_sack", 0), ("net/ipv4/conf/dc0/arp_announce", 2)]
        path, value = self.random.choice(relied + others)
        edit = self.edits.sysctl(path, value)
        if (path, value) in relied and path == "net/ipv4/ip_forward":  # the kernel puts others back with it
            before = [(each, self.gw.sysctl(each)) for each, _ in relied + others]
            edit._undo = lambda: [self.gw.sysctl(each, was) for each, was in before]
        edit.do()
        return Mutation("parameter", edit, "named" if (path, value) in relied else "silent", [f"sysctl {path}"])

    def foreign(self):
        text, expected = self.random.choice([
            ('table ip theirs { chain post { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }; }', "named"),
            (f"table ip theirs {{ chain pre {{ type nat hook prerouting priority dstnat; ip daddr {SERVICE4} dnat to {OTHER4}; }}; }}", "named"),
            ('table inet theirs { chain pre { type filter hook prerouting priority -200; iifname "sekisho0" meta mark set 0x80000000; }; }', "named"),
            ('table inet theirs { chain pre { type filter hook prerouting priority -350; iifname "sekisho0" notrack; }; }', "named"),
            (f"table inet theirs {{ chain theirs {{ type filter hook forward priority 5; ip saddr {self.lab.b.lan4} drop; }}; }}", "named"),
            ("table inet theirs { chain theirs { type filter hook forward priority 5; ip saddr 172.17.0.0/16 drop; }; }", "silent"),
            ("table inet theirs { chain theirs { type filter hook forward priority -5; accept; }; }", "silent"),
            ("table inet theirs { chain inp { type filter hook input priority 5; tcp dport 22 accept; counter; }; }", "silent")])
        edit = self.edits.foreign(text, text)
        edit.do()
        return Mutation("table of others", edit, expected, ["theirs"])
